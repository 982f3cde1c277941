"""Results of the comparison of pre-training, their table, and its answer."""

from __future__ import annotations

from typing import Any

import pytest

from components.contract.errors import ParameterError
from components.experiments.comparison import rows_by_name
from components.experiments.pretrain.results import answer, results_of
from components.experiments.pretrain.rows import CLEAN, STARTS, Budget, baseline_of, rows_of
from components.experiments.pretrain.table import markdown
from tests.experiments.pretrain.stamps import stamp

KIND = "deeplabv3plus"
ROWS = rows_of([KIND])


def trials(**means: int) -> dict[str, list[Any]]:
    """Three seeds of each row, of so many hits in 100 and one more or less."""
    return {
        f"{KIND}-{name}": [
            stamp(17 + k, mean + k, 100 - mean - k, first=name != CLEAN.name) for k in (-1, 0, 1)
        ]
        for name, mean in means.items()
    }


def document(**means: int) -> dict[str, Any]:
    return {"label_share": 0.25, **results_of(ROWS, trials(**means), 0.95, "buildings")}


def test_rows_are_ordered_by_their_errors() -> None:
    assert [start.name for start in STARTS] == ["clean", "perfect", "light", "vegas", "poor"]
    assert [row.noise for row in ROWS] == [None, "none", "light", "vegas", "poor"]
    with pytest.raises(ParameterError, match=r"no row 'vega'; the nearest .*'vegas'"):
        rows_by_name(["vega"], STARTS)


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
    assert words in document(**means)["answers"].get(KIND, "Nothing is compared")


def test_what_costs_is_told() -> None:
    assert "It costs with poor masks (-0.100)." in document(clean=50, perfect=70, poor=40)["answers"][KIND]
    assert answer([], []).startswith("Nothing")


def test_the_clean_tiles_count(monkeypatch: pytest.MonkeyPatch) -> None:
    row = document(clean=50)["rows"][0]
    assert row["scores"]["iou"]["interval"]["locations"] == 15
    assert (row["steps"], row["seconds"], row["pretrained_iou"]) == ([80], 5.0, [])


def test_the_table_says_simulated_equal_steps_and_what_counts() -> None:
    text = markdown(document(clean=50, perfect=70, poor=51))
    assert text.startswith("Simulated world, and OpenStreetMap")
    assert "All rows have equal total steps (80 to 80)." in text
    lines = text.splitlines()
    assert any(line.startswith(f"| {KIND}, clean labels alone") and "| 80 (5 s) |" in line for line in lines)
    assert any(
        line.startswith(f"| {KIND}, pre-trained, poor masks") and "| 40 + 40 (10 s) |" in line
        for line in lines
    )
    differences = lines[lines.index("### Differences") :]
    counted = {line.split("|")[1].strip(): line for line in differences if "IoU of pixels" in line}
    assert counted[f"{KIND}, pre-trained, perfect masks"].endswith("| yes |")
    assert counted[f"{KIND}, pre-trained, poor masks"].endswith("| no |")
    assert lines[-1].startswith(f"- {KIND}: Pre-training pays up to perfect masks")


def test_unequal_steps_are_told() -> None:
    found = {**trials(clean=50), f"{KIND}-poor": [stamp(17, 60, 40, steps=60)]}
    text = markdown({"label_share": 1.0, **results_of(ROWS, found, 0.95, "buildings")})
    assert "**Total steps are not equal** (80 to 120)" in text


def test_kinds_are_compared_with_the_first_and_each_start_with_its_own_kind() -> None:
    rows = rows_of(["linknet", "pp_linknet"], STARTS[:2])
    names = {row.name: found and found.name for row in rows for found in [baseline_of(row, rows)]}
    assert names == {
        "linknet-clean": None,
        "linknet-perfect": "linknet-clean",
        "pp_linknet-clean": "linknet-clean",
        "pp_linknet-perfect": "pp_linknet-clean",
    }
    assert baseline_of(rows[3], rows[3:]) is None


def test_roads_have_scores_of_their_own() -> None:
    rows = rows_of(["linknet", "pp_linknet"], STARTS[:1])
    found = {row.name: [stamp(17 + k, 40 + 10 * n + k, 60 - 10 * n - k, first=False) for k in range(3)]
             for n, row in enumerate(rows)}  # fmt: skip
    document = {"label_share": 1.0, **results_of(rows, found, 0.95, "roads")}
    assert list(document["rows"][0]["scores"]) == ["iou", "relaxed_f1", "apls"]
    # Sums of a tile: 41 of 100 true pixels found, all proposed ones right; APLS 0.41.
    assert document["rows"][0]["scores"]["apls"]["by_seed"] == [0.4, 0.41, 0.42]
    assert document["rows"][0]["scores"]["relaxed_f1"]["by_seed"][0] == round(0.8 / 1.4, 4)
    text = markdown(document)
    assert "| linknet, clean labels alone | APLS (java) | +0.100 |" in text
    assert "masks" not in text.splitlines()[0].partition("no number")[2]
    assert "stop paying" not in text
