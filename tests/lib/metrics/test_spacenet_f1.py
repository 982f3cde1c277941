from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.metrics.counts import Counts
from components.lib.metrics.spacenet_f1 import Matches, match_polygons, score_csv, solaris_numbers

VEGAS = Path(__file__).parents[4] / "shared" / "data" / "spacenet_f1"

BOWTIE = Polygon([(0, 0), (20, 20), (20, 0), (0, 30)])
"""Self-intersecting, with an area of 100 by the shoelace formula."""


def match(
    truth: list[Polygon],
    proposals: list[Polygon],
    confidence: list[float] | None = None,
    *,
    truth_tiles: list[str] | None = None,
    proposal_tiles: list[str] | None = None,
    min_area: float = 80.0,
    iou: float = 0.5,
) -> Matches:
    return match_polygons(
        truth,
        proposals,
        truth_tiles=truth_tiles or ["a"] * len(truth),
        proposal_tiles=proposal_tiles or ["a"] * len(proposals),
        confidence=confidence,
        min_area=min_area,
        iou=iou,
    )


def test_iou_of_exactly_one_half_is_no_match() -> None:
    assert match([box(0, 0, 10, 10)], [box(0, 0, 10, 20)]).counts == Counts(0, 1, 1)
    assert match([box(0, 0, 10, 10)], [box(0, 0, 10, 19.9)]).counts == Counts(1, 0, 0)


def test_iou_of_one_half_that_rounds_upwards_follows_the_union() -> None:
    # 0.1-pixel coordinates have no exact binary form: the two ways of writing the union may differ.
    truth, proposal = box(0.1, 0.1, 10.1, 10.1), box(0.1, 0.1, 10.1, 20.1)
    by_union = truth.intersection(proposal).area / truth.union(proposal).area
    found = match([truth], [proposal]).counts
    assert found == (Counts(1, 0, 0) if by_union > 0.5 else Counts(0, 1, 1))


def test_area_of_exactly_the_minimum_keeps_truth_and_drops_the_prediction() -> None:
    eighty = box(0, 0, 8, 10)
    assert match([eighty], [eighty]).counts == Counts(0, 0, 1)
    assert match([eighty], [box(0, 0, 8, 10.1)]).counts == Counts(1, 0, 0)
    assert match([box(0, 0, 8, 9.9)], [eighty]).counts == Counts(0, 0, 0)


def test_a_right_prediction_on_too_small_truth_is_a_false_positive() -> None:
    assert match([box(0, 0, 8, 9.9)], [box(0, 0, 8, 10.1)]).counts == Counts(0, 1, 0)


def test_one_prediction_over_two_buildings_finds_the_larger_share_only() -> None:
    truth = [box(0, 0, 10, 10), box(10, 0, 30, 10)]
    matches = match(truth, [box(0, 0, 30, 10)])
    assert matches.counts == Counts(1, 0, 1)
    assert matches.truth_matched.tolist() == [False, True]
    assert matches.partner.tolist() == [1]
    assert matches.truth_iou == pytest.approx([0.0, 2 / 3])


def test_two_predictions_on_one_building_count_once_and_confidence_decides() -> None:
    truth = [box(0, 0, 20, 20)]
    proposals = [box(0, 0, 20, 20), box(0, 0, 20, 16)]
    assert match(truth, proposals, [0.4, 0.9]).proposal_matched.tolist() == [False, True]
    assert match(truth, proposals, [0.9, 0.4]).proposal_matched.tolist() == [True, False]


def test_equal_confidences_keep_the_given_order() -> None:
    truth = [box(0, 0, 20, 20)]
    proposals = [box(0, 0, 20, 16 + k / 1000) for k in range(40)]
    assert match(truth, proposals, [0.5] * 40).proposal_matched.tolist() == [True] + [False] * 39


def test_a_taken_building_leaves_the_next_best_to_the_second_prediction() -> None:
    truth = [box(0, 0, 20, 20), box(2, 0, 22, 20)]  # overlapping truth polygons
    proposals = [box(0, 0, 20, 20), box(0, 0, 20, 20)]
    matches = match(truth, proposals, [0.9, 0.8])
    assert matches.partner.tolist() == [0, 1]
    assert matches.counts == Counts(2, 0, 0)


