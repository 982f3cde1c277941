"""Section `optical` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.engine.parameters import Budget


class TeacherParameters(Budget):
    """Training of one teacher.

    Attributes:
        rot90: Random quarter turns; optical images have no preferred direction, radar has.
        batch: Crops per step instead of ``training.batch`` (DisOptNet: 16); None keeps that.
    """

    rot90: bool
    batch: int | None = Field(default=None, ge=2)


class OpticalParameters(TeacherParameters):
    """Teachers to train, and how.

    Attributes:
        kinds: Teachers, one model each in ``models/optical/<kind>``: ``deeplabv3plus`` for all methods but
            those that need a teacher of their own kind.
    """

    kinds: tuple[str, ...] = Field(default=("deeplabv3plus",), min_length=1)

    @property
    def teacher(self) -> TeacherParameters:
        """Parameters of one training, which does not depend on which others there are."""
        return TeacherParameters(**self.model_dump(exclude={"kinds"}))
