from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from shapely.affinity import rotate, translate

from components.contract.errors import BadDataError, ParameterError
from components.lib.change.footprints.changes import COLUMNS, BuildingChanges, FootprintMap, compare_maps
from components.lib.change.footprints.ground import Observation
from components.lib.change.footprints.rules import FootprintRules
from components.lib.geo.crs import move

CRS = "EPSG:32631"
EAST, NORTH = 593_000.0, 5_747_000.0


class Everything:
    """Ground that was observed where ``seen`` says, with one probability of a building all over."""

    def __init__(self, seen: shapely.Polygon, probability: float = 0.0) -> None:
        self.extent, self.probability = seen, probability

    def observe(self, areas: npt.NDArray[np.object_]) -> Observation:
        share = shapely.area(shapely.intersection(areas, self.extent)) / shapely.area(areas)
        return Observation(share, np.full(len(areas), self.probability))


def house(
    x: float, y: float, width: float = 10.0, depth: float = 8.0, *, turned: float = 0.0
) -> shapely.Polygon:
    """Building whose south-west corner lies x, y metres from the origin."""
    return rotate(shapely.box(EAST + x, NORTH + y, EAST + x + width, NORTH + y + depth), turned)


def footprints(*polygons: shapely.Polygon, name: str = "before", **changes: Any) -> FootprintMap:
    values: dict[str, Any] = {
        "id": name,
        "polygons": np.array(polygons, dtype=object),
        "confidence": np.full(len(polygons), 0.8),
        "names": np.array([f"{name}-{k}" for k in range(len(polygons))], dtype=object),
        "crs": CRS,
    }
    return FootprintMap(**(values | changes))


def compared(
    before: list[shapely.Polygon], after: list[shapely.Polygon], rules: FootprintRules | None = None
) -> BuildingChanges:
    return compare_maps(footprints(*before), footprints(*after, name="after"), rules)


def kinds(found: BuildingChanges) -> list[tuple[str, str]]:
    return list(found.table[["kind", "building"]].itertuples(index=False, name=None))


