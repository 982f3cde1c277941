"""Scores of maps on the tiles that ``evaluate`` scores: whole strips, three outlines, several looks.

``python -m components.experiments.map_scores --model models/sar/concord`` prints a table. Tiles are judged by
the rules of ``evaluate``; only the buildings come from maps.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine
from tqdm import tqdm

from components.contract.temporary import scratch_folder
from components.lib.cli import run
from components.lib.config.scoring import ScoringSettings
from components.lib.geo.footprints import clip, to_pixels
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.grid import Grid
from components.lib.geo.vectorise import Polygons
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene
from components.lib.metrics.counts import Counts
from components.lib.objects.folder import FolderObjects
from components.lib.scoring.score import score_model
from components.lib.store.store import Store
from components.lib.tasks.buildings import Buildings as BuildingTask
from components.predict.models import ServedModel, resolve_model
from components.predict.request import map_of
from components.predict.rules import MapRules, changed, load_rules
from components.predict.scenes.opening import open_scenes
from components.predict.scenes.regrid import regrid

LOG = logging.getLogger(__name__)

PREFIX = "blocks/"

LEAST_SHARE = 0.5
"""Share of a tile's pixels with data that a look must show to count as a look at it."""

Drawn = Callable[[GeoArray], Polygons]
"""Function of an upright prediction: the buildings on its ground, in its pixels."""


class MappedBuildings(BuildingTask):
    """Buildings of tiles that come from maps instead of the tile's own prediction."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn

    def draw(self, prediction: GeoArray, settings: ScoringSettings, threshold: float) -> Polygons:
        """Return the map's buildings within the tile."""
        return self._drawn(prediction.north_up())


@dataclass(frozen=True, slots=True)
class Trial:
    """Model, rules and tiles of all comparisons.

    Attributes:
        model: The model.
        rules: Parameters and code.
        store: Prepared store.
        sensor: Sensor of the tiles.
        strips: Strips of that sensor, by name.
        others: Further looks at the same ground.
    """

    model: ServedModel
    rules: MapRules
    store: Store
    sensor: str
    strips: Mapping[str, Scene]
    others: Sequence[Scene] = ()

    def counts(self, rows: Sequence[int], drawn: Drawn | None = None) -> Counts:
        """Return the buildings found, invented and missed on tiles: their own, or those of maps."""
        task = BuildingTask() if drawn is None else MappedBuildings(drawn)
        scores = score_model(
            self.model.net,
            self.store,
            sensor=self.sensor,
            rows=rows,
            settings=self.rules.scoring,
            task=task,
        )
        return Counts.of_buildings(scores.tiles)

    def test_rows(self) -> dict[str, list[int]]:
        """Return the rows of the test tiles, by strip."""
        index = self.store.index
        tiles = index[(index["sensor"] == self.sensor) & (index["split"] == "test")]
        return {str(strip): sorted(group["row"]) for strip, group in tiles.groupby("strip")}


def of_strips(trial: Trial) -> dict[str, Counts]:
    """Return the scores of test tiles by themselves, and of maps of their strips by kind of outlines."""
    rows = trial.test_rows()
    found = {"tiles, as evaluate": trial.counts(sorted(chain.from_iterable(rows.values())))}
    for outlines in ("raw", "simplified", "regular"):
        rules, total = changed(trial.rules, {"outlines": outlines}), Counts(0, 0, 0)
        for strip, tiles in tqdm(rows.items(), desc=f"strips, {outlines}", disable=None):
            total += trial.counts(tiles, _ground_of([trial.strips[strip]], trial.model, rules).within)
        found[f"strips, {outlines}"] = total
    return found


def of_looks(trial: Trial) -> dict[str, Counts]:
    """Return the scores of test tiles with three or more looks: by their own look, by three, and by all."""
    found = {"one look": Counts(0, 0, 0), "three looks": Counts(0, 0, 0), "all looks": Counts(0, 0, 0)}
    numbers: list[int] = []
    for strip, tiles in tqdm(trial.test_rows().items(), desc="looks", disable=None):
        for row in tiles:
            tile = trial.store.tile(trial.sensor, row, "sar").north_up()
            looks = _looks_at(tile, trial, first=strip)
            if len(looks) < 3:
                continue
            numbers.append(len(looks))
            for name, count in (("one look", 1), ("three looks", 3), ("all looks", len(looks))):
                ground = _ground_of(looks[:count], trial.model, trial.rules)
                found[name] += trial.counts([row], ground.within)
    LOG.info("%d tiles with three looks or more, %.1f on average", len(numbers), np.mean(numbers or [0]))
    return found


