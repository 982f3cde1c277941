"""Tags as people write them."""

from __future__ import annotations

import pytest

from components.lib.osm.tags import Verdict, lane_count, metres
from tests.lib.osm.extracts import BUILDINGS, ROADS


def road(**tags: str) -> Verdict:
    return ROADS.judge([tags.get(key) for key in ROADS.keys])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3.0), ("3 m", 3.0), ("3,5", 3.5), ("~4", 4.0), ("3.5 meters", 3.5),
        ("10'", 3.048), ("10 ft", 3.048),
        ("9'6\"", 2.8956), ("9\N{PRIME}6\N{DOUBLE PRIME}", 2.8956),
        ("wide", None), ("-1", None), ("1e9", None), ("1000000000", None),
        ("0", None), ("3-4", None), ("", None),
        ("3" * 400, None), ("\N{ARABIC-INDIC DIGIT THREE}", None), (None, None),
    ],
)  # fmt: skip
def test_widths_are_read_leniently_or_not_at_all(text: str | None, expected: float | None) -> None:
    found = metres(text)
    assert found == (None if expected is None else pytest.approx(expected))


def test_lanes_are_read_leniently_or_not_at_all() -> None:
    assert [lane_count(text) for text in ("2", "2;3", "1.5", "two", "-1", "0", "99")] == [
        2.0, 2.0, 1.5, None, None, None, None,
    ]  # fmt: skip


def test_width_goes_before_lanes_before_the_table_and_is_clipped() -> None:
    assert road(highway="residential").width_m == 4.0
    assert road(highway="residential", lanes="2").width_m == 8.0
    assert road(highway="residential", lanes="2", width="5 m").width_m == 5.0
    assert road(highway="residential", width="0.5").width_m == 2.0
    assert road(highway="residential", lanes="12").width_m == 30.0
    assert road(highway="primary_link").width_m == 6.0


def test_nonsense_falls_back_to_the_table_and_is_counted() -> None:
    assert road(highway="residential", width="wide") == Verdict(width_m=4.0, odd_width=True)
    assert road(highway="residential", lanes="None") == Verdict(width_m=4.0)


def test_what_is_left_out_has_a_reason() -> None:
    assert road(highway="footway").reason == "dropped class footway"
    assert road(highway="raceway").reason == "unknown class"
    assert road(highway="primary", tunnel="yes").reason == "tunnel"
    assert road(highway="primary", tunnel="no", bridge="yes").reason == ""
    assert road(highway="None").reason == "no highway"
    assert not road(highway="road").certain


def test_buildings_are_dropped_by_value_and_place() -> None:
    assert BUILDINGS.judge(["yes", None]) == Verdict(area=True)
    assert BUILDINGS.judge(["no", None]).reason == "dropped value no"
    assert BUILDINGS.judge(["yes", "underground"]).reason == "underground"
