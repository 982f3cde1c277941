from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.geo.geoarray import GeoArray
from components.lib.inference.tiles import predict_images, predict_tiles, window_starts
from components.lib.store.store import Store
from components.lib.tasks.labels import BUILDING_BAND
from tests.evaluate.worlds import AIRBORNE, SIDE, SPACEBORNE, Pointwise, write_tiny_store
from tests.lib.store.tiny_store import array_path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_tiny_store(tmp_path_factory.mktemp("world") / "prepared", tiles=8, nodata_rows=20)


def test_windows_of_the_reference_tile() -> None:
    assert window_starts(900, 512) == [0, 388]
    assert window_starts(450, 512) == [0]
    assert window_starts(1024, 512) == [0, 512]


@pytest.mark.parametrize("length", [1, 31, 64, 65, 127, 128, 129, 900])
def test_windows_cover_everything_and_stay_inside(length: int) -> None:
    starts = window_starts(length, 64)
    covered = np.zeros(length, dtype=bool)
    for start in starts:
        covered[start : start + 64] = True
        assert start + min(64, length) <= length
    assert covered.all()


@pytest.mark.parametrize("window", [40, 64, 96, 512])
def test_stitched_windows_equal_the_whole_tile_for_a_pointwise_network(store: Store, window: int) -> None:
    net = Pointwise()
    whole = dict(predict_tiles(net, store, AIRBORNE, [0, 1, 5], window_px=512, batch=3))
    parts = dict(predict_tiles(net, store, AIRBORNE, [0, 1, 5], window_px=window, batch=5))
    assert list(parts) == [0, 1, 5]
    for row, probability in whole.items():
        assert probability.shape == (SIDE, SIDE)
        np.testing.assert_allclose(parts[row].values, probability.values, atol=1e-6)


def test_overlapping_windows_are_averaged(store: Store) -> None:
    class Position(Pointwise):
        """Probability 1 in the left half of every window, 0 in the right half."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = torch.full_like(x[:, :1], 50, dtype=torch.float32)
            score[..., x.shape[-1] // 2 :] = -50
            return torch.cat([-score, score], dim=1)

    _, prediction = next(predict_tiles(Position(), store, AIRBORNE, [0], window_px=64))
    probability = prediction.band(BUILDING_BAND)
    # Windows start at 0 and 32: [0, 32) one, [32, 64) zero and one, [64, 96) zero.
    assert probability[0, 0] == 1
    assert probability[0, 40] == pytest.approx(0.5)
    assert probability[0, 95] == pytest.approx(0)


def test_windows_are_batched_across_tiles(store: Store) -> None:
    net = Pointwise()
    list(predict_tiles(net, store, AIRBORNE, range(6), window_px=512, batch=4))
    assert [shape[0] for shape in net.seen] == [4, 2]


def test_nothing_is_predicted_where_there_is_no_data(store: Store) -> None:
    class Everything(Pointwise):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ones = torch.ones_like(x[:, :1], dtype=torch.float32)
            return torch.cat([-ones, ones], dim=1)

    _, prediction = next(predict_tiles(Everything(), store, AIRBORNE, [1]))
    probability = prediction.band(BUILDING_BAND)
    assert (probability[:20] == 0).all()
    assert (probability[20:] > 0.5).all()


def test_an_unknown_sensor_is_refused_unless_statistics_are_chosen(store: Store) -> None:
    with pytest.raises(ParameterError, match=SPACEBORNE):
        list(predict_tiles(Pointwise(), store, SPACEBORNE, [0]))
    [(row, _)] = predict_tiles(Pointwise(), store, SPACEBORNE, [0], statistics_of=AIRBORNE)
    assert row == 0


def test_an_optical_network_reads_the_optical_layer(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4)
    optical = np.lib.format.open_memmap(array_path(store.folder, AIRBORNE, "optical"), mode="r+")
    optical[:] = 10
    optical.flush()
    net = Pointwise(modality="optical")
    [(_, prediction)] = predict_tiles(net, store, AIRBORNE, [0])
    assert prediction.values.max() < 0.01


def test_a_prediction_lies_where_its_tile_lies(store: Store) -> None:
    for row in (0, 1):
        [(_, prediction)] = predict_tiles(Pointwise(), store, AIRBORNE, [row])
        tile = store.tile(AIRBORNE, row, "sar")
        assert (prediction.transform, prediction.crs) == (tile.transform, tile.crs)
        assert (prediction.sensor, prediction.orientation) == (AIRBORNE, row % 2)


def test_images_of_two_sizes_are_not_predicted_together(store: Store) -> None:
    tile = store.tile(AIRBORNE, 0, "sar")
    half = GeoArray(
        values=tile.values[:, :40],
        bands=tile.bands,
        valid=tile.valid[:40],
        transform=tile.transform,
        crs=tile.crs,
        sensor=tile.sensor,
        orientation=0,
    )
    assert [image.shape for image in predict_images(Pointwise(), [half, half])] == [(40, SIDE)] * 2
    with pytest.raises(ValueError, match="one size"):
        list(predict_images(Pointwise(), [tile, half]))


def test_measuring_a_training_loads_neither_polygons_nor_rasters(repository: Path) -> None:
    heavy = {"shapely", "rasterio", "scipy", "skimage"}
    code = f"import sys, components.lib.engine.selection; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
