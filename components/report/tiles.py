"""Example tiles turned into captioned pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from components.lib.datasets.sensors import get_sensor
from components.lib.evaluation.examples import ExampleGroup, ExampleTile
from components.lib.evaluation.names import model_title
from components.lib.evaluation.results import CONTROL
from components.lib.geo.geoarray import PixelTransform
from components.lib.metrics.counts import count_pixels
from components.lib.report.content import Gallery, Panel, TilePanels
from components.lib.report.panels import (
    BUILDING,
    FALSE_ALARM,
    MISSED,
    Colour,
    Picture,
    backdrop,
    difference_panel,
    graph_panel,
    optical_picture,
    outline_panel,
    probability_panel,
    sar_picture,
    truth_panel,
)
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import trace_roads
from components.lib.tasks.names import OBJECT_TASKS, TaskName

MODEL_TITLES = {"teacher": "Teacher", CONTROL: "Control", "adapted": "Adapted", "unadapted": "Unadapted"}
"""Titles above a model's picture; every other model is a student."""


def gallery(group: ExampleGroup, task: TaskName = "buildings") -> Gallery:
    """Return the gallery of one group of tiles, of a task."""
    return Gallery(
        title=f"Tiles of {group.sensor}",
        rule=(
            f"Test tiles ({group.split}) ranked by the pixel IoU of {model_title(group.ranked_by)}, from the "
            "worst to the best in even steps, every ground block by its middle tile. Tiles "
            f"without {task} or with more than {group.max_nodata:.0%} no-data are left out. North is up."
        ),
        tiles=[
            TilePanels(
                image_id=tile.image_id,
                heading=rank_title(tile.rank),
                facts=_facts(tile, task),
                panels=_panels_of_gallery(tile, task, group.sensor),
            )
            for tile in group.tiles
        ],
    )


def overview(tile: ExampleTile, task: TaskName = "buildings") -> list[Panel]:
    """Return the panels of the overview picture: images, truth, and one difference per model."""
    drawn = panels(tile, task)
    inputs = 3 if tile.optical is not None else 2
    return drawn[: inputs + len(tile.models)]


def panels(tile: ExampleTile, task: TaskName = "buildings") -> list[Panel]:
    """Return images and truth, one difference per model, then the last model's probability and polygons.

    A task without objects has no polygons.
    """
    radar = sar_picture(tile.sar)
    drawn = [Panel(title="SAR", picture=radar, alt="SAR image in false colour: HH, HV, VV")]
    under = radar
    if tile.optical is not None:
        under = optical_picture(tile.optical)
        drawn.insert(0, Panel(title="Optical", picture=under, alt="Optical image"))
    truth = truth_panel(tile.truth, under)
    labels = "True building footprints" if task == "buildings" else f"True {task}"
    drawn.append(Panel(title="Truth", picture=truth, alt=labels))
    valid = np.asarray(tile.sar.any(axis=-1))
    for model, predicted in zip(tile.models, tile.predicted, strict=True):
        iou = count_pixels(predicted, tile.truth, valid).iou
        drawn.append(
            Panel(
                title=_model_title(model),
                picture=difference_panel(tile.truth & valid, predicted, under),
                alt=f"{model_title(model)}: {task} found, false alarms, missed {task}, IoU {iou:.2f}",
                note=f"IoU {iou:.2f}",
            )
        )
    last = tile.models[-1]
    drawn.append(
        Panel(
            title=f"{_model_title(last)}: probability",
            picture=probability_panel(tile.probability[-1]),
            alt=f"{task[:-1].capitalize()} probability, {model_title(last)}, dark is 0 and yellow is 1",
        )
    )
    if task in OBJECT_TASKS:
        drawn.append(_polygon_panel(tile, under))
    return drawn


def _polygon_panel(tile: ExampleTile, under: Picture) -> Panel:
    """Return outlines of the last model's buildings: matched, not matched, and the truth that was missed."""
    matched, wrong, missed = len(tile.matched), len(tile.false_alarms), len(tile.missed)
    layers: list[tuple[Sequence[BaseGeometry], Colour]] = [
        (tile.missed, MISSED),
        (tile.false_alarms, FALSE_ALARM),
        (tile.matched, BUILDING),
    ]
    return Panel(
        title=f"{_model_title(tile.models[-1])}: buildings",
        picture=outline_panel(under, layers),
        alt=f"Outlines: {matched} matched, {wrong} false alarms, {missed} missed buildings",
        note=f"{matched} of {matched + missed} matched",
    )


def _panels_of_gallery(tile: ExampleTile, task: TaskName, sensor: str) -> list[Panel]:
    """Return all panels of a tile; of roads with the graph over the first one, which is the image."""
    drawn = panels(tile, task)
    return [*drawn, _graph_panel(tile, drawn[0].picture, sensor)] if task == "roads" else drawn


def _graph_panel(tile: ExampleTile, under: Picture, sensor: str) -> Panel:
    """Return the graph traced from the last model's roads over the dimmed image."""
    place, last = get_sensor(sensor), tile.models[-1]
    mask = RoadMask(
        road=tile.predicted[-1] & tile.sar.any(axis=-1),
        transform=PixelTransform.north_up(x_left_m=0.0, y_top_m=0.0, gsd_m=place.gsd_m),
        crs=place.crs,
    )
    traced = trace_roads(mask)
    edges = [shapely.get_coordinates(shape) for shape in traced.graph.shapes]
    picture = graph_panel(backdrop(under), edges, traced.graph.nodes, BUILDING, FALSE_ALARM)
    length = f"{traced.length_m.sum() / 1000:.2f} km"
    return Panel(
        title=f"{_model_title(last)}: graph",
        picture=picture,
        alt=f"Road graph traced from the mask of {model_title(last)}: {len(edges)} roads, {length}",
        note=length,
    )


def _model_title(model: str) -> str:
    return MODEL_TITLES.get(model, "Student")


def rank_title(rank: float) -> str:
    """Return the heading of a tile by its position in the ranking, 0 the worst, 1 the best."""
    if rank in (0.0, 1.0):
        return "Worst" if rank == 0 else "Best"
    return "Median" if abs(rank - 0.5) < 0.01 else f"Percentile {100 * rank:.0f}"


def _facts(tile: ExampleTile, task: TaskName) -> tuple[str, ...]:
    matched = f"{tile.tp} buildings matched, {tile.fp} false alarms, {tile.fn} missed"
    return (
        f"imaged from the {'south' if tile.from_south else 'north'}",
        *((matched,) if task in OBJECT_TASKS else ()),
        f"{tile.nodata_share:.0%} no-data",
    )