def test_tiles_never_mix_and_the_union_of_tiles_counts() -> None:
    square = box(0, 0, 20, 20)
    matches = match([square, square], [square, square], truth_tiles=["a", "b"], proposal_tiles=["b", "c"])
    assert matches.counts == Counts(1, 1, 1)
    assert matches.truth_matched.tolist() == [False, True]


def test_a_tile_without_truth_yields_false_positives() -> None:
    square = box(0, 0, 20, 20)
    assert match([], [square], proposal_tiles=["a"]).counts == Counts(0, 1, 0)
    assert match([square], [], truth_tiles=["a"]).counts == Counts(0, 0, 1)
    nothing = match([], []).counts
    assert (nothing, nothing.precision, nothing.recall, nothing.f1) == (Counts(0, 0, 0), 0.0, 0.0, 0.0)


def test_an_invalid_prediction_is_repaired_and_an_invalid_truth_scores_nothing() -> None:
    assert not BOWTIE.is_valid
    repaired = shapely.buffer(BOWTIE, 0)
    assert match([repaired], [BOWTIE]).counts == Counts(1, 0, 0)
    assert match([BOWTIE], [repaired]).counts == Counts(0, 1, 1)


def test_empty_polygons_are_no_buildings() -> None:
    assert match([Polygon(), box(0, 0, 9, 9)], [Polygon(), box(0, 0, 9, 9)], min_area=0).counts == Counts(
        1, 0, 0
    )


@pytest.mark.parametrize(("min_area", "iou"), [(-1.0, 0.5), (80.0, 0.0), (80.0, 1.0), (80.0, 50.0)])
def test_settings_out_of_range_are_refused(min_area: float, iou: float) -> None:
    with pytest.raises(ParameterError, match="min_area"):
        match([], [], min_area=min_area, iou=iou)


def greedy_reference(
    truth: list[tuple[str, Polygon]], proposals: list[tuple[str, Polygon, float]], min_area: float, iou: float
) -> Counts:
    """The rule as prose says it, one pair at a time."""
    free = [item for item in truth if item[1].area >= min_area]
    tp = fp = 0
    for tile, polygon, _ in sorted(proposals, key=lambda item: -item[2]):
        if polygon.area <= min_area:
            continue
        best, chosen = 0.0, None
        for item in free:
            if item[0] != tile or not item[1].intersects(polygon):
                continue
            value = item[1].intersection(polygon).area / item[1].union(polygon).area
            if value > best:
                best, chosen = value, item
        if chosen is not None and best > iou:
            free = [item for item in free if item is not chosen]
            tp += 1
        else:
            fp += 1
    return Counts(tp, fp, len(free))


squares = st.builds(
    lambda x, y, w, h: box(x, y, x + w, y + h),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(1, 10),
    st.integers(1, 10),
)


@settings(max_examples=150, deadline=None)
@given(
    truth=st.lists(st.tuples(st.sampled_from("ab"), squares), max_size=12),
    proposals=st.lists(
        st.tuples(st.sampled_from("abc"), squares, st.sampled_from([0.2, 0.5, 0.9])), max_size=12
    ),
    iou=st.sampled_from([0.25, 0.5]),
)
def test_counts_equal_the_brute_force_greedy(
    truth: list[tuple[str, Polygon]], proposals: list[tuple[str, Polygon, float]], iou: float
) -> None:
    matches = match(
        [polygon for _, polygon in truth],
        [polygon for _, polygon, _ in proposals],
        [confidence for _, _, confidence in proposals],
        truth_tiles=[tile for tile, _ in truth],
        proposal_tiles=[tile for tile, _, _ in proposals],
        min_area=20,
        iou=iou,
    )
    assert matches.counts == greedy_reference(truth, proposals, 20, iou)
    assert matches.truth_matched.sum() == matches.proposal_matched.sum()
    np.testing.assert_array_equal(
        np.sort(matches.truth_iou[matches.truth_matched]),
        np.sort(matches.proposal_iou[matches.proposal_matched]),
    )


