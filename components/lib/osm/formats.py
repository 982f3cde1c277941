"""Format of an extract by its first bytes; free of NumPy, as the check imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from components.contract.errors import BadDataError
from components.lib.geo.geopackage import is_geopackage

Format = Literal["pbf", "gpkg", "geojson"]

_PBF_BLOCK: Final = b"OSMHeader"
_HEAD_BYTES: Final = 128


def file_format(path: Path) -> Format:
    """Return ``pbf``, ``gpkg`` or ``geojson`` by a file's first bytes.

    Raises:
        BadDataError: If it is none of them.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _PBF_BLOCK in head[:32]:
        return "pbf"
    if is_geopackage(head):
        return "gpkg"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return "geojson"
    raise BadDataError(
        f"{path.name} is neither OpenStreetMap PBF, GeoPackage nor GeoJSON",
        next_step="use an .osm.pbf extract, or export it to GeoPackage",
    )
