"""Schedules of change trainings under their names, and the parameters that they set.

SGSLN's code at its HEAD, its first release, and what a user quotes as the paper's in the project's issue 4;
the paper's own text was not read. ``short`` is ours. Common to all: AdamW and a linear warm-up by step. After
it SGSLN's rate falls to a tenth when validation F1 stops rising
(:mod:`components.lib.change.training.schedule`), that of ``short`` along a cosine: a few hundred steps are
too few to wait for a plateau.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.lib.engine.schedule import Schedule

PresetName = Literal["head", "first_release", "issue4", "short"]


class Preset(BaseModel):
    """One schedule.

    Attributes:
        epochs: Passes over the training pairs.
        batch: Crops per step.
        lr: Rate that the warm-up approaches.
        weight_decay: Of AdamW, on every parameter.
        warmup_steps: The rate of step k, counted from 1, is 1e-7 + min(k, warmup_steps - 1) / warmup_steps
            (lr - 1e-7): it stays one step below ``lr``, as in the code (1.996e-4 for 2e-4 and 500 steps).
        first_evaluation: Epoch, counted from 0, after which validation F1 is first measured.
        patience: Measurements in a row without a higher F1 after which the rate falls to a tenth; None: F1 is
            measured, and the rate does not depend on it.
        schedule: Course of the rate over all steps, by which the warm-up's is multiplied
            (:mod:`components.lib.engine.schedule`).
        dropout: Share of the features that a step drops.
        noise: Probability that both dates of a crop get one of the kinds of noise.
        clip_norm: L2 norm that gradients are clipped to. SGSLN's code clips gradients that are still scaled
            for half precision; ours are not scaled.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(ge=1)
    batch: int = Field(ge=2)
    lr: float = Field(gt=0.0)
    weight_decay: float = Field(default=1e-3, ge=0.0)
    warmup_steps: int = Field(default=500, ge=0)
    first_evaluation: int = Field(ge=0)
    patience: int | None = Field(default=12, ge=1)
    schedule: Schedule = "constant"
    dropout: float = Field(ge=0.0, lt=1.0)
    noise: float = Field(ge=0.0, le=1.0)
    clip_norm: float | None = Field(default=20.0, gt=0.0)

    @model_validator(mode="after")
    def _evaluated(self) -> Preset:
        if self.first_evaluation >= self.epochs:
            raise ValueError(f"first_evaluation must be below epochs ({self.epochs})")
        return self


PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {
        "head": Preset(epochs=500, batch=16, lr=2e-4, first_evaluation=250, dropout=0.1, noise=0.3),
        "first_release": Preset(epochs=500, batch=16, lr=2e-4, first_evaluation=250, dropout=0.3, noise=0.8),
        "issue4": Preset(epochs=250, batch=64, lr=1e-3, first_evaluation=30, dropout=0.3, noise=0.8),
        "short": Preset(
            epochs=40, batch=8, lr=1e-3, warmup_steps=20, first_evaluation=20, dropout=0.1, noise=0.3,
            clip_norm=1.0, patience=None, schedule="cosine",
        ),
    }
)  # fmt: skip
"""SGSLN's schedules by name, and ours. ``short`` measures F1 first at half of its epochs."""