SQUARE = "POLYGON ((0 0 0, 20 0 0, 20 20 0, 0 20 0, 0 0 0))"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_csv_with_heights_empty_tiles_and_extra_columns(tmp_path: Path) -> None:
    truth = write(
        tmp_path / "truth.csv",
        "ImageId,BuildingId,PolygonWKT_Pix,PolygonWKT_Geo",
        f'a,1,"{SQUARE}","POLYGON EMPTY"',
        "b,-1,POLYGON EMPTY,POLYGON EMPTY",
    )
    proposals = write(
        tmp_path / "proposals.csv",
        "extra,ImageId,BuildingId,PolygonWKT_Pix",
        f'x,a,0,"{SQUARE.replace("POLYGON", "POLYGON Z")}"',
        f'x,b,0,"{SQUARE}"',
    )
    assert score_csv(truth, proposals, 80, 0.5) == Counts(1, 1, 0)


def test_csv_confidence_decides_the_order(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", "ImageId,BuildingId,PolygonWKT_Pix", f'1,1,"{SQUARE}"')
    wide = SQUARE.replace("20 20 0", "20 39 0").replace("0 20 0", "0 39 0")
    proposals = write(
        tmp_path / "p.csv",
        "ImageId,BuildingId,PolygonWKT_Pix,Confidence",
        f'1,1,"{SQUARE}",0.1',
        f'1,2,"{wide}",1e0',
    )
    score = score_csv(truth, proposals, 80, 0.5)
    assert score == Counts(1, 1, 0)
    assert solaris_numbers(score) == {"TP": 1, "FP": 1, "FN": 0, "precision": 0.5, "recall": 1.0, "F1": 2 / 3}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((f'a,1,"{SQUARE}",0.5', "a,2,POLYGON ((0 0 nonsense,0.5"), "line 3.*WKT"),
        ((f'a,1,"{SQUARE}",0.5', "a,2,,0.5"), "line 3.*WKT"),
        ((f'a,1,"{SQUARE}",high',), "line 2.*'high'"),
        ((f'a,1,"{SQUARE}",nan',), "line 2.*'nan'"),
        (('a,1,"POLYGON ((0 0, 1e308 0, 1e308 1e308, 0 1e308, 0 0))",1',), "line 2.*not finite"),
        ((f'a,1,"{SQUARE}",0.5,9,9,9', 'a,"unclosed'), "not a readable CSV"),
    ],
)
def test_malformed_rows_name_file_and_line(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    truth = write(tmp_path / "t.csv", "ImageId,BuildingId,PolygonWKT_Pix")
    proposals = write(tmp_path / "bad.csv", "ImageId,BuildingId,PolygonWKT_Pix,Confidence", *lines)
    with pytest.raises(BadDataError, match=f"(?s)bad.csv.*{says}"):
        score_csv(truth, proposals, 80, 0.5)


def test_missing_columns_empty_and_absent_files(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", "ImageId,BuildingId,PolygonWKT_Pix")
    with pytest.raises(BadDataError, match="has no column PolygonWKT_Pix"):
        score_csv(truth, write(tmp_path / "w.csv", "ImageId,Confidence", "a,1"), 80, 0.5)
    (tmp_path / "zero.csv").write_bytes(b"")
    with pytest.raises(BadDataError, match=r"zero\.csv is not a readable CSV"):
        score_csv(truth, tmp_path / "zero.csv", 80, 0.5)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadDataError, match=r"binary\.csv"):
        score_csv(truth, tmp_path / "binary.csv", 80, 0.5)
    with pytest.raises(MissingInputError, match=r"none\.csv is missing"):
        score_csv(truth, tmp_path / "none.csv", 80, 0.5)


@pytest.mark.real_data
def test_the_published_vegas_case() -> None:
    if not VEGAS.is_dir():
        pytest.skip(f"{VEGAS} is absent")
    expected = json.loads((VEGAS / "expected.json").read_text())
    score = score_csv(
        VEGAS / "vegas_truth.csv", VEGAS / "vegas_preds.csv", expected["min_area_px"], expected["iou"]
    )
    assert score == Counts(expected["TP"], expected["FP"], expected["FN"])
    assert solaris_numbers(score)["F1"] == pytest.approx(expected["F1"], abs=5e-7)
