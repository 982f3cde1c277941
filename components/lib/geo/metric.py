"""Metres on the ground: CRS that count them, the UTM zone of a place, and the scale of other CRS."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from pyproj import Geod
from rasterio.crs import CRS

from components.lib.foreign import judged
from components.lib.geo.crs import LON_LAT, is_geographic, move

_WEB_MERCATOR: Final = "EPSG:3857"
_ELLIPSOID: Final = Geod(ellps="WGS84")
_STEP_M: Final = 50.0
"""Half of the way, metres, over which a scale is measured."""

Floats = npt.NDArray[np.float64]


def in_metres(crs: str, name: str) -> bool:
    """Return whether a normalised CRS is projected and counts true metres; Web Mercator's are not.

    Raises:
        BadDataError: If the CRS is unknown, or vertical, compound or geocentric.
    """
    if is_geographic(crs, name) or crs == _WEB_MERCATOR:
        return False
    with judged(f"{name}: CRS {crs[:40]}"):
        return bool(CRS.from_user_input(crs).linear_units_factor[1] == 1.0)


def utm_zone(degrees: Floats) -> str:
    """Return ``EPSG:<code>`` of the UTM zone at the middle of places; no exceptions for Norway are made.

    Args:
        degrees: (N, 2) longitude and latitude, at least one.
    """
    lon, lat = (degrees.min(axis=0) + degrees.max(axis=0)) / 2
    zone = int(np.clip((lon + 180.0) // 6 + 1, 1, 60))
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def metres_per_unit(place: Floats, crs: str, name: str) -> Floats:
    """Return the metres that a step of one unit along x and along y goes at a place, (2,).

    Args:
        place: x and y in ``crs``.
        crs: Normalised CRS.
        name: File name, for messages.

    Raises:
        BadDataError: If PROJ cannot transform the place.
    """
    step = _STEP_M / 111_320.0 if is_geographic(crs, name) else _STEP_M
    ends = place + np.array([[-step, 0.0], [step, 0.0], [0.0, -step], [0.0, step]])
    way = ground_lengths(ends.reshape(2, 2, 2)[:, 0], ends.reshape(2, 2, 2)[:, 1], crs, name)
    return way / (2 * step)


def ground_lengths(start: Floats, end: Floats, crs: str, name: str) -> Floats:
    """Return the lengths of straight pieces on the WGS 84 ellipsoid, metres, (N,).

    Args:
        start: (N, 2) in ``crs``.
        end: (N, 2) in ``crs``.
        crs: Normalised CRS.
        name: File name, for messages.

    Raises:
        BadDataError: If PROJ cannot transform a coordinate.
    """
    first, last = move(start, crs, LON_LAT, name), move(end, crs, LON_LAT, name)
    *_, length = _ELLIPSOID.inv(first[:, 0], first[:, 1], last[:, 0], last[:, 1])
    return np.asarray(length, dtype=np.float64)
