"""Tiles in pictures, chosen by rule from the scores, never by taste."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from components.evaluate.parameters import EvaluateParameters
from components.evaluate.subjects import Cast, Subject
from components.evaluate.summary import Result
from components.lib.geo.orientation import align
from components.lib.methods.registry import CONTROL
from components.lib.metrics.confusion import pixel_confusion
from components.lib.metrics.spacenet_f1 import match_polygons
from components.lib.report.content import Gallery, Panel, TileStory
from components.lib.report.palette import BUILDING, FALSE_ALARM, MISSED
from components.lib.report.panels import (
    Picture,
    difference_panel,
    optical_picture,
    outline_panel,
    probability_panel,
    sar_picture,
    truth_panel,
)
from components.lib.scoring.polygons import draw_buildings
from components.lib.scoring.predict import TileMaps, predict_tile_maps
from components.lib.scoring.settings import ScoringSettings
from components.lib.store.layout import footprints_of
from components.lib.store.store import Store

MAX_NODATA = 0.25
"""Tiles with more no-data are scored, but not drawn."""

FULL = 0.01
"""A tile with less no-data than this counts as all data."""

TARGET_PICTURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A tile chosen for drawing."""

    image_id: str
    sensor: str
    row: int
    orientation: int
    heading: str
    facts: tuple[str, ...]


