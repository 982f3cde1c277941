"""Web page of changes: both maps under one slider, the changes on top, in one HTML file."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import geopandas
import pyproj
import shapely
from markupsafe import Markup

from components.lib.change.footprints.changes import BuildingChanges
from components.lib.change.footprints.rules import FootprintRules
from components.lib.files import write_text
from components.lib.geo.crs import LON_LAT
from components.predict.changes import table as names
from components.predict.changes.opening import OpenedMap
from components.predict.outputs import facts as map_names
from components.predict.outputs.page import (
    INLINE_BYTES,
    as_global,
    embedded,
    environment,
    gradient,
    own_script,
    policy_of,
    size_in_words,
    vendored,
)
from components.predict.outputs.thumbnail import map_picture
from components.predict.outputs.tiles import LAYER

PAGE: Final = "index.html"
LISTED: Final = 50
"""Changes in the list, the surest."""

KINDS: Final = {
    "added": {"light": "#0072b2", "dark": "#56b4e9"},
    "enlarged": {"light": "#7a3e9d", "dark": "#cc9be8"},
    "removed": {"light": "#c4480a", "dark": "#ff9a4d"},
}
"""Colours of the kinds on light and dark ground; told apart by every kind of colour vision."""

_TITLES: Final = {
    names.PARQUET: "Changes, GeoParquet",
    names.GEOPACKAGE: "Changes, GeoPackage",
    names.TILES: "Changes, PMTiles",
    "before.pmtiles": "Footprints before, PMTiles",
    "after.pmtiles": "Footprints after, PMTiles",
}


def write_page(
    folder: Path,
    before: OpenedMap,
    after: OpenedMap,
    found: BuildingChanges,
    rules: FootprintRules,
    *,
    pages: Mapping[str, str | None],
) -> None:
    """Write ``index.html``, and the footprints' tiles of both maps as ``before`` and ``after.pmtiles``.

    Tiles of up to 8 MiB in all are part of the page, the changes before the footprints; larger ones are read
    from beside it.

    Args:
        folder: Folder with ``changes.parquet`` and ``changes.pmtiles``.
        before: Earlier map.
        after: Later map.
        found: Changes.
        rules: Thresholds of the comparison.
        pages: Addresses of the pages of the maps ``before`` and ``after``, where they have some.
    """
    tiles = {"changes": folder / names.TILES}
    for side, opened in (("before", before), ("after", after)):
        tiles[side] = folder / f"{side}.pmtiles"
        shutil.copyfile(opened.folder / map_names.TILES, tiles[side])
    inline = _inline(tiles)
    templates = environment()
    style = "".join(
        (
            vendored("maplibre-gl.css"),
            templates.get_template("page.css").render(gradient=gradient()),
            templates.get_template("changes.css").render(kinds=KINDS),
        )
    )
    scripts = (vendored("pmtiles.js"), as_global(vendored("maplibre-gl.mjs")), own_script("changes.js"))
    listed = _listed(found.table)
    html = templates.get_template("changes.html.j2").render(
        maps=[("Before", before), ("After", after)],
        when={"Before": day_in_words(before.footprints.date), "After": day_in_words(after.footprints.date)},
        pages={label: pages.get(label.lower()) for label in ("Before", "After")},
        same_model=before.same_model(after),
        simulated=before.simulated or after.simulated,
        counts=found.counts(),
        unobserved=found.unobserved,
        listed=listed,
        total=len(found.table),
        rules=rules,
        policy=policy_of(style, scripts, beside=len(inline) < len(tiles)),
        style=Markup(style),  # noqa: S704 - our own style sheets and MapLibre's
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own script and the vendored ones
        worker=Markup(vendored("maplibre-gl-worker.mjs")),  # noqa: S704
        tiles={name: _encoded(tiles[name]) for name in inline},
        data=embedded(_data(before, after, tiles, listed)),
        files=_files(folder),
    )
    write_text(folder / PAGE, html)


def _inline(tiles: dict[str, Path]) -> list[str]:
    """Return the tiles that are part of the page: all, or the changes alone, or none."""
    sizes = {name: path.stat().st_size for name, path in tiles.items()}
    for chosen in (list(tiles), ["changes"]):
        if sum(sizes[name] for name in chosen) <= INLINE_BYTES:
            return chosen
    return []


def _data(
    before: OpenedMap, after: OpenedMap, tiles: dict[str, Path], listed: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what the script works on."""
    pictures = {
        side: asdict(map_picture(opened.folder / map_names.PROBABILITY))
        for side, opened in (("before", before), ("after", after))
    }
    corners = [corner for picture in pictures.values() for corner in picture["corners"]]
    lon, lat = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return {
        "bounds": [[min(lon), min(lat)], [max(lon), max(lat)]],
        "pictures": pictures,
        "tiles": {name: path.name for name, path in tiles.items()},
        "layers": {"footprints": LAYER, "changes": names.LAYER.name},
        "kinds": KINDS,
        "listed": listed,
    }


def _listed(table: geopandas.GeoDataFrame) -> list[dict[str, Any]]:
    """Return the surest changes, with a point inside each."""
    chosen = table.sort_values(["confidence", "area_m2"], ascending=False, kind="stable").head(LISTED)
    inside = shapely.point_on_surface(chosen.geometry.to_numpy())
    to_lon_lat = pyproj.Transformer.from_crs(table.crs, LON_LAT, always_xy=True)
    lon, lat = to_lon_lat.transform(shapely.get_x(inside), shapely.get_y(inside))
    rows = chosen[["kind", "confidence", "area_m2"]].itertuples(index=False, name=None)
    return [
        {
            "kind": kind,
            "confidence": round(confidence, 4),
            "area_m2": round(area, 1),
            "lon": round(float(x), 7),
            "lat": round(float(y), 7),
        }
        for (kind, confidence, area), x, y in zip(rows, lon, lat, strict=True)
    ]


def _files(folder: Path) -> list[dict[str, str]]:
    return [
        {"name": name, "title": title, "size": size_in_words((folder / name).stat().st_size)}
        for name, title in _TITLES.items()
        if (folder / name).exists()
    ]


def _encoded(path: Path) -> Markup:
    return Markup(base64.b64encode(path.read_bytes()).decode())  # noqa: S704 - letters, digits, +, / and =


def day_in_words(when: datetime | None) -> str:
    """Return a day in words."""
    return "unknown day" if when is None else f"{when.day} {when:%B %Y}"
