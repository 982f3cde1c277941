"""Drawn blocks as bytes of a work store: arrays in NumPy's own container, no pickle.

The file that they lie in states the hash of its bytes (:mod:`components.lib.mapping.blockfile`).
"""

from __future__ import annotations

import io
import zlib
from itertools import pairwise
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import shapely

from components.contract.errors import BadDataError
from components.lib.mapping.blocks import Box
from components.lib.mapping.buildings import Buildings
from components.lib.mapping.pieces import DrawnBlock, Pieces

_MAGIC = b"drawn-block-2\n"


def encode(drawn: DrawnBlock) -> bytes:
    """Return a drawn block as bytes; equal blocks give equal bytes."""
    buildings, pieces = drawn.buildings, drawn.pieces
    wkb = [bytes(polygon) for polygon in shapely.to_wkb(buildings.geometries)]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        box=np.array([drawn.box.top, drawn.box.left, drawn.box.bottom, drawn.box.right], dtype=np.int64),
        wkb=np.frombuffer(b"".join(wkb), dtype=np.uint8),
        wkb_sizes=np.array([len(polygon) for polygon in wkb], dtype=np.int64),
        confidences=buildings.confidences,
        sizes=pieces.sizes,
        positions=pieces.positions,
        levels=pieces.levels,
    )
    return _MAGIC + zlib.compress(buffer.getvalue(), level=1)


def decode(content: bytes, *, name: str = "a drawn block") -> DrawnBlock:
    """Return the block of :func:`encode`.

    Args:
        content: Its bytes.
        name: Name of the object in messages.

    Raises:
        BadDataError: If the bytes hold no drawn block, or one of another version.
    """
    if not content.startswith(_MAGIC):
        raise _bad(name, "is no drawn block of this version")
    try:
        with np.load(io.BytesIO(zlib.decompress(content[len(_MAGIC) :])), allow_pickle=False) as arrays:
            return _block({key: arrays[key] for key in arrays.files})
    except (zlib.error, BadZipFile, EOFError, KeyError, ValueError, shapely.errors.ShapelyError) as error:
        raise _bad(name, f"does not hold a drawn block ({error})") from error


def _block(arrays: dict[str, npt.NDArray[np.generic]]) -> DrawnBlock:
    top, left, bottom, right = (int(value) for value in arrays["box"].tolist())
    bounds = np.concatenate([[0], np.cumsum(arrays["wkb_sizes"])]).tolist()
    wkb = arrays["wkb"].tobytes()
    polygons = np.empty(len(bounds) - 1, dtype=object)
    polygons[:] = [wkb[start:end] for start, end in pairwise(bounds)]
    geometries = np.asarray(shapely.from_wkb(polygons), dtype=object)
    return DrawnBlock(
        Box(top, left, bottom, right),
        Buildings(geometries, arrays["confidences"].astype(np.float64)),
        Pieces(
            arrays["sizes"].astype(np.int64),
            arrays["positions"].astype(np.int32),
            arrays["levels"].astype(np.uint8),
        ),
    )


def _bad(name: str, what: str) -> BadDataError:
    return BadDataError(f"{name} {what}", next_step="remove it: the next run maps its block again")
