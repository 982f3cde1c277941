"""Pictures of comparisons: one of some statistics alone says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from components.drift import picture
from tests.lib.drift.comparisons import comparison


@pytest.mark.parametrize(
    ("many", "words"), [(24, ""), (34, "\n24 of 34 statistics, the most significant first")]
)
def test_a_picture_says_how_many_statistics_it_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int, words: str
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, *_, **__: drawn.append(figure))
    report = comparison("a1", drifted=True)
    report["statistics"] = report["statistics"][:1] * many
    picture.draw(report, tmp_path / "drift.png")
    assert drawn[0].axes[0].get_xlabel().endswith(f"standard deviations of its locations{words}")
