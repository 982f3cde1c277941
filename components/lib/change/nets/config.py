"""Configuration of a change network: enough to rebuild it empty, before its weights are read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.lib.change.terms import BANDS, Modality

Exchange = Literal["none", "early", "published"]
Share = Literal[2, 4]

DEFAULT_ENCODER = "mobilenet_v2"
"""With a U-Net decoder of width 32 about as many parameters as SGSLN of width 32: 6.6 and 6.0 million."""


class DateConfig(BaseModel):
    """Images of one of the two dates.

    Attributes:
        modality: Layer of the pair that is read.
        bands: Names of its bands, in order.
        sensor: Name of the sensor or data set that the images are of.
        mean: Subtracted from the uint8 input, per band.
        std: The difference is divided by it, per band.
    """

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)

    modality: Modality
    bands: tuple[str, ...] = Field(min_length=1)
    sensor: str = Field(min_length=1)
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(
        cls, modality: Modality, *, sensor: str, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> DateConfig:
        """Return the configuration of images with the usual bands of ``modality``."""
        return cls(modality=modality, bands=BANDS[modality], sensor=sensor, mean=mean, std=std)

    @model_validator(mode="after")
    def _consistent(self) -> DateConfig:
        if not len(self.mean) == len(self.std) == len(self.bands):
            raise ValueError("mean and std need one value per band")
        if any(std <= 0 for std in self.std):
            raise ValueError("std must be positive")
        return self


class ChangeConfig(BaseModel):
    """Architecture and inputs of one change network.

    Attributes:
        kind: Name of the method that defines the network (:mod:`components.lib.methods.registry`).
        before: Images of the first date.
        after: Images of the second date.
        width: Channels of the first stage; every stage has twice those of the one before.
        encoder: Encoder of segmentation_models_pytorch, for networks that are built on one.
        dropout: Share of the features that a step drops, for networks with dropout.
        exchange: Place where the dates exchange channels, for networks that do so there or not at all.
        exchange_every: One in so many channels is exchanged: 2 is half of them, 4 a quarter.
        threshold: Change probability above which a pixel is changed, chosen on the validation split.
    """

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    before: DateConfig
    after: DateConfig
    width: int = Field(default=32, ge=4, le=256, multiple_of=4)
    encoder: str | None = None
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    exchange: Exchange = "published"
    exchange_every: Share = 2
    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)

    @property
    def dates(self) -> tuple[DateConfig, DateConfig]:
        """Both dates in order."""
        return self.before, self.after

    @property
    def same_kind(self) -> bool:
        """True if both dates have the same modality and bands, so that they may share every layer."""
        return (self.before.modality, self.before.bands) == (self.after.modality, self.after.bands)
