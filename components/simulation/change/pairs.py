"""Simulated pairs of dates, drawn in parallel, yielded in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from components.lib.change.pair import CHANGED, UNCHANGED, UNKNOWN, ChangedBuilding, Modality, Pair, Pixels
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.rasterise import rasterise_instances
from components.simulation.change.clouds import cover
from components.simulation.change.imaging import Date, optical_image, radar_image
from components.simulation.change.later_city import later_city_of
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import PairPlan, Shift, plan_pairs
from components.simulation.change.revision import Change
from components.simulation.city import city_of
from components.simulation.conditions import AUGUST
from components.simulation.frame import Frame
from components.simulation.labels import MIN_AREA_M2, to_pixels
from components.simulation.workers import drawn_in_order, worth_workers


def simulated_pairs(parameters: SimulatedPairsParameters, workers: int | None = None) -> Iterator[Pair]:
    """Draw pairs of the rehearsal world at two dates: training pairs, then validation, then test.

    Every pair has ``optical`` and ``sar`` of both dates, north up on one grid. The label is the ground that
    changed from building to none or from none to building, wherever shadow, layover or cloud hides it; pixels
    without data in any of the four images are ``UNKNOWN``. Content depends on ``parameters`` only.

    Args:
        parameters: Size and seed, and what happens between the dates.
        workers: Processes to draw with; by default one per usable core, none besides this one if that is one
            or the pairs are few and small.

    Raises:
        ResourceError: If a process was killed, most likely for memory.
    """
    jobs = [(parameters, plan) for plan in plan_pairs(parameters)]
    workers = workers or worth_workers(parameters.pairs * parameters.tile_px**2)
    yield from drawn_in_order(draw_pair, jobs, workers)


def draw_pair(parameters: SimulatedPairsParameters, plan: PairPlan) -> Pair:
    """Draw one pair."""
    later = later_city_of(parameters)
    first_date, second_date = Date(city_of(parameters.seed), lambda _: ()), Date(later, later.patches_in)
    frame = plan.frame
    everything = np.ones((frame.rows, frame.cols), dtype=bool)
    entropy = [parameters.seed, 75, *plan.block]
    before: dict[Modality, Pixels] = {
        "optical": optical_image(first_date, frame, AUGUST),
        "sar": radar_image(first_date, frame, everything, [*entropy, 0], from_south=plan.from_south[0]),
    }
    after: dict[Modality, Pixels] = {
        "optical": optical_image(second_date, _moved(frame, plan.optical_shift), plan.conditions),
        "sar": radar_image(
            second_date,
            _moved(frame, plan.sar_shift),
            plan.seen,
            [*entropy, 1],
            from_south=plan.from_south[1],
        ),
    }
    if parameters.cloud_share > 0:
        rng = np.random.default_rng([*entropy, 2])
        after["optical"] = cover(after["optical"], parameters.cloud_share, plan.conditions, rng)
    buildings = changed_buildings(later.changes_in(frame.bounds), frame)
    label = label_of(buildings, [*before.values(), *after.values()])
    return Pair(
        name=plan.name,
        scene=plan.scene,
        split=plan.split,
        before=before,
        after=after,
        label=label,
        place=PixelTransform.north_up(x_left_m=frame.x_left, y_top_m=frame.y_top, gsd_m=frame.gsd),
        crs=SIMULATED_AIRBORNE.crs,
        buildings=buildings,
    )


def changed_buildings(changes: list[Change], frame: Frame) -> tuple[ChangedBuilding, ...]:
    """Return the buildings that were added, removed or enlarged, cut to the tile, in its pixels."""
    tile = shapely.box(*frame.bounds)
    return tuple(
        ChangedBuilding(change.kind, to_pixels(part, frame))
        for change in changes
        for part in shapely.get_parts(change.outline.intersection(tile)).tolist()
        if isinstance(part, shapely.Polygon) and part.area >= MIN_AREA_M2
    )


def label_of(buildings: tuple[ChangedBuilding, ...], images: list[Pixels]) -> Pixels:
    """Return the label of a pair, (H, W) uint8.

    Args:
        buildings: What changed.
        images: All images of the pair; a pixel that is 0 in all bands of one of them is ``UNKNOWN``.
    """
    rows, cols = images[0].shape[:2]
    changed = rasterise_instances([building.outline for building in buildings], rows, cols) > 0
    label = np.where(changed, np.uint8(CHANGED), np.uint8(UNCHANGED))
    for image in images:
        label[~image.any(axis=-1)] = UNKNOWN
    return label


def _moved(frame: Frame, shift: Shift) -> Frame:
    """Return the ground that an image displaced by ``shift`` metres shows on the pixels of ``frame``."""
    return Frame(frame.x_left - shift[0], frame.y_top - shift[1], frame.gsd, frame.rows, frame.cols)
