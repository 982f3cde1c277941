"""Results of the comparison of pre-training, their table, and its answer."""

from __future__ import annotations

from typing import Any

import pytest

from components.contract.errors import ParameterError
from components.experiments.comparison import rows_by_name
from components.experiments.pretrain.results import answer, results_of
from components.experiments.pretrain.rows import CLEAN, ROWS, Budget
from components.experiments.pretrain.table import markdown
from tests.experiments.pretrain.stamps import stamp


def trials(**means: int) -> dict[str, list[Any]]:
    """Three seeds of each row, of so many hits in 100 and one more or less."""
    return {
        name: [stamp(17 + k, mean + k, 100 - mean - k, first=name != CLEAN) for k in (-1, 0, 1)]
        for name, mean in means.items()
    }


def document(**means: int) -> dict[str, Any]:
    found = results_of(ROWS, trials(**means), 0.95)
    return {"kind": "deeplabv3plus", "label_share": 0.25, **found}


def test_rows_are_ordered_by_their_errors() -> None:
    assert [row.name for row in ROWS] == ["clean", "perfect", "light", "vegas", "poor"]
    assert [row.noise for row in ROWS] == [None, "none", "light", "vegas", "poor"]
    with pytest.raises(ParameterError, match=r"no row 'vega'; the nearest .*'vegas'"):
        rows_by_name(["vega"], ROWS)


def test_total_steps_are_equal() -> None:
    budget = Budget.of(pretrain_steps=600, epochs=3, epoch_steps=25)
    assert (budget.optical, budget.clean_epochs, budget.clean) == (75, 27, 675)
    assert {budget.total(row) for row in ROWS} == {675}
    odd = Budget.of(pretrain_steps=610, epochs=3, epoch_steps=25)
    assert abs(odd.clean - odd.pretrain - odd.optical) <= 12.5


@pytest.mark.parametrize(
    ("means", "words"),
    [
        (
            {"clean": 50, "perfect": 70, "light": 65, "vegas": 60, "poor": 51},
            "pays up to errors as in Las Vegas (+0.100). Beyond, no gain counts: poor masks (+0.010).",
        ),
        (
            {"clean": 50, "perfect": 70, "poor": 60},
            "pays with all masks that were tried: perfect masks (+0.199)",
        ),
        (
            {"clean": 50, "perfect": 51, "poor": 40},
            "does not pay, no gain counts: perfect masks (+0.010), poor masks (-0.100)",
        ),
        ({"clean": 50, "perfect": 51, "poor": 60}, "not with perfect masks (+0.010): no order of the errors"),
        ({"perfect": 51}, "Nothing is compared"),
    ],
)
def test_the_answer_follows_from_the_numbers(means: dict[str, int], words: str) -> None:
    assert words in document(**means)["answer"]


def test_what_costs_is_told() -> None:
    assert "It costs with poor masks (-0.100)." in document(clean=50, perfect=70, poor=40)["answer"]
    assert answer([], []).startswith("Nothing")


def test_the_clean_tiles_count(monkeypatch: pytest.MonkeyPatch) -> None:
    row = document(clean=50)["rows"][0]
    assert row["scores"]["iou"]["interval"]["locations"] == 15
    assert (row["steps"], row["seconds"], row["pretrained_iou"]) == ([80], 5.0, [])


def test_the_table_says_simulated_equal_steps_and_what_counts() -> None:
    text = markdown(document(clean=50, perfect=70, poor=51))
    assert text.startswith("Simulated world and simulated OpenStreetMap")
    assert "All rows have equal total steps (80 to 80)." in text
    lines = text.splitlines()
    assert any(line.startswith("| clean labels alone") and "| 80 (5 s) |" in line for line in lines)
    assert any(
        line.startswith("| pre-trained, poor masks") and "| 40 + 40 (10 s) |" in line for line in lines
    )
    differences = lines[lines.index("### Differences from clean labels alone") :]
    counted = {line.split("|")[1].strip(): line for line in differences if "IoU of pixels" in line}
    assert counted["pre-trained, perfect masks"].endswith("| yes |")
    assert counted["pre-trained, poor masks"].endswith("| no |")
    assert lines[-1].startswith("Pre-training pays up to perfect masks")


def test_unequal_steps_are_told() -> None:
    found = {**trials(clean=50), "poor": [stamp(17, 60, 40, steps=60)]}
    text = markdown({"kind": "k", "label_share": 1.0, **results_of(ROWS, found, 0.95)})
    assert "**Total steps are not equal** (80 to 120)" in text
