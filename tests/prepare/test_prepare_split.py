from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.grid import GRID_M
from components.prepare.parameters import PrepareParameters, SplitParameters
from components.prepare.split import assign, groups, leak, measure_leaks, overlap_shares

RELEASE = SplitParameters(west_m=591_550.0, east_m=596_250.0, groups=5, selection_group=3)


def tiles_at(corners: list[tuple[float, float]], side_px: int = 900) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x_left_m": [float(x) for x, _ in corners],
            "y_top_m": [float(y) for _, y in corners],
            "gsd_m": GRID_M,
            "height": side_px,
            "width": side_px,
        }
    )


@pytest.fixture(scope="module")
def release(real_data: Path) -> pd.DataFrame:
    """All 3,401 real tiles with the published facts and our split."""
    tiles = pd.read_csv(real_data / "spacenet6" / "catalogue" / "tiles.csv")
    tiles = tiles.assign(gsd_m=GRID_M, height=900, width=900)
    return tiles.join(assign(tiles, RELEASE))


@pytest.mark.real_data
def test_real_positions_give_the_published_split(release: pd.DataFrame) -> None:
    published = release["split_kang"] != "train"

    assert (~release["kang"]).sum() == 2696
    assert release["kang"].sum() == 705
    assert (release["kang"] == published).all()
    assert (release["split"] == "test").sum() == 705
    assert (groups(release["x_left_m"].to_numpy(), RELEASE) == release["baseline_group"]).all()


@pytest.mark.real_data
def test_real_clean_part_is_the_365_tiles_east_of_all_train_ground(release: pd.DataFrame) -> None:
    assert release["clean"].sum() == 365
    assert (release["clean"] == (release["clean_valid"] == 1)).all()


@pytest.mark.real_data
def test_real_leaks_are_those_measured_in_the_reference(release: pd.DataFrame) -> None:
    # docs/methods/spacenet6.md.
    leaks = measure_leaks(release, SPACENET6.split)

    assert leaks["sn6-kang"] == pytest.approx(
        {
            "tiles": 705,
            "over_0": 0.468,
            "over_10": 0.418,
            "over_25": 0.342,
            "over_50": 0.189,
            "ground": 0.231,
        },
        abs=5e-4,
    )
    for name in ("sn6-clean", "selection"):
        assert {key: value for key, value in leaks[name].items() if value} == {"tiles": leaks[name]["tiles"]}


@pytest.mark.real_data
def test_real_selection_and_buffer_come_out_of_the_train_tiles(release: pd.DataFrame) -> None:
    counts = release["split"].value_counts()

    assert counts["train"] + counts["buffer"] + counts["selection"] == 2696
    assert counts.to_dict() == {"train": 1805, "test": 705, "selection": 645, "buffer": 246}


layouts = st.lists(st.tuples(st.integers(0, 470), st.integers(0, 60)), min_size=2, max_size=60).map(
    lambda corners: tiles_at([(591_550 + 10 * x, 5_750_000 + 10 * y) for x, y in corners], side_px=200)
)


def covered(tiles: pd.DataFrame, others: pd.DataFrame) -> bool:
    """Return True if any tile shares ground with any other, tile by tile."""
    side = 200 * GRID_M
    first, second = (t[["x_left_m", "y_top_m"]].to_numpy(np.float64).tolist() for t in (tiles, others))
    return any(
        abs(ax - bx) < side and abs(ay - by) < side for (ax, ay), (bx, by) in itertools.product(first, second)
    )


@settings(max_examples=80, deadline=None)
@given(layouts, st.integers(3, 7), st.data())
def test_no_train_tile_shares_ground_with_selection_or_clean(
    tiles: pd.DataFrame, count: int, data: st.DataObject
) -> None:
    selection_group = data.draw(st.integers(0, count - 2))
    parameters = RELEASE.model_copy(update={"groups": count, "selection_group": selection_group})
    index = tiles.join(assign(tiles, parameters))
    split = index["split"]
    train, selection = index[split == "train"], index[split == "selection"]

    assert not covered(train, selection)
    assert not covered(index[index["clean"]], index[split != "test"])
    assert (index["kang"] == (split == "test")).all()
    assert (split[index["clean"]] == "test").all()
    # Only tiles that do touch the selection slice are given up.
    for row in np.flatnonzero(split == "buffer").tolist():
        assert covered(index.iloc[[row]], selection)
    measured = measure_leaks(index, SPACENET6.split)
    assert measured["sn6-clean"]["over_0"] == measured["selection"]["over_0"] == 0.0


def test_groups_split_the_range_evenly_and_hold_what_lies_beyond() -> None:
    x_left = np.array([590_000.0, 591_550.0, 592_489.9, 592_490.0, 595_309.9, 595_310.0, 600_000.0])

    assert groups(x_left, RELEASE).tolist() == [0, 0, 0, 1, 3, 4, 4]


def test_touching_tiles_share_no_ground() -> None:
    side = 900 * GRID_M
    tiles = tiles_at([(0, 0), (side, 0), (0, side), (side / 2, 0)])

    assert overlap_shares(tiles.iloc[[0]], tiles.iloc[[1, 2]]).tolist() == [0.0]
    assert overlap_shares(tiles.iloc[[0]], tiles.iloc[[1, 3]]) == pytest.approx([0.5])


def test_leak_counts_the_worst_single_tile_and_the_ground_of_all() -> None:
    side = 900 * GRID_M
    tests = tiles_at([(0, 0), (5 * side, 0)])
    train = tiles_at([(-0.7 * side, 0), (0.6 * side, 0), (0.6 * side, 0)])

    assert leak(tests, train) == pytest.approx(
        {"tiles": 2, "over_0": 0.5, "over_10": 0.5, "over_25": 0.5, "over_50": 0.0, "ground": 0.35}
    )


def test_no_tiles_leak_nothing() -> None:
    empty, some = tiles_at([]), tiles_at([(0, 0)])

    assert leak(empty, some)["over_0"] == 0.0
    assert leak(some, empty) == {
        "tiles": 1, "over_0": 0.0, "over_10": 0.0, "over_25": 0.0, "over_50": 0.0, "ground": 0.0
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"split": {"selection_group": 4}},
        {"split": {"west_m": 600_000.0}},
        {"contact_px": 8},
        {"min_area_m2": -1.0},
    ],
)
def test_parameters_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    valid: dict[str, object] = {
        "min_area_m2": 20.0,
        "edge_px": 3,
        "contact_px": 9,
        "split": RELEASE.model_dump(),
    }
    PrepareParameters.model_validate(valid)
    for key, value in change.items():
        inner = valid[key]
        valid[key] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, dict) else value

    with pytest.raises(ValidationError):
        PrepareParameters.model_validate(valid)
