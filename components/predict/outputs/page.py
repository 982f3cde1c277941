"""Web page of a map: one HTML file that works from a folder, a file server or an e-mail."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import shapely
from jinja2 import Environment
from markupsafe import Markup

from components.lib.files import write_text
from components.lib.templating import html_environment
from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.item import footprint
from components.predict.outputs.reading import BINS, Summary
from components.predict.outputs.thumbnail import map_picture, palette
from components.predict.outputs.tiles import LAYER

TEMPLATES: Final = Path(__file__).parent.parent / "page"
VENDOR: Final = TEMPLATES / "vendor"

INLINE_BYTES: Final = 8 * 2**20
"""Larger archives of tiles stay beside the page, which then reads the parts that it shows."""

CHANGES: Final = "../changes/index.html"
"""Address of the map's changes, which are made later: the catalogue keeps a page there in any case."""

_TITLES: Final = {
    names.FOOTPRINTS: "Footprints, GeoParquet",
    names.GEOPACKAGE: "Footprints, GeoPackage",
    names.PROBABILITY: "Probability, GeoTIFF",
    names.TILES: "Footprints, PMTiles",
    names.ITEM: "Description, STAC item",
}
_COLOUR_STEPS: Final = 17
_EXPORTS: Final = re.compile(r"export\{([^{}]*)\};?\s*$")
_SOURCE_MAP: Final = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def write_page(folder: Path, facts: MapFacts, summary: Summary) -> None:
    """Write ``index.html`` from the files of a map of buildings that ``folder`` holds.

    Args:
        folder: Folder with ``probability.tif``, ``footprints.pmtiles`` and what else there is to link to;
            ``item.json`` is linked to, and may be written later.
        facts: Facts of the map.
        summary: Numbers of its footprints.
    """
    write_map_page(
        folder,
        facts,
        "page",
        tiles=names.TILES,
        titles=_TITLES,
        data=_data(summary),
        values={"summary": summary, "bars": _bars(summary), "changes": CHANGES, "layer": LAYER},
    )


