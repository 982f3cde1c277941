"""Checks of a store of pairs when it is opened: tables, headers and sizes of arrays; no pixel is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.contract.errors import BadDataError, MissingInputError
from components.lib.change.store.layout import (
    BUILDING_COLUMNS,
    BUILDINGS_FILE,
    INDEX_COLUMNS,
    INDEX_FILE,
    LABEL,
    LAYERS,
    SPLITS,
    STORE_FILE,
    TRANSFORM_COLUMNS,
    StoreFacts,
    layer_path,
)
from components.lib.files import read_json, require_input
from components.lib.store.checks import check_columns, check_length, read_columns, read_header

STAGE = "pairs"


def checked_store(folder: Path) -> tuple[StoreFacts, pd.DataFrame, tuple[str, ...]]:
    """Return facts, index and layers of the store in ``folder`` after checking that they belong together.

    Raises:
        MissingInputError: If there is no store, or a part of it is missing.
        BadDataError: If a file is damaged, or the parts do not fit together; the file is named.
    """
    facts = _checked_facts(folder / STORE_FILE)
    path = require_input(folder / INDEX_FILE, made_by=STAGE)
    index = read_columns(path, INDEX_COLUMNS, damaged, may_miss=TRANSFORM_COLUMNS)
    _check_values(path, index, facts.tile_px)
    buildings = require_input(folder / BUILDINGS_FILE, made_by=STAGE)
    check_columns(buildings, BUILDING_COLUMNS, damaged)
    layers = tuple(name for name in LAYERS if layer_path(folder, name).exists())
    for needed in ("before_", "after_", LABEL):
        if not any(name.startswith(needed) for name in layers):
            raise MissingInputError(
                f"{folder} has no layer {needed.rstrip('_')}", next_step=f"run `dvc repro --force {STAGE}`"
            )
    for name in layers:
        _check_layer(layer_path(folder, name), (len(index), facts.tile_px, facts.tile_px, LAYERS[name]))
    return facts, index, layers


def read_buildings(folder: Path) -> pd.DataFrame:
    """Return the changed buildings of the store in ``folder``, columns ``BUILDING_COLUMNS``.

    Raises:
        MissingInputError: If the table is missing.
        BadDataError: If it is damaged.
    """
    return read_columns(require_input(folder / BUILDINGS_FILE, made_by=STAGE), BUILDING_COLUMNS, damaged)


def damaged(path: Path, why: str) -> BadDataError:
    """Return the failure for a file of a store."""
    return BadDataError(
        f"{path}: {why}", next_step=f"make it again (`dvc repro --force {STAGE}`): the store was damaged"
    )


def _checked_facts(path: Path) -> StoreFacts:
    found = read_json(path, made_by=STAGE)
    types: dict[str, tuple[type, ...]] = {
        "data_set": (str,),
        "tile_px": (int,),
        "gsd_m": (float, int, type(None)),
        "simulated": (bool,),
        "licence": (str,),
        "citation": (str,),
    }
    if not isinstance(found, dict) or set(found) != set(types):
        raise damaged(path, f"it does not hold {', '.join(types)}")
    for name, allowed in types.items():
        if not isinstance(found[name], allowed):
            raise damaged(path, f"{name} is {found[name]!r}")
    if isinstance(found["tile_px"], bool) or found["tile_px"] < 1:
        raise damaged(path, f"tile_px is {found['tile_px']!r}")
    facts: dict[str, Any] = found
    return StoreFacts(**facts)


def _check_values(path: Path, index: pd.DataFrame, tile_px: int) -> None:
    if index.empty:
        raise damaged(path, "it lists no tile")
    if not np.array_equal(index["row"].to_numpy(np.int64), np.arange(len(index))):
        raise damaged(path, "its rows do not count from 0")
    unknown = sorted(set(index["split"]) - set(SPLITS))
    if unknown:
        raise damaged(path, f"unknown split {unknown[0]!r}")
    limits = {
        "x_px": (0, math.inf),
        "y_px": (0, math.inf),
        "height": (1, tile_px),
        "width": (1, tile_px),
        "known_share": (0, 1),
        "changed_share": (0, 1),
    }
    for name, (least, most) in limits.items():
        values = index[name].to_numpy(np.float64)
        wrong = np.flatnonzero(~((values >= least) & (values <= most) & np.isfinite(values)))
        if len(wrong):
            tile = index.iloc[int(wrong[0])]
            raise damaged(path, f"column {name!r} of row {tile['row']}, pair {tile['name']}, is {tile[name]}")


def _check_layer(path: Path, shape: tuple[int, ...]) -> None:
    header = read_header(path, damaged)
    if header.shape != shape or header.dtype != np.uint8 or header.in_columns:
        raise damaged(path, f"it holds {header.dtype.name} {header.shape}, not uint8 {shape}")
    check_length(path, header, damaged)
