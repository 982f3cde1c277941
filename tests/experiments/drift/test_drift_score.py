"""Error of the score without labels, with a network that reads brightness from a few drawn tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from components.contract.errors import ParameterError
from components.experiments.drift.answers import Mapper
from components.experiments.drift.kept import KeptAnswers
from components.experiments.drift.score import CASES, errors, main, measured, summary
from components.experiments.drift.score_table import markdown, picture
from components.experiments.drift.shifts import NONE, OTHER, USUAL
from components.experiments.drift.world import Drawn, Imaging, Scale, draw
from components.lib.config.scoring import ScoringSettings
from components.lib.drift.expected_score import BlockProbabilities
from tests.evaluate.worlds import Pointwise

SCALE = Scale(tiles=12, tile_px=80)
SETTINGS = ScoringSettings(block_m=25.0)


class Bright(Pointwise):
    """Building where the mean of the bands is bright."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = (x.float().mean(dim=1, keepdim=True) - 130) / 20
        return torch.cat([-score, score], dim=1)


@pytest.fixture(scope="module")
def few() -> Callable[[Scale, int, Imaging], list[Drawn]]:
    """Drawing of some tiles of each strip, once for each of two imagings."""
    drawn = {imaging: draw(SCALE, 0, imaging)[::4] for imaging in (USUAL, OTHER)}
    return lambda _scale, _number, imaging: drawn[OTHER if imaging == OTHER else USUAL]


@pytest.fixture(scope="module")
def reference(few: Callable[[Scale, int, Imaging], list[Drawn]]) -> BlockProbabilities:
    mapper, drawn = Mapper(Bright(), SETTINGS), few(SCALE, 0, USUAL)
    answers = mapper.counted(drawn, mapper.predicted(drawn))
    return BlockProbabilities.of(part for answer in answers for part in answer.parts)


def test_every_shift_is_measured_and_kept(
    few: Callable[[Scale, int, Imaging], list[Drawn]],
    reference: BlockProbabilities,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("components.experiments.drift.answers.draw", few)
    kept = KeptAnswers(tmp_path, Mapper(Bright(), SETTINGS), SCALE)
    kept.check()
    kept.draw(2, 1)
    rows = measured(kept, reference, 3)
    assert [(row["shift"], row["size"]) for row in rows] == [*CASES, NONE]
    by_case = {(row["shift"], row["size"]): row for row in rows}
    none = by_case[NONE]
    assert none["expected"] == pytest.approx(none["true"], abs=0.01), "it was calibrated on these tiles"
    moved = by_case["geolocation", 8.0]
    assert moved["true"] < none["true"]
    assert moved["expected"] == none["expected"], "outlines do not show in what the model says"
    assert by_case["gain", 2.0]["expected"] != none["expected"]
    assert by_case["other sensor", 1.0]["true"] != by_case["other sensor", 0.17]["true"]

    monkeypatch.setattr("components.experiments.drift.answers.draw", None)
    kept.draw(2, 1)
    with pytest.raises(ParameterError, match="results of another model, size"):
        KeptAnswers(tmp_path, kept.mapper, Scale(tiles=13)).check()

    document = {"model": "bright", "calibration_blocks": 9, "scale": {"tiles": 12, "tile_px": 80}}
    document |= {"acquisitions": rows, **summary(rows)}
    assert "| geolocation | 8 m | 1 |" in markdown(document)
    picture(document, tmp_path / "score.png")
    assert (tmp_path / "score.png").stat().st_size > 1000


def test_errors_of_estimates() -> None:
    rows: list[dict[str, Any]] = [
        {"true": 0.5, "expected": 0.6, "thresholded": 0.5, "calibration": 0.4, "low": 0.4, "high": 0.7},
        {"true": 0.3, "expected": 0.2, "thresholded": 0.5, "calibration": 0.4, "low": None, "high": None},
        {"true": 0.1, "expected": 0.1, "thresholded": 0.5, "calibration": 0.4, "low": 0.2, "high": 0.3},
    ]
    found = errors(rows)
    assert found["bias"] == pytest.approx(0.0)
    assert found["mae"] == pytest.approx({"expected": 0.2 / 3, "thresholded": 0.2, "calibration": 0.5 / 3})
    assert (found["covered"], found["intervals"]) == (1, 2)
    assert found["correlation"] == pytest.approx(0.945, abs=0.001)
    assert errors([]) == {"acquisitions": 0}


def test_numbers_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ParameterError, match="do not go together"):
        main(["--nulls", "2", "--repeats", "3"])
