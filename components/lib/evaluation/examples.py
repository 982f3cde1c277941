"""Example tiles with their predictions: the folder ``reports/evaluate/examples``.

``examples.json`` says which tiles there are; each tile's arrays lie beside it in a compressed ``.npz``. All
arrays and polygons are upright: row 0 is the northern edge. The images are copied from the prepared store, so
that a report needs neither the store nor a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from components.contract.errors import BadDataError
from components.lib.files import atomic_directory, read_json, write_json

INDEX = "examples.json"

LEVELS = 256
"""Levels of a stored probability p: the level is floor(256 p), at most 255."""

_ARRAYS = ("sar", "optical", "truth", "predicted", "probability")
_OUTLINES = ("matched", "false_alarms", "missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTile:
    """One tile, its images and truth, and the predictions of some models.

    Attributes:
        image_id: Name of the tile; text from outside.
        rank: Position in the ranking of tiles, 0 the worst, 1 the best.
        from_south: True if the sensor looked from the south.
        tp: Buildings that the ranking model matched.
        fp: Its false alarms.
        fn: Buildings that it missed.
        nodata_share: Share of the tile without data.
        models: Names of the models, M of them.
        sar: (H, W, 4) uint8, stored HH, HV, VH, VV.
        optical: (H, W, 4) uint8, stored B, R, R, G; None where there is no optical image.
        truth: (H, W) bool, true building footprints.
        predicted: (M, H, W) bool, pixels above the building threshold.
        probability: (M, H, W) uint8, building probability in ``LEVELS`` levels.
        matched: Polygons of the last model that match a true building, pixel coordinates.
        false_alarms: Polygons of the last model that match none.
        missed: True buildings that the last model missed.
    """

    image_id: str
    rank: float
    from_south: bool
    tp: int
    fp: int
    fn: int
    nodata_share: float
    models: tuple[str, ...]
    sar: npt.NDArray[np.uint8]
    optical: npt.NDArray[np.uint8] | None
    truth: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.uint8]
    matched: tuple[BaseGeometry, ...]
    false_alarms: tuple[BaseGeometry, ...]
    missed: tuple[BaseGeometry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleGroup:
    """Tiles of one sensor, ranked by one model's pixel IoU.

    Attributes:
        sensor: Sensor of the tiles.
        ranked_by: Name of the model.
        split: Split that the tiles are from.
        max_nodata: Tiles with a larger share of no-data were left out.
        tiles: From the worst to the best.
    """

    sensor: str
    ranked_by: str
    split: str
    max_nodata: float
    tiles: tuple[ExampleTile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """All example tiles of an evaluation.

    Attributes:
        groups: One group per gallery of the report.
        overview: Tile of the overview picture; None if no tile can be drawn.
    """

    groups: tuple[ExampleGroup, ...]
    overview: ExampleTile | None


def quantised(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the levels of probabilities in [0, 1]; a colour map of ``LEVELS`` colours shows no more."""
    levels = np.minimum((probability * np.float32(LEVELS)).astype(np.int32), LEVELS - 1)
    return levels.astype(np.uint8)


def write_examples(folder: Path, examples: Examples) -> None:
    """Write the examples in place of what ``folder`` held; the same examples give the same bytes."""
    with atomic_directory(folder) as temporary:
        groups = [
            {
                "sensor": group.sensor,
                "ranked_by": group.ranked_by,
                "split": group.split,
                "max_nodata": group.max_nodata,
                "tiles": [
                    _write_tile(temporary, f"{g}-{t:02d}.npz", tile)
                    for t, tile in enumerate(group.tiles, start=1)
                ],
            }
            for g, group in enumerate(examples.groups, start=1)
        ]
        overview = examples.overview
        written = None if overview is None else _write_tile(temporary, "overview.npz", overview)
        write_json(temporary / INDEX, {"groups": groups, "overview": written})


def read_examples(folder: Path) -> Examples:
    """Read what :func:`write_examples` wrote.

    Raises:
        MissingInputError: If the folder has no index.
        BadDataError: If the folder does not hold examples of this version of the code.
    """
    document = read_json(folder / INDEX, made_by="evaluate")
    try:
        groups = tuple(
            ExampleGroup(**{**group, "tiles": tuple(_read_tile(folder, tile) for tile in group["tiles"])})
            for group in document["groups"]
        )
        overview = document["overview"]
        return Examples(groups=groups, overview=None if overview is None else _read_tile(folder, overview))
    except (KeyError, TypeError, ValueError, OSError, BadZipFile) as error:
        raise BadDataError(
            f"{folder} does not hold the examples of an evaluation: {error}",
            next_step="run `dvc repro --force evaluate`",
        ) from error


def _write_tile(folder: Path, name: str, tile: ExampleTile) -> dict[str, Any]:
    """Write one tile's arrays; return its entry of the index."""
    arrays = {key: getattr(tile, key) for key in _ARRAYS if getattr(tile, key) is not None}
    with (folder / name).open("wb") as file:
        np.savez_compressed(file, **arrays)
    return {
        "arrays": name,
        "image_id": tile.image_id,
        "rank": tile.rank,
        "from_south": tile.from_south,
        "tp": tile.tp,
        "fp": tile.fp,
        "fn": tile.fn,
        "nodata_share": tile.nodata_share,
        "models": list(tile.models),
        # All digits: a reader gets the very same coordinates.
        **{
            key: [shapely.to_wkt(polygon, rounding_precision=-1) for polygon in getattr(tile, key)]
            for key in _OUTLINES
        },
    }


def _read_tile(folder: Path, entry: Mapping[str, Any]) -> ExampleTile:
    values = dict(entry)
    name = Path(values.pop("arrays")).name  # never outside the folder
    with np.load(folder / name, allow_pickle=False) as arrays:
        values |= {key: arrays[key] if key in arrays.files else None for key in _ARRAYS}
    for key in _OUTLINES:
        values[key] = tuple(shapely.from_wkt(text) for text in values[key])
    return ExampleTile(**{**values, "models": tuple(values["models"])})
