"""Tiny releases in a landing place; their bytes stand for rasters, no reader looks into them here."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.objects.protocol import ObjectStore

PREFIX = "train/AOI_11_Rotterdam/"
STRIP = "20190804111224_20190804111453"


def release(tiles: int = 2, seed: int = 0, strip: str = STRIP) -> dict[str, bytes]:
    """Release-relative path -> content."""
    rng = np.random.default_rng(seed)
    files = {}
    for index in range(tiles):
        for product in ("SAR-Intensity", "PS-RGB", "Buildings"):
            name = SPACENET6.file_name(product, strip, 8000 + index)
            files[f"{PREFIX}{SPACENET6.folder(product)}/{name}"] = rng.bytes(2000 + index)
    files[f"{PREFIX}SummaryData/SAR_orientations.txt"] = f"{strip} 1\n".encode()
    return files


def marker(name: str, files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
    """The marker of a release."""
    return {
        "id": name,
        "sensor": "capella-airborne",
        "simulated": False,
        "title": "Tiny release",
        "licence": {"name": "CC BY-SA 4.0", "credit": "nobody", "url": None},
        "prefix": PREFIX,
        "products": ["SAR-Intensity", "PS-RGB", "Buildings", "Summary"],
        "tiles": sum("/SAR-Intensity/" in path for path in files),
        "files": [
            {"key": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files.items()
        ],
        **changes,
    }


def land(
    landing: ObjectStore, name: str, files: dict[str, bytes] | None = None, **changes: Any
) -> dict[str, bytes]:
    """Upload a release and its marker; return the files."""
    files = release() if files is None else files
    for path, content in files.items():
        landing.put(f"{name}/{path}", content)
    landing.put(f"{name}/COMPLETE.json", json.dumps(marker(name, files, **changes)).encode())
    return files


def strip_of_day(day: int) -> str:
    """A strip's name of its own."""
    return f"201908{day:02d}111224_201908{day:02d}111453"
