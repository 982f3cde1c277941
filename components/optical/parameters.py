"""Section `optical` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.lib.engine.parameters import Budget


class TeacherParameters(Budget):
    """Training of one teacher.

    Attributes:
        rot90: Random quarter turns; optical images have no preferred direction, radar has.
        batch: Crops per step instead of ``training.batch`` (DisOptNet: 16); None keeps that.
        label_share: Share of the train tiles that are learnt from, the westernmost first: ground with clean
            labels, where evidence asks what few of them are worth.
    """

    rot90: bool
    batch: int | None = Field(default=None, ge=2)
    label_share: float = Field(default=1.0, gt=0.0, le=1.0)


class OpticalParameters(TeacherParameters):
    """Teachers to train, and how.

    Attributes:
        kinds: Teachers, one model each in ``models/optical/<kind>``: ``deeplabv3plus`` for all methods but
            those that need a teacher of their own kind.
        start: ``pretrain`` starts each teacher from all weights of ``models/pretrain/<kind>``, with rate and
            schedule from their beginning; None from fresh ones.
    """

    kinds: tuple[str, ...] = Field(default=("deeplabv3plus",), min_length=1)
    start: Literal["pretrain"] | None = None

    @property
    def teacher(self) -> TeacherParameters:
        """Parameters of one training, which does not depend on which others there are."""
        return TeacherParameters(**self.model_dump(exclude={"kinds", "start"}))
