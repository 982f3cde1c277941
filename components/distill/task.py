"""DisOptNet's losses (reference 1.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from components.lib.engine import TrainingTask
from components.lib.engine.task import Batch
from components.lib.losses import feature_mse, pixelwise_distillation, segmentation_loss
from components.lib.nets import DeepLab, DisOptNetStudent


class DistillTask(TrainingTask):
    """A student pulled towards a frozen optical teacher by branch R.

    The teacher is moved with the task but is no part of it: it has no place in ``state_dict()``,
    ``parameters()`` or the checkpoint, and ``train()`` never reaches it.

    Args:
        student: The two-branch SAR network.
        teacher: Same encoder and decoder width; it is frozen here.
        features: Which of ``f4``, ``f5``, ``decoder`` branch R imitates.
    """

    def __init__(self, student: DisOptNetStudent, teacher: DeepLab, features: Sequence[str]) -> None:
        super().__init__()
        self.student = student
        self.features = tuple(features)
        # In a tuple, so that torch does not register it as a submodule.
        self._outside = (teacher.eval().requires_grad_(False),)

    @property
    def teacher(self) -> DeepLab:
        """The frozen teacher, in evaluation mode."""
        return self._outside[0]

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:  # noqa: ANN401
        """What ``to()`` and its kin go through: the teacher follows to the device."""
        self.teacher._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """``loss`` and its terms, from the layers ``sar``, ``optical`` and ``target`` (channel 0)."""
        footprint = batch["target"][:, 0]
        branches = self.student.forward_branches(batch["sar"])
        with torch.no_grad():
            teacher_logits, teacher_features = self.teacher.forward_features(batch["optical"])
        terms = {
            "seg_s": segmentation_loss(branches.z_s, footprint),
            "seg_r": segmentation_loss(branches.z_r, teacher_logits.argmax(dim=1)),
            "pw": pixelwise_distillation(branches.z_r, teacher_logits),
            "seg_f": segmentation_loss(branches.z_f, footprint),
            "features": feature_mse(branches.features, teacher_features, self.features),
        }
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}
