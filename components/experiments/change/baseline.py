"""Baseline without learning on the simulated pairs: two footprint maps, compared by building.

``python -m components.experiments.change.baseline --before MODEL --after MODEL`` maps both dates of every
test pair with networks that find buildings, compares the maps as ``predict changes`` does, and scores the
changed ground as a change network is scored. A method that does not beat this is of no use on that ground.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine
from tqdm import tqdm

from components.contract.errors import ParameterError
from components.experiments.change.trial import CONFIDENCE, REPORTS
from components.lib.change.footprints.changes import FootprintMap, compare_maps
from components.lib.change.scoring.protocols import buildings_of
from components.lib.change.scoring.scores import ChangeRules, ChangeScores, score_pair
from components.lib.change.store.layout import LABEL, layer_name
from components.lib.change.store.store import PairStore
from components.lib.change.terms import BANDS
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.files import write_json
from components.lib.geo.footprints import to_pixels
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.orientation import align
from components.lib.geo.rasterise import rasterise_instances
from components.lib.inference.tiles import predict_images
from components.lib.inference.views import views_of
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.layout import BANDS as INPUT_BANDS
from components.lib.tasks.buildings import BUILDINGS
from components.pairs.parameters import PairsParameters
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import plan_pairs

SPLIT = "test"
DATES: Final = ("before", "after")

Mask = npt.NDArray[np.bool_]


def main(arguments: list[str] | None = None) -> None:
    """Score the baseline and print its scores as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.change.baseline",
        description="Map both dates of the simulated test pairs with networks that find buildings, compare "
        "the maps building by building, and score what changed. "
        f"Writes {REPORTS}/baseline-*.json.",
    )
    parser.add_argument(
        "--before", type=Path, required=True, metavar="MODEL", help="network of the first date"
    )
    parser.add_argument(
        "--after", type=Path, required=True, metavar="MODEL", help="network of the second date"
    )
    parser.add_argument(
        "--pairs", type=Path, default=Path("data/pairs/simulated"), help="store (%(default)s)"
    )
    given = parser.parse_args(arguments)
    store = PairStore.open(given.pairs)
    if not store.facts.simulated:
        raise ParameterError(
            f"{given.pairs} is no store of simulated pairs: the radar's side is known of these alone",
            next_step="name the store that python -m components.pairs --data-set simulated made",
        )
    settings = load_parameters("scoring", ScoringSettings)
    nets = {"before": load_bundle(given.before), "after": load_bundle(given.after)}
    world = load_parameters("pairs", PairsParameters).simulated
    scores = score_baseline(store, nets, settings, world)
    kinds = "-".join(nets[date].config.modality for date in DATES)
    document = {
        "models": {date: nets[date].config.kind for date in DATES},
        "simulated": True,
        "split": SPLIT,
        **scores.as_dict(CONFIDENCE),
        "by_pair": scores.table().to_dict("records"),
    }
    write_json(REPORTS / f"baseline-{kinds}.json", document)
    sys.stdout.write(json.dumps({name: document[name] for name in ("pixels", "objects", "intervals")}) + "\n")


@dataclass(frozen=True, slots=True)
class Mapper:
    """A network that maps the images of one date.

    Attributes:
        net: Network that finds buildings.
        settings: Views, vectoriser and least area.
    """

    net: SegmentationNetwork
    settings: ScoringSettings

    def map_of(self, image: GeoArray, name: str) -> FootprintMap:
        """Return the buildings of an image, in metres."""
        settings, modality = self.settings, self.net.config.modality
        views = views_of(settings.scales, flip=settings.flip, turn=settings.turns(modality))
        (prediction,) = predict_images(self.net, [image], window_px=self.settings.window_px, views=views)
        upright = prediction.north_up()
        drawn = BUILDINGS.draw(upright, self.settings, self.settings.threshold_of(self.net.config.threshold))
        return FootprintMap(
            id=name,
            polygons=drawn.on_map(),
            confidence=drawn.confidences,
            names=np.array([f"{name}-{number}" for number in range(len(drawn))], dtype=object),
            crs=image.crs,
        )


def score_baseline(
    store: PairStore,
    nets: dict[str, SegmentationNetwork],
    settings: ScoringSettings,
    world: SimulatedPairsParameters,
) -> ChangeScores:
    """Return the scores of the maps' differences on the test pairs.

    Args:
        store: Simulated pairs.
        nets: Networks of the dates ``before`` and ``after``; their modality says which images they see.
        settings: Section `scoring`.
        world: Parameters of the pairs, which say from which side each radar image was taken.

    Raises:
        ParameterError: If the store was made with other parameters.
    """
    rules = ChangeRules.of(settings)
    sides = {plan.name: plan.from_south for plan in plan_pairs(world)}
    unknown = [name for name in store.names(SPLIT) if name not in sides]
    if unknown:
        raise ParameterError(
            f"{store.folder} has the pair {unknown[0]}, which pairs.simulated does not draw",
            next_step="put pairs.simulated back, or make the store anew (python -m components.pairs)",
        )
    mappers = {date: Mapper(nets[date], settings) for date in DATES}
    scored = []
    for name in tqdm(store.names(SPLIT), desc="maps", unit="pair", disable=None, leave=False):
        images = [
            _image(store, name, date, nets[date], from_south)
            for date, from_south in zip(DATES, sides[name], strict=True)
        ]
        before, after = (
            mappers[date].map_of(image, f"{name}-{date}") for date, image in zip(DATES, images, strict=True)
        )
        label = store.whole(LABEL, name)[..., 0]
        scored.append(
            score_pair(
                _changed(before, after, images[0], label.shape),
                label,
                rules,
                name=name,
                scene=str(store.tiles_of(name)["scene"].iloc[0]),
                buildings=buildings_of(store, name, label.shape, rules.min_area_px),
            )
        )
    return ChangeScores(scored, rules)


def _image(store: PairStore, name: str, date: str, net: SegmentationNetwork, from_south: bool) -> GeoArray:
    """Return the image of one date that a network reads, turned as its training images were."""
    modality = net.config.modality
    values = store.whole(layer_name(date, modality), name)
    tile = store.tiles_of(name)
    place = store.place(int(tile["row"].iloc[0]))
    assert place is not None, "simulated pairs have a place"
    turned = modality == "sar" and from_south
    if turned:
        values, place = align(values, 1), place.turned(*values.shape[:2])
    # Networks that find buildings read the channels of a training store, which repeat a band of the camera.
    channels = [BANDS[modality].index(band) for band in INPUT_BANDS[modality]]
    pixels = np.ascontiguousarray(np.moveaxis(values, -1, 0)[channels])
    return GeoArray(
        values=pixels,
        bands=INPUT_BANDS[modality],
        valid=np.asarray(pixels.any(axis=0), dtype=np.bool_),
        transform=place,
        crs=SIMULATED_AIRBORNE.crs,
        sensor=SIMULATED_AIRBORNE.name,
        orientation=int(turned),
    )


def _changed(before: FootprintMap, after: FootprintMap, image: GeoArray, shape: tuple[int, ...]) -> Mask:
    """Return the pixels, (H, W), that lie on changed ground of the two maps."""
    ground = compare_maps(before, after).table.geometry.to_numpy()
    upright = Affine(*image.north_up().transform)
    parts = [to_pixels(part, upright) for part in shapely.get_parts(ground).tolist()]
    changed: Mask = rasterise_instances(parts, shape[0], shape[1]) > 0
    return changed


if __name__ == "__main__":
    run(main)
