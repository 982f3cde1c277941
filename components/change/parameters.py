"""Section `change` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.change.training.presets import PRESETS, Preset, PresetName
from components.lib.config.loader import Parameters
from components.lib.engine.parameters import LEAST_CROP_PX
from components.lib.nets.config import Modality


class ChangeTraining(Parameters):
    """Training of one change method: a preset, and what differs from it.

    Attributes:
        data_set: Data set of pairs to learn from, one of ``pairs.data_sets``.
        preset: Schedule by name: ``head``, ``first_release`` and ``issue4`` are SGSLN's, ``short`` is ours.
        before: Modality of the first date.
        after: Modality of the second date.
        crop: Side of a crop, pixels.
        crops_per_tile: Random crops of each tile per epoch.
        change_share: Share of the crops that are drawn around a changed pixel; 0 as in SGSLN's code.
        epochs: Passes over the train tiles; null takes the preset's. Its first evaluation keeps its share of
            them.
        batch: Crops per step; null takes the preset's.
        noise: Probability that a crop gets noise; null takes the preset's.
        dropout: Share of the features that a step drops; null takes the preset's.
    """

    data_set: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    preset: PresetName
    before: Modality
    after: Modality
    crop: int = Field(ge=LEAST_CROP_PX)
    crops_per_tile: int = Field(ge=1)
    change_share: float = Field(ge=0.0, le=1.0)
    epochs: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=2)
    noise: float | None = Field(default=None, ge=0.0, le=1.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)

    def schedule(self, lr: float | None) -> Preset:
        """Return the preset with what differs from it.

        Args:
            lr: The method's own learning rate; None keeps the preset's.
        """
        preset = PRESETS[self.preset]
        own = {"lr": lr, "batch": self.batch, "noise": self.noise, "dropout": self.dropout}
        update = {name: value for name, value in own.items() if value is not None}
        if self.epochs is not None:
            first = self.epochs * preset.first_evaluation // preset.epochs
            update |= {"epochs": self.epochs, "first_evaluation": first}
        return preset.model_copy(update=update)


class ChangeParameters(ChangeTraining):
    """Change methods to train, and how.

    Attributes:
        methods: Change methods, one model each in ``models/change/<method>``: keys of the section `methods`.
    """

    methods: tuple[str, ...]

    @property
    def training(self) -> ChangeTraining:
        """Parameters of one training, which does not depend on which others there are."""
        return ChangeTraining(**self.model_dump(exclude={"methods"}))
