from __future__ import annotations

import pytest

from components.lib.evaluation.names import model_title, training_title


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("none", "SAR-only control"),
        ("teacher", "Optical teacher"),
        ("teacher-hfd_reading", "Optical teacher (hfd_reading)"),
        ("concord", "concord"),
        ("adapted", "Adapted student"),
        ("unadapted", "Student before adaptation"),
    ],
)
def test_models_are_called_by_what_they_are(model: str, title: str) -> None:
    assert model_title(model) == title


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("optical/deeplabv3plus", "Optical teacher (deeplabv3plus)"),
        ("distill/none", "SAR-only control"),
        ("distill/concord", "concord"),
        ("adapt", "Adaptation"),
    ],
)
def test_trainings_are_called_by_what_they_made(folder: str, title: str) -> None:
    assert training_title(folder) == title
