"""Titles of models and trainings for readers; files call them by short keys (``none``, ``teacher``)."""

from __future__ import annotations

from components.lib.evaluation.results import CONTROL

CONTROL_TITLE = "SAR-only control"

_TITLES = {
    "teacher": "Optical teacher",
    CONTROL: CONTROL_TITLE,
    "unadapted": "Student before adaptation",
    "adapted": "Adapted student",
}


def model_title(model: str) -> str:
    """Return what a reader is told that a model is: its purpose, or the name of its distillation method.

    Args:
        model: Name of the model in tables and files.
    """
    kind = model.removeprefix("teacher-")
    return f"Optical teacher ({kind})" if kind != model else _TITLES.get(model, model)


def training_title(folder: str) -> str:
    """Return what a training made.

    Args:
        folder: Folder of the training below ``reports``: ``optical/<kind>``, ``distill/<method>``, ``adapt``,
            ``change/<method>``.
    """
    stage, _, name = folder.partition("/")
    if stage == "optical":
        return f"Optical teacher ({name})"
    if stage == "change":
        return f"Change between two dates ({name})"
    return model_title(name) if stage == "distill" else "Adaptation"
