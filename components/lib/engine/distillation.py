"""Base of all students' tasks: a frozen teacher beside the student that is no part of what is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from components.lib.engine.schedule import ramp
from components.lib.engine.task import TrainingTask
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork

Student = TypeVar("Student", bound=SegmentationNetwork)


class DistillationTask(TrainingTask, Generic[Student]):
    """Task of a student beside its frozen teacher.

    The teacher is moved with the task but is no part of it: it has no place in ``state_dict()``,
    ``parameters()`` or the checkpoint, and ``train()`` never reaches it.

    Args:
        student: The SAR network.
        teacher: The optical network; it is frozen here.
        contour_weight: Weight of the student's contour head's loss.
        ramp_steps: Steps over which :attr:`share` rises from 0 to 1.

    Attributes:
        share: Share (0 to 1) of the ramped terms' weight, at the step about to be taken.
    """

    def __init__(
        self,
        student: Student,
        teacher: SingleMapNetwork,
        *,
        contour_weight: float = 0.0,
        ramp_steps: int = 0,
    ) -> None:
        super().__init__()
        self.student, self.contour_weight, self.ramp_steps = student, contour_weight, ramp_steps
        self.share = 1.0
        # In a tuple, so that torch does not register it as a submodule.
        self._outside = (teacher.eval().requires_grad_(False),)

    @property
    def teacher(self) -> SingleMapNetwork:
        """Frozen teacher, in evaluation mode."""
        return self._outside[0]

    def teacher_outputs(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the teacher's logits and features of optical ``images`` (B, C, H, W), without a gradient."""
        with torch.no_grad():
            return self.teacher.forward_features(images)

    def before_step(self, step: int) -> None:
        """Set :attr:`share`."""
        self.share = ramp(step, self.ramp_steps)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:  # noqa: ANN401
        """Apply what ``to()`` and its kin apply, so that the teacher follows to the device."""
        self.teacher._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
