"""Maps of a few bytes, for tests of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_file
from components.lib.catalogue.documents import SHA256_MULTIHASH


def made_map(
    folder: Path,
    scene: str = "scene-1",
    *,
    content: str = "probabilities",
    month: str = "2026-11",
    version: str = "1",
    created: str = "2026-11-29T05:00:00Z",
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Write a map's file; return its item and its files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "probability.tif"
    path.write_text(content)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": ["https://stac-extensions.github.io/file/v2.1.0/schema.json"],
        "id": scene,
        "geometry": {"type": "Polygon", "coordinates": [[[4, 51], [5, 51], [5, 52], [4, 52], [4, 51]]]},
        "bbox": [4.0, 51.0, 5.0, 52.0],
        "properties": {
            "title": f"Buildings of {scene}",
            "datetime": f"{month}-02T03:04:05Z",
            "created": created,
            "stormsight:model": {"name": "stormsight-sar", "version": version},
        },
        "links": [],
        "assets": {
            "probability": {
                "href": "./probability.tif",
                "file:checksum": SHA256_MULTIHASH + sha256_file(path),
            }
        },
    }
    return item, {path.name: path}
