"""Whoever reads SAR takes both number formats: whole numbers as float16 give what uint8 gives, to the bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.lib.engine.batch import to_batch
from components.lib.engine.provenance import provenance
from components.lib.inference.tiles import predict_tiles
from components.lib.inference.views import PLAIN, View, views_of
from components.lib.losses.segmentation import data_mask
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.report.panels import sar_picture
from components.lib.selftraining.pseudolabels import PseudoLabelSettings, make_pseudo_labels
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, Pointwise, write_tiny_store
from tests.lib.engine.tiny import parameters
from tests.lib.store.tiny_store import array_path

Pair = tuple[Store, Store]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The same tiles, uint8 and float16."""
    folder = tmp_path_factory.mktemp("half")
    plain = write_tiny_store(folder / "uint8", tiles=8, nodata_rows=20)
    shutil.copytree(plain.folder, folder / "float16")
    for sensor in (AIRBORNE, SPACEBORNE):
        sar = np.asarray(plain.layer(sensor, "sar")).astype(np.float16)
        np.save(array_path(folder / "float16", sensor, "sar"), sar)
    return plain, Store.open(folder / "float16")


@pytest.mark.parametrize("views", [PLAIN, views_of((0.8, 1.0), flip=True)])
def test_predictions(stores: Pair, views: tuple[View, ...]) -> None:
    maps = [
        dict(predict_tiles(Pointwise(), store, AIRBORNE, range(8), window_px=64, views=views))
        for store in stores
    ]
    sar = np.asarray(stores[0].layer(AIRBORNE, "sar"))
    assert not sar.any(axis=-1).all()
    for row in range(8):
        np.testing.assert_array_equal(maps[0][row].values, maps[1][row].values)
        np.testing.assert_array_equal(maps[1][row].values[0] == 0, ~sar[row].any(axis=-1))


def test_pseudo_labels(stores: Pair, tmp_path: Path) -> None:
    labels = []
    for store in stores:
        tiles, output = store.layer(SPACEBORNE, "sar"), tmp_path / "labels.npy"
        settings = PseudoLabelSettings(portion=0.33, scales=(0.75, 1.0))
        net = Pointwise()
        net.config = NetworkConfig(kind="deeplabv3plus", encoder="none", sensors=(SPACEBORNE,))
        rows = np.arange(len(tiles))
        make_pseudo_labels(net, tiles, rows, sensor=SPACEBORNE, settings=settings, output=output)
        labels.append(np.load(output))

    np.testing.assert_array_equal(*labels)


def test_networks_masks_and_pictures(stores: Pair) -> None:
    torch.manual_seed(0)
    net = build_network(
        NetworkConfig(
            kind="deeplabv3plus",
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            sensors=(AIRBORNE,),
        )
    ).eval()
    seen: list[Any] = []
    for store in stores:
        rows = store.rows(AIRBORNE, "train")
        crops = CropSampler(store, AIRBORNE, rows, ("sar",), crop=64, batch=2, seed=1)
        sar = to_batch(crops.batch(0), torch.device("cpu"))["sar"]
        seen.append(
            (net(sar), data_mask(sar), torch.from_numpy(sar_picture(store.layer(AIRBORNE, "sar")[0])))
        )

    for plain, half in zip(*seen, strict=True):
        assert torch.equal(plain, half)


def test_provenance_tells_the_two_apart(stores: Pair) -> None:
    plain, half = (provenance("adapt", store, parameters(), {"adapt": parameters()}) for store in stores)

    assert plain["stage_code_sha256"] == half["stage_code_sha256"]
    assert plain["data_sha256"] != half["data_sha256"]
