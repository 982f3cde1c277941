"""Recognition of GeoPackages by their first bytes, whatever a file's name ends in."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 72
"""First bytes of a file that tell."""

_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION: Final = slice(68, 72)
_APPLICATION_IDS: Final = (b"GPKG", b"GP10", b"GP11")
"""Bytes 68 to 71 of a GeoPackage (OGC 12-128r19, requirement 2); another SQLite file may name other files."""


def is_geopackage(head: bytes) -> bool:
    """Return whether a file that begins with ``head``, ``HEAD_BYTES`` or more, is a GeoPackage."""
    return head.startswith(_MAGIC) and head[_APPLICATION] in _APPLICATION_IDS
