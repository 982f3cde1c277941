"""Simulated releases as users have them: a folder of tiles, a partition of shards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.shards.manifest import FileRow, write_manifest
from components.lib.shards.writer import ShardWriter
from components.simulation.release import ReleaseFile
from tests.lib.shards.packed import packed_row

AIRBORNE, SPACEBORNE = "simulated-airborne", "simulated-spaceborne"


def write_folder(files: Iterable[ReleaseFile], root: Path) -> Path:
    """Write a release into a folder, as it is unpacked."""
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return root / REHEARSAL.root


def write_partition(files: Iterable[ReleaseFile], raw: Path, acquisition: str, sensor: str) -> list[FileRow]:
    """Write a release as the shards of a partition."""
    rows = []
    with ShardWriter(raw / acquisition) as shards:
        for file in files:
            name = Path(file.path).name
            product = REHEARSAL.product_of(file.path)
            assert product is not None
            parsed = REHEARSAL.parse(name) if REHEARSAL.matches(name) else None
            place = ("", -1) if parsed is None else (parsed.strip, parsed.tile)
            rows.append(
                packed_row(
                    shards,
                    name,
                    file.content,
                    acquisition=acquisition,
                    sensor=sensor,
                    product=product,
                    strip=place[0],
                    tile=place[1],
                )
            )
    write_manifest(raw, rows)
    return rows