@dataclass(frozen=True, slots=True)
class Ground:
    """Buildings of a map on the ground.

    Attributes:
        polygons: Search tree of the polygons, in map coordinates.
        confidences: (K,) their confidences.
    """

    polygons: shapely.STRtree
    confidences: npt.NDArray[np.float64]

    def within(self, tile: GeoArray) -> Polygons:
        """Return what lies on a tile, cut at its edges, in its pixels."""
        height, width = tile.shape
        corners = tile.transform.apply(np.array([[0, 0], [width, height]], dtype=np.float64))
        near = np.sort(self.polygons.query(shapely.box(*corners.min(axis=0), *corners.max(axis=0))))
        transform = Affine(*tile.transform)
        parts: list[shapely.Polygon] = []
        confidences: list[float] = []
        for number in near:
            found = clip(to_pixels(self.polygons.geometries[number], transform), height, width)
            parts += found
            confidences += [float(self.confidences[number])] * len(found)
        polygons = np.empty(len(parts), dtype=object)
        polygons[:] = parts
        return Polygons(polygons, np.array(confidences), tile.transform, tile.crs)


def _ground_of(looks: Sequence[Scene], model: ServedModel, rules: MapRules) -> Ground:
    """Map looks on one grid in a folder that is removed again."""
    opened = map_of(looks, model, rules, "trial")
    with scratch_folder("map") as folder:
        work = FolderObjects(folder)
        opened.map_blocks(range(len(opened.blocks)), work, PREFIX, quiet=True)
        found = list(opened.footprints(work, PREFIX))
    polygons = np.concatenate([part.polygons for part in found])
    return Ground(shapely.STRtree(polygons), np.concatenate([part.confidence for part in found]))


def _looks_at(tile: GeoArray, trial: Trial, *, first: str) -> list[Scene]:
    """Return the looks that show a tile, on its grid; its own one first, the others by their names."""
    height, width = tile.shape
    transform = tile.transform
    grid = Grid(x_left_m=transform.c, y_top_m=transform.f, gsd_m=transform.a, height=height, width=width)
    names = sorted(trial.strips, key=lambda name: (name != first, name))
    looks = [regrid(look, grid) for look in (*(trial.strips[name] for name in names), *trial.others)]
    whole = Box(0, 0, height, width)
    wanted = LEAST_SHARE * np.count_nonzero(tile.valid)
    return [look for look in looks if np.count_nonzero(look.read(whole).any(axis=-1) & tile.valid) >= wanted]


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m components.experiments.map_scores", description=__doc__)
    parser.add_argument("--model", default="models:/stormsight-sar@champion", help="(%(default)s)")
    parser.add_argument("--store", type=Path, default=Path("data/prepared"), help="(%(default)s)")
    parser.add_argument("--raw", nargs="+", default=["data/raw/p00"], help="partitions (%(default)s)")
    parser.add_argument("--sensor", help="default: the first that the model knows")
    parser.add_argument("--looks", action="store_true", help="only one look against several")
    parser.add_argument(
        "--extra", nargs="+", metavar="SCENE", default=[], help="with --looks: further looks at that ground"
    )
    options = parser.parse_args(arguments)
    model = resolve_model(options.model, modality="sar", task="buildings")
    sensor = options.sensor or model.net.config.sensors[0]
    with scratch_folder("scenes") as scratch:
        strips = open_scenes(options.raw, sensor=sensor, modality="sar", orientation=None, scratch=scratch)
        store = Store.open(options.store)
        names = store.index["strip"].unique()
        by_name = {name: look for name in names for look in strips if name in look.facts.name}
        others = [
            look
            for scene in options.extra
            for look in open_scenes([scene], sensor=sensor, modality="sar", orientation=None, scratch=scratch)
        ]
        trial = Trial(model, load_rules(), store, sensor, by_name, others)
        found = of_looks(trial) if options.looks else of_strips(trial)
    simulated = "simulated, " if strips[0].facts.simulated else ""
    lines = [f"{simulated}{sensor}, {model.words}: SpaceNet F1 of the test tiles"]
    lines += [
        f"{name:<20} F1 {counts.f1:.4f}  precision {counts.precision:.4f}  recall {counts.recall:.4f}"
        f"  (tp {counts.tp}, fp {counts.fp}, fn {counts.fn})"
        for name, counts in found.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    run(main)
