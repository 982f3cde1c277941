"""Configuration of a network: enough to rebuild it empty, before its weights are read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from components.lib.tasks.names import TaskName

Modality = Literal["optical", "sar"]
Output = Literal["fused", "branch_s"]
Stems = Literal["shared", "per_sensor"]
Normalisation = Literal["per_sensor", "shared"]
Inputs = Literal["shared", "per_sensor"]
Alignment = Literal["flow", "add"]

REFERENCE_MEAN = (127.5,) * 4
"""Centre of the input normalisation, per channel, uint8 units (DisOptNet's released code)."""

REFERENCE_STD = (31.875,) * 4
"""Scale of the input normalisation, per channel, uint8 units: 0.125 * 255."""


REFERENCE_RATES = (12, 24, 36)
"""Dilation rates of the ASPP of DeepLabV3+ at output stride 16, cells (DisOptNet's released code)."""


class NetworkConfig(BaseModel):
    """Architecture, input and known sensors of one segmentation network.

    Attributes:
        kind: ``deeplabv3plus`` (the teacher and the SAR-only control), ``disoptnet`` (the two-branch
            student), or the name of the method that defines a network of its own
            (:func:`components.lib.nets.factory.network_class`).
        encoder: Any encoder of segmentation_models_pytorch; ``disoptnet`` needs one that forks at stride 8.
        encoder_weights: Pretraining the encoder started from (provenance once trained), or None.
        decoder_channels: Width of the decoder, 256 in the references; of the FPN in ``semantic_fpn``, whose
            decoder has half of it, as ``dmsd``'s nodes do.
        aspp_rates: Dilation rates of the decoder's ASPP, cells of stride 16, where the network has one.
        aspp_dropout: Share of the ASPP's merged features that training drops.
        in_channels: Input bands: B, R, R, G for optical, HH, HV, VH, VV for SAR.
        task: Prediction target, as of the store that the network was trained on; buildings where a model does
            not say.
        classes: Softmax classes: background and the target.
        modality: Layer of the store that the network reads.
        sensors: Names of the sensors whose statistics the network carries.
        sensor_specific: True once layers know which sensor they work for (CSN, stems).
        normalisation: Statistics of a sensor-specific network: one set per sensor (CSN), or one set for all
            of them (ablation).
        inputs: ``per_sensor`` where a sensor-specific network first brings each sensor's pixels to the first
            one's moments.
        stems: ``per_sensor`` where a sensor-specific network has a first convolution for each sensor.
        norm_momentum: Share of a new batch in the statistics per sensor; None keeps the encoder's own.
        input_mean: Subtracted from the uint8 input, per channel.
        input_std: The difference is divided by it, per channel.
        output: Map a ``disoptnet`` deploys: the fused one, or the cheaper branch S alone.
        alignment: Way in which a network with flow alignment brings a coarse map onto a finer one: warped by
            a learnt ``flow``, or plainly upsampled (``add``, ablation).
        contours: True if a second head predicts footprint, edge and contact of buildings, beside the class
            map.
        threshold: Probability above which a pixel is building or road, chosen on the labelled sensor's
            selection slice after training.
    """

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    encoder: str
    encoder_weights: str | None = None
    decoder_channels: int = Field(default=256, ge=16)
    aspp_rates: tuple[PositiveInt, PositiveInt, PositiveInt] = REFERENCE_RATES
    aspp_dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    in_channels: int = Field(default=4, ge=1)
    task: TaskName = "buildings"
    classes: int = Field(default=2, ge=2)
    modality: Modality = "sar"
    sensors: tuple[str, ...] = Field(min_length=1)
    sensor_specific: bool = False
    normalisation: Normalisation = "per_sensor"
    inputs: Inputs = "shared"
    stems: Stems = "shared"
    norm_momentum: float | None = None
    input_mean: tuple[float, ...] = REFERENCE_MEAN
    input_std: tuple[float, ...] = REFERENCE_STD
    output: Output = "fused"
    alignment: Alignment = "flow"
    contours: bool = False
    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _consistent(self) -> NetworkConfig:
        if not len(self.input_mean) == len(self.input_std) == self.in_channels:
            raise ValueError("input_mean and input_std need one value per input channel")
        if any(std <= 0 for std in self.input_std):
            raise ValueError("input_std must be positive")
        if len(set(self.sensors)) != len(self.sensors):
            raise ValueError("sensors must be distinct")
        if len(self.sensors) > 1 and not self.sensor_specific:
            raise ValueError("several sensors need sensor_specific normalisation")
        if self.contours and self.task != "buildings":
            raise ValueError(f"a network of {self.task} has no contour head")
        return self