class Illustrator:
    """Draws tiles of a store with the predictions of some subjects."""

    def __init__(self, store: Store, parameters: EvaluateParameters, device: str) -> None:
        self.store = store
        self.parameters = parameters
        self.settings = ScoringSettings.of(parameters)
        self.device = device

    def galleries(self, results: Sequence[Result], cast: Cast) -> list[Gallery]:
        """The source's tiles ranked by the student, the target's ranked by the adapted model."""
        by_name: dict[tuple[str, str | None], Result] = {
            (r.subject.model, r.subject.sensor): r for r in results
        }
        drawn = []
        ranked = by_name.get((cast.student, cast.source))
        if ranked is not None:
            names = ["teacher", CONTROL, cast.student]
            subjects = [
                by_name[name, cast.source].subject for name in names if (name, cast.source) in by_name
            ]
            drawn.append(self._gallery(ranked, subjects, self.parameters.pictures))
        ranked = by_name.get(("adapted", cast.target))
        if ranked is not None:
            names = ["unadapted", "adapted"]
            subjects = [
                by_name[name, cast.target].subject for name in names if (name, cast.target) in by_name
            ]
            drawn.append(self._gallery(ranked, subjects, min(TARGET_PICTURES, self.parameters.pictures)))
        return [gallery for gallery in drawn if gallery.stories]

    def overview(self, results: Sequence[Result], cast: Cast) -> tuple[list[Panel], str]:
        """Panels of the student's median tile, and its id: optical, SAR, truth, teacher, control, student.

        Tiles that are all data come first: a picture of a border says little.
        """
        ranked = next(
            r for r in results if (r.subject.model, r.subject.sensor) == (cast.student, cast.source)
        )
        tiles = self._rank(ranked)
        full = tiles[tiles["nodata_share"] < FULL]
        chosen = choose_tiles(tiles if full.empty else full, 3)
        if not chosen:
            return [], ""
        pick = chosen[len(chosen) // 2]
        names = ["teacher", CONTROL, cast.student]
        subjects = [
            s for s in (cast.find(name, cast.source) for name in dict.fromkeys(names)) if s is not None
        ]
        story = self._stories([pick], subjects)[0]
        return list(story.panels[: 3 + len(subjects)]), pick.image_id

    def _rank(self, result: Result) -> pd.DataFrame:
        """The result's tiles with their row and their own pixel IoU, worst first."""
        tiles = result.scores.tiles
        union = tiles["px_tp"] + tiles["px_fp"] + tiles["px_fn"]
        keys = ["acquisition", "image_id"]
        ranked = tiles.assign(iou=tiles["px_tp"] / union.clip(lower=1)).merge(
            self.store.index[[*keys, "row"]], on=keys
        )
        drawable = (ranked["nodata_share"] <= MAX_NODATA) & (ranked["px_tp"] + ranked["px_fn"] > 0)
        return ranked[drawable].sort_values(["iou", "image_id"], kind="stable", ignore_index=True)

    def _gallery(self, result: Result, subjects: Sequence[Subject], count: int) -> Gallery:
        chosen = choose_tiles(self._rank(result), count)
        model, sensor = result.subject.model, result.subject.sensor
        return Gallery(
            title=f"Tiles of {sensor}",
            rule=(
                f"Test tiles ({result.split}) ranked by the pixel IoU of {model}, from the worst to the best "
                "in even steps, every location by its middle tile. Tiles without buildings or with more than "
                f"{MAX_NODATA:.0%} no-data are left out. North is up."
            ),
            stories=self._stories(chosen, subjects),
        )

    def _stories(self, chosen: Sequence[Pick], subjects: Sequence[Subject]) -> list[TileStory]:
        rows = [pick.row for pick in chosen]
        maps = {
            subject.model: {
                tile.row: tile
                for tile in predict_tile_maps(
                    subject.net,
                    self.store,
                    subject.sensor,
                    rows,
                    window_px=self.settings.window_px,
                    batch=self.settings.batch,
                    device=self.device,
                    statistics_of=subject.statistics_of,
                    augmentation=self.settings.augmentation,
                )
            }
            for subject in subjects
        }
        return [
            TileStory(
                image_id=pick.image_id,
                heading=pick.heading,
                facts=pick.facts,
                panels=self._panels(pick, {name: by_row[pick.row] for name, by_row in maps.items()}),
            )
            for pick in chosen
        ]

    def _panels(self, pick: Pick, maps: dict[str, TileMaps]) -> list[Panel]:
        """Inputs and truth, one difference per model, then the last model's probability and buildings."""
        sensor, row, orientation = pick.sensor, pick.row, pick.orientation
        upright = {name: align(tile.building, orientation) for name, tile in maps.items()}
        truth = align(footprints_of(self.store.layer(sensor, "target")[row]), orientation)
        radar = sar_picture(align(self.store.layer(sensor, "sar")[row], orientation))
        panels = [Panel(title="SAR", picture=radar, alt="SAR image in false colour: HH, HV, VV")]
        under = radar
        if bool(self.store.index.loc[self.store.index["sensor"] == sensor, "has_optical"].all()):
            under = optical_picture(align(self.store.layer(sensor, "optical")[row], orientation))
            panels.insert(0, Panel(title="Optical", picture=under, alt="Optical image"))
        panels.append(Panel(title="Truth", picture=truth_panel(truth, under), alt="True building footprints"))
        for name, probability in upright.items():
            predicted = probability > self.parameters.threshold
            iou = pixel_confusion(predicted, truth).iou
            panels.append(
                Panel(
                    title=_role(name),
                    picture=difference_panel(truth, predicted, under),
                    alt=f"{name}: buildings found, false alarms and missed buildings, IoU {iou:.2f}",
                    note=f"IoU {iou:.2f}",
                )
            )
        last = list(upright)[-1]
        panels.append(
            Panel(
                title=f"{_role(last)}: probability",
                picture=probability_panel(upright[last]),
                alt=f"Building probability of {last}, dark is 0 and yellow is 1",
            )
        )
        panels.append(self._buildings(pick, last, maps[last], under))
        return panels

    def _buildings(self, pick: Pick, name: str, tile: TileMaps, under: Picture) -> Panel:
        """Outlines of the vectorised buildings: matched, not matched, and the truth that was missed."""
        truth = np.array(self.store.truth(pick.image_id, pick.sensor), dtype=object)
        found = draw_buildings(tile, orientation=pick.orientation, settings=self.settings)
        matches = match_polygons(
            truth,
            found.geometries,
            truth_tiles=np.zeros(len(truth), dtype=int),
            proposal_tiles=np.zeros(len(found), dtype=int),
            confidence=found.confidences,
            min_area=self.parameters.min_area_px,
            iou=self.parameters.iou,
        )
        missed = truth[matches.truth_kept & ~matches.truth_matched]
        wrong = found.geometries[matches.proposal_kept & ~matches.proposal_matched]
        right = found.geometries[matches.proposal_matched]
        layers: list[tuple[Sequence[shapely.Geometry], tuple[int, int, int]]] = [
            (list(missed), MISSED),
            (list(wrong), FALSE_ALARM),
            (list(right), BUILDING),
        ]
        return Panel(
            title=f"{_role(name)}: buildings",
            picture=outline_panel(under, layers),
            alt=f"Outlines: {len(right)} matched, {len(wrong)} false alarms, {len(missed)} missed buildings",
            note=f"{len(right)} of {len(right) + len(missed)} matched",
        )


def choose_tiles(ranked: pd.DataFrame, count: int) -> list[Pick]:
    """Take ``count`` tiles in even steps from the first to the last, one per location where that is enough.

    Args:
        ranked: Tiles, worst first: the columns of a score table and ``row``.
        count: How many at most.
    """
    locations = ranked.groupby("location", sort=False)["location"]
    # The middle tile of a location stands for it, so that neither end is flattered.
    single = ranked[locations.cumcount() == (locations.transform("size") - 1) // 2]
    pool = single if len(single) >= count else ranked
    if pool.empty:
        return []
    positions = np.unique(np.linspace(0, len(pool) - 1, min(count, len(pool))).round().astype(int))
    return [
        Pick(
            image_id=str(tile["image_id"]),
            sensor=str(tile["sensor"]),
            row=int(tile["row"]),
            orientation=int(tile["orientation"]),
            heading=_heading(position / max(len(pool) - 1, 1)),
            facts=_facts(tile),
        )
        for position, tile in zip(positions.tolist(), pool.iloc[positions].to_dict("records"), strict=True)
    ]


def _role(model: str) -> str:
    """What a model is called above its picture."""
    fixed = {"teacher": "Teacher", CONTROL: "Control", "adapted": "Adapted", "unadapted": "Unadapted"}
    return fixed.get(model, "Student")


def _heading(share: float) -> str:
    if share in (0.0, 1.0):
        return "Worst" if share == 0 else "Best"
    return "Median" if abs(share - 0.5) < 0.01 else f"Percentile {100 * share:.0f}"


def _facts(tile: dict[Hashable, Any]) -> tuple[str, ...]:
    return (
        f"imaged from the {'south' if tile['orientation'] else 'north'}",
        f"{tile['tp']} buildings matched, {tile['fp']} false alarms, {tile['fn']} missed",
        f"{tile['nodata_share']:.0%} no-data",
    )
