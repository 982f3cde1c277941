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
    west: float = 4.0,
    task: str = "buildings",
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Write a map's file; return its item and its files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "probability.tif"
    path.write_text(content)
    ring = [[west, 51], [west + 1, 51], [west + 1, 52], [west, 52], [west, 51]]
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": ["https://stac-extensions.github.io/file/v2.1.0/schema.json"],
        "id": scene,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, 51.0, west + 1, 52.0],
        "properties": {
            "title": f"Buildings of {scene}",
            "datetime": f"{month}-02T03:04:05Z",
            "created": created,
            "stormsight:model": {"name": "stormsight-sar", "version": version},
            **({} if task == "buildings" else {"stormsight:task": task}),
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
