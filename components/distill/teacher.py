"""The trained optical teacher, checked against the student it is to teach."""

from __future__ import annotations

from pathlib import Path

from components.lib.engine import TrainingParameters
from components.lib.errors import ParameterError
from components.lib.files import require_input
from components.lib.nets import DeepLab, load_bundle

TEACHER_FOLDER = Path("models/optical")


def load_teacher(training: TrainingParameters, folder: Path = TEACHER_FOLDER) -> DeepLab:
    """The bundle in ``folder``, on the CPU and in evaluation mode.

    Raises:
        MissingInputError: If the teacher has not been trained.
        BadDataError: If its weights do not match their checksum.
        ParameterError: If it is not an optical DeepLabV3+ of the student's encoder and decoder width:
            features are compared without adapters (reference 1.4).
    """
    net = load_bundle(require_input(folder, made_by="optical"))
    if not isinstance(net, DeepLab) or net.config.modality != "optical":
        raise ParameterError(f"{folder} holds no optical DeepLabV3+", next_step="run `dvc repro optical`")
    for key in ("encoder", "decoder_channels"):
        taught, wanted = getattr(net.config, key), getattr(training, key)
        if taught != wanted:
            raise ParameterError(
                f"training.{key} is {wanted!r}, but the teacher in {folder} has {taught!r}: "
                "teacher and student must share the backbone",
                next_step="run `dvc repro optical` to train the teacher anew, or set the parameter back",
            )
    return net
