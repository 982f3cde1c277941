"""Drawing of masks: the extract read once for each CRS, every tile drawn, measured and published together."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import get_sensor
from components.lib.disk import require_writable
from components.lib.files import atomic_directory, write_json
from components.lib.geo.grid import Grid
from components.lib.geo.orientation import align
from components.lib.geo.spans import Mask
from components.lib.osm.extract import Extract
from components.lib.osm.features import Found
from components.lib.osm.ground import Ground
from components.lib.osm.masks import Canvas
from components.lib.osm.quality import age_days, measure
from components.lib.osm.shift import Image
from components.lib.osm.store import create_masks, write_tables
from components.lib.osm.tags import Rules
from components.lib.osm.terms import CREDIT, Task
from components.lib.store.store import Store
from components.osm.numbers import details, metrics
from components.osm.parameters import OsmParameters
from components.osm.rules import declared_extract, least_area_m2, rules_of
from components.osm.sheet import draw_sheet

_LOG = logging.getLogger(__name__)

METRICS_FILE, DETAILS_FILE, SHEET_FILE = "metrics.json", "details.json", "sheet.png"


@dataclass(slots=True)
class _Job:
    """What one run needs everywhere.

    Attributes:
        task: What is drawn.
        store: The prepared store.
        extract: The pinned extract.
        rules: Rules of the task.
        parameters: Section ``osm``.
        found: Counts of what was read, of all CRS together.
        record: What is to be known of the source.
    """

    task: Task
    store: Store
    extract: Extract
    rules: Rules
    parameters: OsmParameters
    found: Found = field(default_factory=Found)
    record: dict[str, Any] = field(default_factory=dict)


def draw_masks(
    task: Task, store: Store, out: Path, reports: Path, parameters: OsmParameters
) -> dict[str, Any]:
    """Draw the masks of all tiles of a store; they are published whole or not at all.

    Args:
        task: What is drawn.
        store: The prepared store.
        out: Folder of masks, quality and record.
        reports: Folder of ``metrics.json``, ``details.json`` and ``sheet.png``.
        parameters: Section ``osm``.

    Returns:
        The metrics.

    Raises:
        ParameterError: If the extract's declaration lacks something.
        MissingInputError: If the extract is not there.
        BadDataError: If it is another file than the pinned one, is damaged, or covers no tile.
        ResourceError: If the disk has no room.
    """
    extract = declared_extract(parameters)
    job = _Job(task, store, extract, rules_of(task, parameters), parameters)
    _LOG.info("%s extract of %s: %s", extract.verify(), extract.date, CREDIT)
    require_writable(out.parent, int((store.index["height"] * store.index["width"]).sum()))
    require_writable(reports)
    with atomic_directory(out) as folder:
        rows = list(tqdm(_tiles(job, folder), total=len(store.index), unit="tile", disable=None))
        quality = pd.DataFrame(rows).sort_values(["sensor", "row"], ignore_index=True)
        if not quality["covered_share"].any():
            raise BadDataError(
                f"the extract {extract.path.name} covers none of the {len(quality)} tiles",
                next_step="use an extract of their place, or correct osm.extract.coverage",
            )
        counts = {
            "seen": job.found.seen,
            "left_out": dict(sorted(job.found.left_out.items())),
            "repaired": job.found.repaired,
            "odd_widths": job.found.odd_widths,
        }
        settings = parameters.model_dump(mode="json", include={str(task)})
        write_tables(folder, quality, {**job.record, "task": task, **settings, **counts})
        draw_sheet(store, folder, quality, reports / SHEET_FILE)
        found = metrics(quality)
        write_json(reports / DETAILS_FILE, details(quality, {**job.record, **counts}))
        write_json(reports / METRICS_FILE, found)
    _tell(task, found, job.found)
    return found


def _tiles(job: _Job, folder: Path) -> Iterator[dict[str, Any]]:
    """Draw all tiles, sensor by sensor, and yield the quality of each."""
    index = job.store.index
    crs_of = {sensor: get_sensor(sensor).crs for sensor in job.store.sensors}
    for crs in sorted(set(crs_of.values())):
        own = index[index["sensor"].map(crs_of) == crs].sort_values(["sensor", "row"], ignore_index=True)
        ground = Ground(_bounds(own), crs)
        found = job.extract.read(job.rules, ground)
        covered = job.extract.covered(found)
        job.record = job.extract.record(found)
        least = least_area_m2(job.task, job.parameters)
        canvas = Canvas(found, covered, ground, job.extract.path.name, min_area_m2=least)
        _add_counts(job.found, found)
        for sensor, tiles in own.groupby("sensor"):
            size = (int(tiles["height"].iloc[0]), int(tiles["width"].iloc[0]))
            masks = create_masks(folder, str(sensor), len(tiles), size)
            for number, tile in zip(tiles.index.tolist(), tiles.to_dict("records"), strict=True):
                yield _draw(job, canvas, number, tile, masks)
            masks.flush()


def _draw(
    job: _Job,
    canvas: Canvas,
    number: int,
    tile: dict[Hashable, Any],
    masks: np.ndarray[Any, np.dtype[np.uint8]],
) -> dict[str, Any]:
    grid = Grid(**{name: tile[name] for name in ("x_left_m", "y_top_m", "gsd_m", "height", "width")})
    nodata, image = _image(job, tile)
    drawing = canvas.draw(number, grid, nodata)
    masks[tile["row"], ..., 0] = align(drawing.mask, tile["orientation"])
    return {
        **{name: tile[name] for name in ("acquisition", "sensor", "image_id", "row")},
        **measure(job.task, drawing, nodata, image, grid.gsd_m),
        "age_days": age_days(job.extract.date, tile["strip"]),
    }


def _image(job: _Job, tile: dict[Hashable, Any]) -> tuple[Mask, Image | None]:
    """Return where the SAR image has no data, and the image to compare with: optical where there is one."""
    sar = np.asarray(job.store.layer(tile["sensor"], "sar")[tile["row"]])
    nodata = align(np.asarray(~sar.any(axis=-1)), tile["orientation"])
    if not job.parameters.misregistration:
        return nodata, None
    if tile["has_optical"]:
        sar = np.asarray(job.store.layer(tile["sensor"], "optical")[tile["row"]])
    return nodata, align(sar, tile["orientation"]).astype(np.float32)


def _bounds(tiles: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    left, top = tiles["x_left_m"].to_numpy(np.float64), tiles["y_top_m"].to_numpy(np.float64)
    right = left + tiles["width"].to_numpy() * tiles["gsd_m"].to_numpy()
    bottom = top - tiles["height"].to_numpy() * tiles["gsd_m"].to_numpy()
    return np.column_stack((left, bottom, right, top))


def _add_counts(total: Found, found: Found) -> None:
    """Add the counts of one CRS; the whole extract was seen each time."""
    total.seen = max(total.seen, found.seen)
    total.left_out = Counter(total.left_out) + found.left_out
    total.repaired += found.repaired
    total.odd_widths += found.odd_widths


def _tell(task: Task, found: dict[str, Any], counts: Found) -> None:
    for reason, count in counts.left_out.most_common(5):
        _LOG.info("%d objects are left out: %s", count, reason)
    if found["tiles_without_objects"] == found["tiles"]:
        _LOG.warning("there are no %s on any tile; is it the extract of this place?", task)
