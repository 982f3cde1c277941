"""Reading of extracts in GeoPackage and GeoJSON, as streams, with the tags as columns.

GDAL opens what looks like a format; here the format is fixed by a prefix, so that a file can name no other
file or address to read. Tags that have no column of their own are looked for in ``other_tags``, as ogr2ogr
writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyogrio
import shapely

from components.contract.errors import BadDataError, ParameterError
from components.lib.foreign import judged
from components.lib.geo.crs import LON_LAT, move, normalised_crs, same_crs
from components.lib.osm.features import Features, Found, Geometries
from components.lib.osm.ground import Ground
from components.lib.osm.tags import Rules, Verdict

PREFIXES = {"gpkg": "GPKG", "geojson": "GeoJSON"}
"""GDAL's driver by format."""

BATCH = 65_536
"""Features that are held at a time."""

_OTHER_TAGS = "other_tags"
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')

_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING)


class LayerReader:
    """Reader of one file of layers.

    Args:
        path: The file.
        file_format: A key of ``PREFIXES``.
        layers: Names of the layers to read; all that have the task's tag where it is empty.
        rules: Rules of the task.
        ground: Tiles of interest.
    """

    def __init__(
        self, path: Path, file_format: str, layers: Sequence[str], rules: Rules, ground: Ground
    ) -> None:
        self.path, self.found = path, Found()
        self._place = f"{PREFIXES[file_format]}:{path}"
        self._format, self._layers = file_format, layers
        self._rules, self._ground = rules, ground
        self._infos: dict[str, dict[str, Any]] = {}

    def read(self) -> Found:
        """Read the file.

        Raises:
            BadDataError: If it is damaged, has no layer with the task's tag, or states no usable CRS.
            ParameterError: If a layer that is named is not there.
        """
        with judged(self.path.name):
            present = [str(name) for name in pyogrio.list_layers(self._place)[:, 0]]
            for name in self._layers:
                if name not in present:
                    raise ParameterError(
                        f"{self.path.name} has no layer {name!r}",
                        next_step=f"set osm.extract.layers to some of {', '.join(present[:20])}",
                    )
            used = [name for name in self._layers or present if self._columns(name)]
            empty = not any(self._info(name)["features"] for name in present)
            if not used and not empty:
                raise BadDataError(
                    f"{self.path.name} has no layer with a column {self._rules.keys[0]} or {_OTHER_TAGS}",
                    next_step="export the tags as columns, or use the PBF file",
                )
            for name in used:
                self._read_layer(name)
        return self.found

    def _info(self, layer: str) -> dict[str, Any]:
        """Return what GDAL says of a layer, asked once: counting may read the whole file."""
        if layer not in self._infos:
            self._infos[layer] = pyogrio.read_info(self._place, layer=layer, force_feature_count=True)
        return self._infos[layer]

    def _columns(self, layer: str) -> list[str]:
        """Return the columns to read of a layer; none for one without the task's tag or without geometry."""
        info = self._info(layer)
        fields = set(info["fields"])
        if info["geometry_type"] is None or not {self._rules.keys[0], _OTHER_TAGS} & fields:
            return []
        return [name for name in (*self._rules.keys, _OTHER_TAGS) if name in fields]

    def _read_layer(self, layer: str) -> None:
        stated = self._info(layer)["crs"]
        if not stated:
            raise BadDataError(
                f"layer {layer} of {self.path.name} states no CRS", next_step="export it with its CRS"
            )
        crs = normalised_crs(str(stated), self.path.name)
        # GeoJSON has no spatial index, and its coordinates are all held against their range.
        indexed = self._format == "gpkg" and same_crs(crs, LON_LAT, self.path.name)
        with pyogrio.open_arrow(
            self._place,
            layer=layer,
            columns=self._columns(layer),
            bbox=self._ground.degrees if indexed else None,
            batch_size=BATCH,
            use_pyarrow=True,
        ) as (_, stream):
            for batch in stream:
                self._read_batch(batch, crs)

    def _read_batch(self, batch: pa.RecordBatch, crs: str) -> None:
        geometry = shapely.from_wkb(batch.column(batch.num_columns - 1).to_pylist(), on_invalid="ignore")
        values = _values(batch, self._rules.keys)
        tagged = np.array([row[0] is not None for row in values], dtype=bool)
        self.found.seen += int(tagged.sum())
        verdicts = [self._rules.judge(row) for row in values]
        for verdict, has_tag in zip(verdicts, tagged.tolist(), strict=True):
            if has_tag and verdict.reason:
                self.found.leave_out(verdict.reason)
        drawn = np.array([not verdict.reason for verdict in verdicts], dtype=bool) & tagged
        missing = drawn & (shapely.is_missing(geometry) | shapely.is_empty(geometry))
        self.found.leave_out("no geometry", int(missing.sum()))
        chosen = np.flatnonzero(drawn & ~missing)
        if len(chosen):
            self._add(self._in_degrees(geometry[chosen], crs), [verdicts[i] for i in chosen.tolist()])

    def _in_degrees(self, geometry: npt.NDArray[np.object_], crs: str) -> Geometries:
        flat = np.asarray(shapely.force_2d(geometry), dtype=object)
        if not same_crs(crs, LON_LAT, self.path.name):
            moved = shapely.transform(flat, lambda xy: move(xy, crs, LON_LAT, self.path.name))
            return np.asarray(moved, dtype=object)
        if not (np.abs(shapely.get_coordinates(flat)) <= (180.0, 90.0)).all():
            raise BadDataError(
                f"{self.path.name} has coordinates that are no longitude and latitude, and no other CRS",
                next_step=f"export it in {LON_LAT}, or with its CRS",
            )
        return flat

    def _add(self, geometry: Geometries, verdicts: list[Verdict]) -> None:
        """Add what meets a tile: lines as they are, closed ones of surfaces and polygons as surfaces."""
        parts, owner = shapely.get_parts(geometry, return_index=True)
        kept = self._ground.meets(parts)
        parts, owner = parts[kept], owner[kept]
        own = [verdicts[i] for i in owner.tolist()]
        kind = shapely.get_type_id(parts)
        line, polygon = np.isin(kind, _LINES), kind == shapely.GeometryType.POLYGON
        self.found.leave_out("neither line nor polygon", int((~line & ~polygon).sum()))
        surface = line & shapely.is_closed(parts) & np.array([verdict.area for verdict in own], dtype=bool)
        open_line = line & ~surface
        if self._rules.task == "buildings":
            self.found.leave_out("outline not closed", int(open_line.sum()))
        else:
            lines = [own[i] for i in np.flatnonzero(open_line).tolist()]
            self.found.odd_widths += sum(verdict.odd_width for verdict in lines)
            self.found.parts.append(Features.of(parts[open_line], lines))
        if surface.any():
            self.found.add_rings(parts[surface], [own[i] for i in np.flatnonzero(surface).tolist()])
        if polygon.any():
            self.found.add_polygons(parts[polygon], [own[i] for i in np.flatnonzero(polygon).tolist()])


def _values(batch: pa.RecordBatch, keys: Sequence[str]) -> list[tuple[str | None, ...]]:
    """Return the values of ``keys`` of each row, from their columns or from ``other_tags``."""
    columns = {
        name: [None if value is None else str(value) for value in batch.column(name).to_pylist()]
        for name in batch.schema.names[:-1]
    }
    others = columns.pop(_OTHER_TAGS, None)
    nothing: list[str | None] = [None] * batch.num_rows
    rows = list(zip(*(columns.get(key, nothing) for key in keys), strict=True))
    if others is None:
        return rows
    return [
        row if text is None else _filled(row, keys, dict(_PAIR.findall(text)))
        for row, text in zip(rows, others, strict=True)
    ]


def _filled(row: tuple[str | None, ...], keys: Sequence[str], tags: dict[str, str]) -> tuple[str | None, ...]:
    return tuple(tags.get(key) if value is None else value for key, value in zip(keys, row, strict=True))
