"""Coordinate reference systems that foreign files state, and the way from one to another.

GDAL would take any text for a CRS, names of files and addresses included: only EPSG codes, CRS84 and WKT of
a projected or geographic CRS are handed to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from components.contract.errors import BadDataError
from components.lib.foreign import REFETCH, judged, one_line

LON_LAT = "EPSG:4326"

_CODE = re.compile(r"(?:^|[:/])EPSG(?:/|:)(?:[^:/]*[:/])?(?P<code>[0-9]{4,6})$", re.IGNORECASE)
_WKT = re.compile(r"\s*(?:PROJCS|GEOGCS|PROJCRS|GEOGCRS|GEODCRS)\s*\[", re.IGNORECASE)
_HORIZONTAL = re.compile(r"\s*(?:PROJCS|GEOGCS|PROJCRS|GEOGCRS|GEODCRS|BOUNDCRS)\[")
_LONGEST_WKT = 20_000


def normalised_crs(stated: str, name: str) -> str:
    """Return ``EPSG:<code>`` or WKT for the CRS that a file states.

    Args:
        stated: An EPSG code, URN or address, CRS84, or WKT.
        name: File name, for messages.

    Raises:
        BadDataError: If it is of another form.
    """
    if stated.upper().endswith("CRS84"):
        return LON_LAT
    match = _CODE.search(stated)
    if match is not None:
        return f"EPSG:{match['code']}"
    if _WKT.match(stated) and len(stated) <= _LONGEST_WKT:
        return stated
    raise _unknown(name, f"{one_line(stated)[:100]!r} is neither an EPSG code nor WKT")


def stated_crs(document: Mapping[str, Any], name: str) -> str | None:
    """Return the normalised CRS of a GeoJSON document's ``crs`` member, None without one.

    Raises:
        BadDataError: If the member has no name, or names a CRS of another form.
    """
    match document.get("crs"):
        case None:
            return None
        case {"properties": {"name": str(stated)}}:
            return normalised_crs(stated, name)
    raise BadDataError(
        f"{name} has a crs member without a name",
        next_step="write its EPSG code there, or fetch the file again",
    )


def same_crs(first: str, second: str, name: str) -> bool:
    """Return whether two normalised CRS are equal; both must be horizontal.

    Raises:
        BadDataError: If one is unknown, or vertical, compound or geocentric.
    """
    return first == second or _horizontal(first, name) == _horizontal(second, name)


def is_geographic(crs: str, name: str) -> bool:
    """Return whether a normalised CRS counts degrees; it must be horizontal.

    Raises:
        BadDataError: If it is unknown, or vertical, compound or geocentric.
    """
    return bool(_horizontal(crs, name).is_geographic)


def move(xy: npt.NDArray[np.float64], source: str, target: str, name: str) -> npt.NDArray[np.float64]:
    """Transform coordinates, x before y (longitude before latitude) on both sides.

    Args:
        xy: (N, 2) in ``source``.
        source: Normalised CRS.
        target: Normalised CRS.
        name: File name, for messages.

    Raises:
        BadDataError: If PROJ cannot transform a coordinate.
    """
    with judged(f"{name}: coordinates in {source[:40]}"):
        x, y = reproject(source, target, xy[:, 0].tolist(), xy[:, 1].tolist())
        moved = np.column_stack((x, y))
    if not np.isfinite(moved).all():
        raise BadDataError(f"{name} has coordinates that {source[:40]} cannot hold", next_step=REFETCH)
    return moved


def _horizontal(crs: str, name: str) -> CRS:
    with judged(f"{name}: CRS {crs[:40]}"):
        found, wkt = _parsed(crs)
    if not _HORIZONTAL.match(wkt) or not (found.is_projected or found.is_geographic):
        raise _unknown(name, f"{crs[:40]} is not a horizontal CRS")
    return found


@lru_cache(maxsize=64)
def _parsed(crs: str) -> tuple[CRS, str]:
    found = CRS.from_user_input(crs)
    return found, str(found.to_wkt())


def _unknown(name: str, why: str) -> BadDataError:
    return BadDataError(f"{name} is in an unknown CRS: {why}", next_step=REFETCH)
