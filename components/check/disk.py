"""Rough estimate of the disk that a profile's data need, held against what is free.

The estimate is of the data, as they grow with the profile: models and reports are small beside them. Measured
on the rehearsal world (240 and 120 tiles of 450 pixels): 1.5 GB below data/ and 0.6 GB in DVC's cache, or 28
bytes a pixel, where the cache could link files. On a file system that cannot, it holds copies.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from components.check.findings import Findings
from components.contract.errors import ResourceError
from components.download.catalogue import CatalogueEntry
from components.lib.datasets.sensors import get_sensor
from components.simulation.parameters import WorldParameters

LEAST_BYTES, COPIED_BYTES = 28, 60
"""Bytes for each pixel of a tile: with a cache of links, and of copies."""

RELEASE_TILE_PX = 900
"""Tile side of the real release, pixels."""

GIB = 1 << 30


def check_disk(
    entries: Iterable[CatalogueEntry], world: WorldParameters, root: Path, findings: Findings
) -> None:
    """Compare free disk space with the estimate, less what is there already.

    Args:
        entries: Acquisitions of the profile.
        world: The simulated world.
        root: Folder of the pipeline, on the file system that is asked.
        findings: Takes an error where the data surely do not fit, a warning where copies might not.
    """
    pixels = 0
    for entry in entries:
        found = pixels_of(entry, world)
        if found is None:
            findings.warnings.append(f"disk: the size of {entry.id} is not known before it is fetched")
        pixels += found or 0
    free = shutil.disk_usage(root).free
    present = sum(_size(root / name) for name in ("data", ".dvc/cache"))
    least, copied = (max(0, pixels * each - present) for each in (LEAST_BYTES, COPIED_BYTES))
    if free < least:
        findings.errors.append(
            ResourceError(
                f"disk: about {least / GIB:.1f} GiB are needed in {root.absolute()}, and "
                f"{free / GIB:.1f} are free",
                next_step="free disk space, move the checkout to a larger disk, or choose a smaller profile",
            )
        )
    elif free < copied:
        findings.warnings.append(
            f"disk: {free / GIB:.1f} GiB are free in {root.absolute()}; where DVC's cache cannot link files, "
            f"about {copied / GIB:.1f} are needed"
        )


def pixels_of(entry: CatalogueEntry, world: WorldParameters) -> int | None:
    """Return the pixels of all tiles of an acquisition; None if the entry does not say how many there are."""
    if entry.source.startswith("simulate://"):
        tiles = world.tiles if get_sensor(entry.sensor).paired_optical else max(12, world.tiles // 2)
        return tiles * world.tile_px**2
    return None if entry.tiles is None else entry.tiles * RELEASE_TILE_PX**2


def _size(folder: Path) -> int:
    """Return the bytes of the files below a folder; those that vanish meanwhile count as none."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(path, name).lstat().st_size
    return total
