"""Baseline without learning on simulated pairs; the maps are the simulated city's own footprints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.experiments.change.baseline import Mapper, main, score_baseline
from components.lib.change.footprints.changes import FootprintMap
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from components.lib.change.terms import Modality
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.geo.geoarray import GeoArray
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.simulation.change.later_city import later_city_of
from components.simulation.change.pairs import draw_pair
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import plan_pairs
from components.simulation.city import city_of
from tests.lib.change.pairs import facts, make_pair

WORLD = SimulatedPairsParameters(pairs=6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PairStore:
    folder = tmp_path_factory.mktemp("pairs") / "simulated"
    plans = [plan for plan in plan_pairs(WORLD) if plan.split == "test"]
    write_pairs(folder, (draw_pair(WORLD, plan) for plan in plans), facts(tile_px=WORLD.tile_px))
    return PairStore.open(folder)


def true_map(self: Mapper, image: GeoArray, name: str) -> FootprintMap:
    """Return the buildings that stand on the image's ground at its date."""
    west, north = image.north_up().transform.apply(np.array([[0.0, 0.0]]))[0]
    height, width = (0.5 * side for side in image.shape)
    city = city_of(WORLD.seed) if name.endswith("before") else later_city_of(WORLD)
    polygons = city.objects_in((west, north - height, west + width, north)).polygons
    names = np.array([str(number) for number in range(len(polygons))], dtype=object)
    return FootprintMap(
        id=name, polygons=polygons, confidence=np.ones(len(polygons)), names=names, crs=image.crs
    )


def nets(before: str, after: str) -> Any:
    kinds = {"before": before, "after": after}
    return {date: SimpleNamespace(config=SimpleNamespace(modality=kind)) for date, kind in kinds.items()}


@pytest.mark.parametrize("after", ["optical", "sar"])
def test_true_maps_find_the_changed_buildings(
    store: PairStore, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mapper, "map_of", true_map)
    scores = score_baseline(store, nets("optical", after), ScoringSettings(), WORLD)
    assert (scores.objects.tp, scores.objects.fp, scores.objects.fn) == (2, 0, 0)
    assert scores.pixels.f1 > 0.75


def test_networks_read_the_channels_that_they_were_trained_on(
    store: PairStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs hold red, green and blue; optical networks read blue, red, red, green."""
    torch.manual_seed(3)
    modalities: tuple[Modality, ...] = ("optical", "sar")
    for modality in modalities:
        config = NetworkConfig(
            kind="deeplabv3plus",
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            modality=modality,
            sensors=(SIMULATED_AIRBORNE.name,),
        )
        save_bundle(tmp_path / modality, build_network(config), {"stage": "test"})
    seen: list[GeoArray] = []

    def recorded(self: Mapper, image: GeoArray, name: str) -> FootprintMap:
        seen.append(image)
        return whole(self, image, name)

    whole = Mapper.map_of
    monkeypatch.setattr(Mapper, "map_of", recorded)
    nets = {"before": load_bundle(tmp_path / "optical"), "after": load_bundle(tmp_path / "sar")}
    settings = ScoringSettings(flip=False, vectorise="plain")
    scores = score_baseline(store, nets, settings, WORLD)
    assert scores.pixels.tp + scores.pixels.fn > 0
    assert [image.bands for image in seen[:2]] == [("B", "R", "R", "G"), ("HH", "HV", "VH", "VV")]
    pair = store.whole("before_optical", store.names("test")[0])
    np.testing.assert_array_equal(seen[0].values[0], pair[..., 2])
    np.testing.assert_array_equal(seen[0].values[3], pair[..., 1])


def test_pairs_of_another_world_are_refused(store: PairStore) -> None:
    with pytest.raises(ParameterError, match=r"which pairs\.simulated does not draw"):
        score_baseline(
            store, nets("optical", "sar"), ScoringSettings(), WORLD.model_copy(update={"seed": 5, "pairs": 3})
        )


def test_a_store_that_is_not_simulated_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", [make_pair()], facts(simulated=False))
    with pytest.raises(ParameterError, match="no store of simulated pairs"):
        main(["--before", "a", "--after", "b", "--pairs", str(tmp_path / "pairs")])
