"""The trained optical teacher, checked against the student it is to teach."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from components.contract.errors import ParameterError
from components.lib.engine.parameters import TrainingParameters
from components.lib.files import require_input
from components.lib.nets.bundle import load_bundle
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.hfd import HfdReading
from components.lib.nets.singlemap import SingleMapNetwork

TEACHER_FOLDER = Path("models/optical")
HFD_TEACHER_FOLDER = TEACHER_FOLDER / "hfd_reading"

Teacher = TypeVar("Teacher", bound=SingleMapNetwork)


def load_teacher(training: TrainingParameters, folder: Path | None = None) -> DeepLab:
    """The DeepLabV3+ teacher; raises as :func:`load_hfd_teacher`."""
    return _load(DeepLab, "DeepLabV3+", folder or TEACHER_FOLDER, training)


def load_hfd_teacher(training: TrainingParameters, folder: Path | None = None) -> HfdReading:
    """The teacher of our reading of HFD-Net, on the CPU and in evaluation mode.

    Raises:
        MissingInputError: If the teacher has not been trained.
        BadDataError: If its weights do not match their checksum.
        ParameterError: If it is no such optical network of the student's encoder and decoder width: features
            are compared one to one (reference 1.4).
    """
    chosen = folder or HFD_TEACHER_FOLDER
    if not chosen.exists():
        raise ParameterError(
            f"distill.methods: hfd_reading needs a teacher of its own kind, and {chosen} does not exist",
            next_step="add hfd_reading to optical.kinds in params.yaml and run `dvc repro optical`",
        )
    return _load(HfdReading, "hfd_reading", chosen, training)


def _load(kind: type[Teacher], called: str, folder: Path, training: TrainingParameters) -> Teacher:
    net = load_bundle(require_input(folder, made_by="optical"))
    if not isinstance(net, kind) or net.config.modality != "optical":
        raise ParameterError(f"{folder} holds no optical {called}", next_step="run `dvc repro optical`")
    for key in ("encoder", "decoder_channels"):
        taught, wanted = getattr(net.config, key), getattr(training, key)
        if taught != wanted:
            raise ParameterError(
                f"training.{key} is {wanted!r}, but the teacher in {folder} has {taught!r}: "
                "teacher and student must share the backbone",
                next_step="run `dvc repro optical` to train the teacher anew, or set the parameter back",
            )
    return net