def town(turned: bool = True) -> list[shapely.Polygon]:
    """Thirty-six houses of 4 x 6 to 14 x 16 metres, every other one at an odd angle."""
    return [
        house(30 * (k % 6), 30 * (k // 6), 4 + k % 11, 6 + k % 11, turned=17.0 * k if turned else 0.0)
        for k in range(36)
    ]


def test_equal_maps_have_no_change() -> None:
    found = compared(town(), town())
    assert kinds(found) == []
    assert list(found.table.columns) == [*COLUMNS, "geometry"]
    assert found.counts() == {"added": 0, "removed": 0, "enlarged": 0}


def test_added_and_removed_buildings() -> None:
    before, after = town(), town()
    del before[7], after[20]
    found = compared(before, after)
    assert kinds(found) == [("added", "after-7"), ("removed", "before-19")]
    assert found.table["area_m2"].tolist() == pytest.approx([after[7].area, before[19].area])
    assert found.table.geometry[0].equals(after[7])


@pytest.mark.parametrize(("x", "y"), [(1, 1), (-1, 1), (1, -1), (0, 1), (-1, 0), (0.6, -0.8)])
@pytest.mark.parametrize("turned", [True, False])
def test_a_shift_of_up_to_two_pixels_is_no_change(x: float, y: float, turned: bool) -> None:
    shifted = [translate(polygon, x, y) for polygon in town(turned)]
    assert kinds(compared(town(turned), shifted)) == []


def test_buildings_that_are_shifted_each_its_own_way_are_no_change() -> None:
    """Layover moves a building by its height: no shift of the whole map undoes it."""
    rng = np.random.default_rng(0)
    shifted = [translate(polygon, *rng.uniform(-1, 1, 2)) for polygon in town()]
    assert kinds(compared(town(), shifted)) == []


def test_change_is_seen_through_a_shift() -> None:
    after = [translate(polygon, 1, 1) for polygon in town()]
    after.append(house(15, 15, 8, 8))
    assert kinds(compared(town(), after)) == [("added", "after-36")]


def test_a_building_that_is_drawn_as_two_is_no_change() -> None:
    whole, halves = [house(0, 0, 20, 10)], [house(0, 0, 9.8, 10), house(10.2, 0, 9.8, 10)]
    assert kinds(compared(whole, halves)) == []
    assert kinds(compared(halves, whole)) == []


def test_an_enlarged_building_is_one_change_with_the_part_that_is_new() -> None:
    found = compared([house(0, 0, 10, 8)], [house(0, 0, 16, 8)])
    assert kinds(found) == [("enlarged", "after-0")]
    # One metre of the six lies within the tolerance.
    assert found.table["area_m2"][0] == pytest.approx(5 * 8)
    assert found.table.geometry[0].intersection(house(0, 0, 10, 8)).area == 0


def test_an_annexe_drawn_as_a_building_of_its_own_is_added() -> None:
    assert kinds(compared([house(0, 0)], [house(0, 0), house(10, 0)])) == [("added", "after-1")]


def test_a_building_that_grew_beyond_twice_its_size_is_enlarged_and_not_added() -> None:
    assert kinds(compared([house(0, 0, 10, 8)], [house(0, 0, 30, 20)])) == [("enlarged", "after-0")]


def test_two_parts_that_are_new_are_one_change() -> None:
    found = compared([house(0, 0, 20, 8)], [house(-6, 0, 32, 8)])
    assert kinds(found) == [("enlarged", "after-0")]
    assert found.table.geometry[0].geom_type == "MultiPolygon"


def test_a_part_that_is_gone_is_removed_ground() -> None:
    found = compared([house(0, 0, 30, 10)], [house(0, 0, 12, 10)])
    assert kinds(found) == [("removed", "before-0")]
    assert found.table["area_m2"][0] == pytest.approx(17 * 10)


def test_exchanged_maps_exchange_added_and_removed() -> None:
    before, after = town()[:20], town()[10:]
    there, back = compared(before, after), compared(after, before)
    assert there.counts() == {"added": 16, "removed": 10, "enlarged": 0}
    assert back.counts() == {"added": 10, "removed": 16, "enlarged": 0}


def test_a_rim_along_all_walls_is_no_change() -> None:
    """The same house, drawn 1.4 metres larger on all sides: more than half as much ground again."""
    before, after = house(0, 0, 10, 8), house(-1.4, -1.4, 12.8, 10.8)
    assert after.area / before.area > 1.5
    assert kinds(compared([before], [after])) == []


def test_ground_below_the_least_area_is_no_change() -> None:
    assert kinds(compared([], [house(0, 0, 4.4, 4.4)])) == []
    assert kinds(compared([], [house(0, 0, 4.6, 4.6)])) == [("added", "after-0")]


def test_confidence_is_what_both_maps_support() -> None:
    whole = shapely.box(EAST - 100, NORTH - 100, EAST + 300, NORTH + 300)
    before = footprints(house(0, 0), ground=Everything(whole, 0.25))
    after = footprints(house(50, 0), name="after", ground=Everything(whole, 0.1))
    found = compare_maps(before, after).table
    assert found["confidence"].tolist() == pytest.approx([0.8 * 0.75, 0.8 * 0.9])


def test_without_a_raster_ground_without_a_building_has_none() -> None:
    assert compared([house(0, 0)], [house(50, 0)]).table["confidence"].tolist() == [0.8, 0.8]


def test_ground_that_one_map_did_not_observe_has_no_change() -> None:
    west = shapely.box(EAST - 100, NORTH - 100, EAST + 100, NORTH + 300)
    before = footprints(ground=Everything(west))
    after = footprints(house(0, 0), house(200, 0), house(96, 0), name="after", ground=Everything(west))
    found = compare_maps(before, after)
    assert kinds(found) == [("added", "after-0")]
    assert found.unobserved == 2


def test_maps_and_dates_are_named_in_each_row() -> None:
    when = datetime(2030, 6, 5, 10, 30, tzinfo=UTC)
    found = compare_maps(footprints(), footprints(house(0, 0), name="after", date=when)).table
    row = found.iloc[0]
    assert (row["before_map"], row["after_map"]) == ("before", "after")
    assert row["after_date"] == when
    assert found["before_date"].isna().all()


def test_maps_in_two_zones_are_compared_in_the_first_ones() -> None:
    polygons = [
        shapely.transform(p, lambda xy: move(xy, CRS, "EPSG:32632", "test"))
        for p in [*town(), house(15, 15, 8, 8)]
    ]
    found = compare_maps(footprints(*town()), footprints(*polygons, name="after", crs="EPSG:32632"))
    assert kinds(found) == [("added", "after-36")]
    assert found.table.crs.to_epsg() == 32631
    assert found.table.geometry[0].symmetric_difference(house(15, 15, 8, 8)).area < 0.1


def test_degrees_feet_and_distant_maps_are_refused() -> None:
    for crs in ("EPSG:4326", "EPSG:2263"):
        with pytest.raises(BadDataError, match="does not count metres"):
            compare_maps(footprints(), footprints(name="after", crs=crs))
    here = Everything(shapely.box(0, 0, 10, 10))
    there = Everything(shapely.box(50, 50, 60, 60))
    with pytest.raises(BadDataError, match="maps before and after show no common ground"):
        compare_maps(footprints(ground=here), footprints(name="after", ground=there))


def test_no_building_at_all_is_no_change() -> None:
    found = compared([], [])
    assert found.counts() == {"added": 0, "removed": 0, "enlarged": 0}
    assert found.table.crs.to_epsg() == 32631


@pytest.mark.parametrize(
    "values",
    [
        {"tolerance_m": -1.0},
        {"min_area_m2": 0.0},
        {"min_area_m2": float("inf")},
        {"covered_share": 0.0},
        {"enlarged_share": 1.5},
    ],
)
def test_thresholds_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="the tolerance must lie between 0 and 10 m"):
        FootprintRules(**values)
