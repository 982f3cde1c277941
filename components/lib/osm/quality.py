"""Quality of a tile's mask: what the extract covers, how far it may be off, how old it is."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import Any

import numpy as np

from components.lib.geo.spans import Mask
from components.lib.osm.masks import Drawing
from components.lib.osm.shift import Image, Shift, estimate_shift
from components.lib.osm.terms import IGNORE, OBJECT, Task

QUALITY_COLUMNS = MappingProxyType(
    {
        "acquisition": "str",
        "sensor": "str",
        "image_id": "str",
        "row": "int32",  # of the sensor's masks, as in the store's index
        "objects": "int32",  # certain ones whose box meets the tile
        "length_m": "float64",  # of roads inside of the tile
        "object_share": "float64",  # of the pixels that are not ignored
        "ignore_share": "float64",
        "covered_share": "float64",  # inside of the extract's coverage
        "nodata_share": "float64",  # of the SAR image
        "shift_east_m": "float64",  # moves the mask onto the image; NaN where it is unknown
        "shift_north_m": "float64",
        "shift_unknown": "str",  # why; "" where it is measured
        "age_days": "float64",  # of the extract less that of the image; NaN where the image has no date
    }
)
"""Columns of ``quality.parquet`` and their types: one row for each tile."""

LEAST_LENGTH_M = 200.0
"""Least length of roads in a tile for a shift to be believed, metres (the reference, 2.9)."""

LEAST_AREA_M2 = 1_000.0
"""The same for the area of buildings, square metres (ours)."""

_DATE = "%Y%m%d"


def measure(task: Task, drawing: Drawing, nodata: Mask, image: Image | None, gsd_m: float) -> dict[str, Any]:
    """Return the measured columns of one tile.

    Args:
        task: What is drawn.
        drawing: The tile's mask, north-up.
        nodata: (H, W) bool, where the SAR image has no data; north-up.
        image: (H, W, C) float32, north-up; None where no shift is looked for.
        gsd_m: Pixel size in metres.
    """
    objects, known = drawing.mask == OBJECT, drawing.mask != IGNORE
    if image is None:
        shift = Shift(unknown="not looked for")
    elif little := _too_little(task, drawing, objects, gsd_m):
        shift = Shift(unknown=little)
    else:
        shift = estimate_shift(objects, image, ~nodata, gsd_m)
    return {
        "objects": drawing.objects,
        "length_m": round(drawing.length_m, 3),
        "object_share": float(objects.sum()) / max(int(known.sum()), 1),
        "ignore_share": 1.0 - float(known.mean()),
        "covered_share": float(drawing.covered.mean()),
        "nodata_share": float(nodata.mean()),
        "shift_east_m": shift.east_m,
        "shift_north_m": shift.north_m,
        "shift_unknown": shift.unknown,
    }


def age_days(extract: dt.date, strip: str) -> float:
    """Return how many days an extract is younger than an image, negative for an older one.

    Args:
        extract: Date of the extract.
        strip: Name of the image's strip, which begins with the date of its start (``20190804...``).

    Returns:
        NaN where the name begins with no date.
    """
    try:
        taken = dt.datetime.strptime(strip[:8], _DATE).replace(tzinfo=dt.UTC).date()
    except ValueError:
        return float(np.nan)
    return float((extract - taken).days)


def _too_little(task: Task, drawing: Drawing, objects: Mask, gsd_m: float) -> str:
    """Return why too little is drawn for a shift to be believed; "" where it is enough."""
    if task == "roads" and drawing.length_m < LEAST_LENGTH_M:
        return f"less than {LEAST_LENGTH_M:g} m of roads"
    if task == "buildings" and float(objects.sum()) * gsd_m**2 < LEAST_AREA_M2:
        return f"less than {LEAST_AREA_M2:g} m2 of buildings"
    return ""