def write_map_page(
    folder: Path,
    facts: MapFacts,
    name: str,
    *,
    tiles: str,
    titles: Mapping[str, str],
    data: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Write ``index.html`` of a map by its template.

    The page runs no script but its own, whose hashes its content security policy names, and fetches nothing
    from elsewhere. Tiles of up to 8 MiB are part of it; larger ones are read from beside it.

    Args:
        folder: Folder with the files of the map.
        facts: Facts of the map.
        name: Name of template and script, and of a style sheet beside the common one.
        tiles: File of the vector tiles.
        titles: Titles of the files to link to, by name.
        data: JSON that the script works on.
        values: Values of the template beside those of all maps.
    """
    archive = folder / tiles
    inline = archive.stat().st_size <= INLINE_BYTES
    templates = environment()
    sheets = [sheet for sheet in dict.fromkeys(("page.css", f"{name}.css")) if (TEMPLATES / sheet).exists()]
    rendered = "".join(templates.get_template(sheet).render(gradient=gradient()) for sheet in sheets)
    style = vendored("maplibre-gl.css") + rendered
    scripts = (vendored("pmtiles.js"), as_global(vendored("maplibre-gl.mjs")), own_script(f"{name}.js"))
    html = templates.get_template(f"{name}.html.j2").render(
        facts=facts,
        policy=policy_of(style, scripts, beside=not inline),
        style=Markup(style),  # noqa: S704 - our own style sheets and MapLibre's
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own script and the vendored ones
        worker=Markup(vendored("maplibre-gl-worker.mjs")),  # noqa: S704
        tiles=Markup(base64.b64encode(archive.read_bytes()).decode()) if inline else "",  # noqa: S704
        data=embedded({**_ground(folder, facts), **data}),
        files=_files(folder, titles),
        when=_when(facts),
        crs=facts.scene.crs if facts.scene.crs.startswith("EPSG:") else "a CRS without a code",
        km2=_km2,
        **values,
    )
    write_text(folder / names.PAGE, html)


def _ground(folder: Path, facts: MapFacts) -> dict[str, Any]:
    """Return outline, extent and picture of a map, which every script works on."""
    ground = footprint(facts.grid, facts.scene.crs)
    west, south, east, north = ground.bounds
    return {
        "bounds": [[west, south], [east, north]],
        "ground": {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(ground)},
        "picture": asdict(map_picture(folder / names.PROBABILITY)),
    }


def _data(summary: Summary) -> dict[str, Any]:
    """Return what the script works on."""
    return {
        "tiles": {"footprints": names.TILES},
        "layer": LAYER,
        "palette": [_hex(k / (_COLOUR_STEPS - 1)) for k in range(_COLOUR_STEPS)],
        "histogram": summary.histogram,
        "largest": [asdict(building) for building in summary.largest],
    }


def _bars(summary: Summary) -> list[dict[str, Any]]:
    """Return the bars of the histogram, from the first that is not empty."""
    first = next((k for k, count in enumerate(summary.histogram) if count), BINS - 1)
    most = max(*summary.histogram, 1)
    return [
        {
            "start": k / BINS,
            "height": round(10 * count / most, 3),
            "colour": _hex((k + 0.5) / BINS),
            "label": f"{k / BINS:.2f} to {(k + 1) / BINS:.2f}: {count:,}",
        }
        for k, count in enumerate(summary.histogram)
        if k >= first
    ]


def _files(folder: Path, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the files to link to: those that are there, and the item, which is written last."""
    listed = []
    for name, title in titles.items():
        path = folder / name
        if path.exists():
            listed.append({"name": name, "title": title, "size": size_in_words(path.stat().st_size)})
        elif name == names.ITEM:
            # The catalogue keeps the item above the folder of the files.
            listed.append({"name": f"../{name}", "title": title, "size": ""})
    return listed


def policy_of(style: str, scripts: Sequence[str], *, beside: bool) -> str:
    """Return the content security policy: these scripts, this style sheet, pictures of the page itself."""
    fetched = "'self' blob: data:" if beside else "blob: data:"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {_digest(style)}",
            "img-src data: blob:",
            "worker-src blob: data:",
            f"connect-src {fetched}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(value: Any) -> Markup:  # noqa: ANN401 - any JSON
    """Return JSON for a script element, in which no value can end the element."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character that HTML gives a meaning is escaped above


@lru_cache(maxsize=8)
def vendored(name: str) -> str:
    """Return a vendored file without the address of its source map, which would be fetched."""
    return _SOURCE_MAP.sub("", (VENDOR / name).read_text(encoding="utf-8"))


def own_script(name: str) -> str:
    """Return a page's own script, after what the pages share."""
    return "".join((TEMPLATES / part).read_text(encoding="utf-8") for part in ("shared.js", name))


def as_global(module: str) -> str:
    """Return MapLibre's module with its exports as ``globalThis.maplibregl``.

    An inline module has no address from which another could import it.
    """
    match = _EXPORTS.search(module)
    assert match is not None, "the vendored MapLibre module ends with its exports"
    pairs = (part.split(" as ") for part in match[1].split(","))
    members = ",".join(f"{exported}:{local}" for local, exported in pairs)
    return f"{module[: match.start()]}globalThis.maplibregl={{{members}}};"


def environment() -> Environment:
    """Return the templates of pages."""
    return html_environment(TEMPLATES)


def gradient() -> str:
    """Return the colours of confidence as stops of a CSS gradient."""
    return ", ".join(_hex(k / (_COLOUR_STEPS - 1)) for k in range(_COLOUR_STEPS))


def _hex(probability: float) -> str:
    red, green, blue = palette()[1 + round(254 * probability)]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _when(facts: MapFacts) -> str:
    """Return the time of the acquisition in words."""
    if facts.scene.acquired is None:
        return "Time of acquisition unknown"
    begin, end = facts.scene.acquired
    if begin.date() != end.date():
        return f"{_utc(begin)} to {_utc(end)}"
    until = "" if f"{begin:%H:%M}" == f"{end:%H:%M}" else f"\N{EN DASH}{end:%H:%M}"
    return f"{begin.day} {begin:%B %Y, %H:%M}{until} UTC"


def _utc(time: datetime) -> str:
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def _km2(area: float) -> str:
    """Return square kilometres, two decimals or, of little ground, two digits."""
    return f"{area:,.2f}" if area >= 0.1 or not area else f"{area:.2g}"


def size_in_words(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1e4:
        return f"{size:,} bytes"
    return f"{size / 1e3:,.0f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"
