"""Draw the roads that a model finds (`python -m components.experiments.road_model_picture`).

One row for each of a few clean test tiles, chosen by rank of their APLS: the image that the model sees, the
true roads, its mask against them, and the graph traced from that mask.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import shapely

from components.contract.errors import BadDataError, ParameterError
from components.experiments.road_picture import require_picture, save, true_roads, with_graph
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import get_sensor
from components.lib.files import require_input
from components.lib.geo.geoarray import GeoArray
from components.lib.inference.device import choose_device
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.report.panels import (
    Picture,
    difference_panel,
    optical_picture,
    sar_picture,
)
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import trace_roads
from components.lib.scoring.graphs import RoadGraphs
from components.lib.scoring.score import Scores, predict_by_settings, score_model
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF
from components.lib.tasks.roads import ROADS

HEADINGS: Final = ("image", "true roads", "model's mask", "model's graph")


def main() -> None:
    """Score the clean test tiles, draw the chosen ones, and print what they score."""
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.road_model_picture",
        description="Draw what a model of roads finds on test tiles: image, truth, mask and traced graph.",
    )
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="folder of the trained model"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".jpg or .png to write")
    parser.add_argument("--store", type=Path, default=Path("data/prepared"), help="store (%(default)s)")
    parser.add_argument(
        "--ranks", type=float, nargs="+", default=(0.25, 0.5, 0.75), metavar="SHARE",
        help="tiles by the rank of their APLS, 0 the worst and 1 the best (%(default)s)",
    )  # fmt: skip
    options = parser.parse_args()
    if not all(0 <= rank <= 1 for rank in options.ranks):
        raise ParameterError("--ranks are shares of the tiles", next_step="use numbers from 0 to 1")
    require_picture(options.out)
    model = TestedModel.of(options.model, options.store)
    chosen = [model.ranked[round(rank * (len(model.ranked) - 1))] for rank in options.ranks]
    save(options.out, [model.panels(name) for name in chosen], HEADINGS)
    sys.stdout.write(model.figures(chosen))


@dataclass(frozen=True, slots=True, eq=False)
class TestedModel:
    """A model with its scores on the clean test tiles of a store.

    Attributes:
        net: The network.
        store: The store.
        settings: Section `scoring`.
        scores: Scores of the tiles.
        ranked: Names of those that have roads, by APLS, the worst first.
    """

    net: SegmentationNetwork
    store: Store
    settings: ScoringSettings
    scores: Scores
    ranked: list[str]

    @classmethod
    def of(cls, bundle: Path, folder: Path) -> TestedModel:
        """Score a model.

        Args:
            bundle: Folder of the trained model.
            folder: Prepared store.

        Raises:
            BadDataError: If the store is not one of roads, or no clean test tile has a road.
        """
        net, store = load_bundle(bundle), Store.open(require_input(folder, made_by="split"))
        if store.task != "roads":
            raise BadDataError(
                f"{folder} is a store of {store.task}", next_step="use one of prepare.task roads"
            )
        settings, sensor = load_parameters("scoring", ScoringSettings), net.config.sensors[0]
        scores = score_model(
            net,
            store,
            sensor=sensor,
            rows=store.rows(sensor, "test", clean=True),
            settings=settings,
            device=choose_device("auto", "evaluate.device"),
            graphs=RoadGraphs(store, sensor).score,
        )
        found = [(score.apls.apls, name) for (_, name), score in scores.graphs.items() if score.has_roads]
        if not found:
            raise BadDataError(f"{folder} has no clean test tile with roads", next_step="prepare more tiles")
        return cls(net, store, settings, scores, [name for _, name in sorted(found)])

    def panels(self, name: str) -> list[Picture]:
        """Return the pictures of a tile, by ``HEADINGS``, north up."""
        sensor, index = self.net.config.sensors[0], self.store.index
        row = int(index.loc[(index["image_id"] == name) & (index["sensor"] == sensor), "row"].iloc[0])
        image = self._image(self.store.tile(sensor, row, self.net.config.modality).north_up())
        [(_, prediction)] = predict_by_settings(
            self.net, self.store, sensor=sensor, rows=[row], settings=self.settings
        )
        target = np.moveaxis(self.store.tile(sensor, row, "target").north_up().values, 0, -1)
        counted = prediction.north_up().valid & ROADS.counted_mask(target)
        truth = ROADS.truth_mask(target) & counted
        threshold = self.settings.threshold_of(self.net.config.threshold)
        mask = RoadMask.of_probability(prediction, threshold, BAND_OF["roads"])
        real = [shapely.get_coordinates(line) for line in self.store.centre_lines(name, sensor)]
        # Roads on ground without data are not looked for.
        shown = np.where(counted[..., None], true_roads(truth, image, real), np.uint8(0))
        found = difference_panel(truth, mask.road & counted, image)
        return with_graph([image, shown, found], trace_roads(mask).graph)

    def figures(self, names: Sequence[str]) -> str:
        """Return the scores of tiles as lines."""
        told = "SIMULATED: " if get_sensor(self.net.config.sensors[0]).simulated else ""
        by_name = {name: score for (_, name), score in self.scores.graphs.items()}
        lines = [f"{told}{len(self.ranked)} clean test tiles with roads"]
        lines += [f"{name}: APLS java {by_name[name].apls.apls:.3f}" for name in names]
        return "\n".join(lines) + "\n"

    def _image(self, tile: GeoArray) -> Picture:
        pixels = np.moveaxis(tile.values, 0, -1).astype(np.uint8)
        return sar_picture(pixels) if self.net.config.modality == "sar" else optical_picture(pixels)


if __name__ == "__main__":
    run(main)
