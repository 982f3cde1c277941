"""Inputs of the paired training stages: the sensor, its tiles, and the scaling of their pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.datasets.spacenet6 import EIGHT_BIT_MOMENTS, SAR_MOMENTS
from components.lib.store.store import Store

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

_REFERENCE_MEAN, _REFERENCE_STD = EIGHT_BIT_MOMENTS.mean[0], EIGHT_BIT_MOMENTS.std[0]
_RELEASE_MEAN, _RELEASE_STD = SAR_MOMENTS.mean, SAR_MOMENTS.std


def optical_statistics() -> Statistics:
    """Return mean and standard deviation per channel of optical input, as in DisOptNet's released code."""
    return (_REFERENCE_MEAN,) * 4, (_REFERENCE_STD,) * 4


def sar_statistics(form: Literal["reference", "centred"], limits: tuple[float, float]) -> Statistics:
    """Return mean and standard deviation per SAR band, in the store's uint8 units.

    The store maps SAR units ``limits`` linearly to 1..255. DisOptNet's code normalises SAR as if it were an
    8-bit image, which puts it far off-centre; ``centred`` takes the moments of the real release instead.

    Args:
        form: ``reference`` as that code does, ``centred`` with the release's moments.
        limits: The sensor's ``scale_limits``, SAR units.
    """
    low, high = limits
    scale = 254.0 / (high - low)
    means = _RELEASE_MEAN if form == "centred" else (_REFERENCE_MEAN,) * 4
    stds = _RELEASE_STD if form == "centred" else (_REFERENCE_STD,) * 4
    return tuple(1.0 + (mean - low) * scale for mean in means), tuple(std * scale for std in stds)


def paired_sensor(store: Store) -> str:
    """Return the sensor whose train tiles come with optical images and labels.

    Raises:
        BadDataError: If there is none, or more than one.
    """
    index = store.index
    found = sorted(index.loc[index["has_optical"] & (index["split"] == "train"), "sensor"].unique())
    if len(found) != 1:
        raise BadDataError(
            f"training needs one sensor with paired optical train tiles, the store has {len(found)}"
            + (f": {', '.join(found)}" if found else ""),
            next_step="list exactly one such acquisition's sensor under acquisitions in params.yaml",
        )
    return str(found[0])


def paired_rows(store: Store, sensor: str, split: str) -> npt.NDArray[np.int64]:
    """Return the rows of ``split`` whose tiles have an optical image, ascending; all trainings share them.

    Raises:
        BadDataError: If there is none.
    """
    index = store.index
    own = index[(index["sensor"] == sensor) & index["has_optical"]]
    rows = np.intersect1d(store.rows(sensor, split), own["row"].to_numpy(np.int64))
    if rows.size == 0:
        raise BadDataError(
            f"{sensor}: the {split} split holds no tile with an optical image",
            next_step="enlarge world.tiles, or correct prepare.split in params.yaml",
        )
    return rows


def labelled_rows(store: Store, sensor: str, share: float) -> npt.NDArray[np.int64]:
    """Return the rows of the train tiles that are learnt from, ascending: the westernmost, at least one.

    Args:
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        share: Share of its train tiles with an optical image, up to 1.

    Raises:
        BadDataError: If there is none.
    """
    rows = paired_rows(store, sensor, "train")
    if share >= 1:
        return rows
    own = store.index[store.index["sensor"] == sensor].set_index("row").loc[rows]
    west = own.sort_values(["x_left_m", "y_top_m"], kind="stable").index.to_numpy(np.int64)
    return np.sort(west[: max(1, round(share * len(rows)))])
