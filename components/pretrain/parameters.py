"""Section `pretrain` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.engine.parameters import Budget
from components.lib.tasks.labels import TaskName


class PretrainingParameters(Budget):
    """Pre-training of one teacher on masks of OpenStreetMap.

    Attributes:
        task: What the masks show, one of ``osm.tasks``: that of the clean labels (``prepare.task``).
        batch: Crops per step instead of ``training.batch``; None keeps that.
        rot90: Random quarter turns.
        as_released: The weights of the epoch with the lowest training loss are kept and nothing is looked at
            besides, as PP-LinkNet's code does; False keeps the last (or averaged) ones, as all trainings do,
            and scores them on the selection slice against clean labels.
    """

    task: TaskName = "buildings"
    batch: int | None = Field(default=None, ge=2)
    rot90: bool = True
    as_released: bool = False


class PretrainParameters(PretrainingParameters):
    """Teachers to pre-train, and how.

    Attributes:
        kinds: Teachers, one model each in ``models/pretrain/<kind>``; none while it is empty.
    """

    kinds: tuple[str, ...] = ()

    @property
    def teacher(self) -> PretrainingParameters:
        """Parameters of one training, which does not depend on which others there are."""
        return PretrainingParameters(**self.model_dump(exclude={"kinds"}))
