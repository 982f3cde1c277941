from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError
from components.lib.engine.inputs import paired_rows, paired_sensor, sar_statistics
from components.lib.engine.parameters import Budget
from components.lib.store.store import Store
from tests.lib.engine.tiny_store import SENSOR, make_store
from tests.lib.store.tiny_store import array_path

LIMITS = (0.0, 92.0)


def stored(value: float) -> float:
    """Return the value that prepare writes for a SAR value, before rounding."""
    return 1.0 + value / 92.0 * 254.0


def test_reference_sar_normalisation_is_that_of_the_reference_in_sar_units() -> None:
    mean, std = sar_statistics("reference", LIMITS)
    for value in (0.0, 40.0, 92.0):
        assert (stored(value) - mean[0]) / std[0] == pytest.approx((value - 127.5) / 31.875)
    assert len(set(mean)) == len(set(std)) == 1


def test_centred_sar_normalisation_puts_each_bands_mean_at_zero() -> None:
    mean, std = sar_statistics("centred", LIMITS)
    for band, value in enumerate((28.63, 36.10, 33.84, 26.21)):
        assert (stored(value) - mean[band]) / std[band] == pytest.approx(0.0)
    assert (stored(28.63 + 8.41) - mean[0]) / std[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("batch", "steps"), [(8, 67_400), (16, 33_800)])
def test_the_release_takes_the_published_number_of_steps(batch: int, steps: int) -> None:
    assert Budget(epochs=200, crops_per_tile=1).steps(2696, batch) == steps


def test_paired_rows_leave_out_tiles_without_an_optical_image(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    assert paired_sensor(store) == SENSOR
    assert np.array_equal(paired_rows(store, SENSOR, "train"), np.arange(10))
    index = store.index.copy()
    index.loc[index["row"] == 3, "has_optical"] = False
    index.to_parquet(tmp_path / "store" / "index.parquet")
    assert 3 not in paired_rows(Store.open(tmp_path / "store"), SENSOR, "train")


def test_no_or_several_paired_sensors_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="the store has 0"):
        paired_sensor(make_store(tmp_path / "none", optical=False))
    store = make_store(tmp_path / "two")
    other = store.index.assign(sensor="capella-airborne")
    arrays = array_path(store.folder, SENSOR, "sar").parent
    shutil.copytree(arrays, arrays.with_name("capella-airborne"))
    pd.concat([store.index, other]).to_parquet(tmp_path / "two" / "index.parquet")
    with pytest.raises(BadDataError, match=r"the store has 2: capella-airborne, simulated-airborne"):
        paired_sensor(Store.open(tmp_path / "two"))


def test_a_split_without_tiles_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="the buffer split holds no tile"):
        paired_rows(make_store(tmp_path / "store"), SENSOR, "buffer")
