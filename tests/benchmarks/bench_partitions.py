"""Cost of planning a large catalogue: a million manifest rows in 64 partitions, and one split over all tiles.

    python -m tests.benchmarks.bench_partitions [--acquisitions 10000] [--tiles 33]

It prints seconds, seconds of CPU, and the peak of resident memory. Files are made up: no pixel is read. Each
partition is planned in a process of its own, as on a cluster, one after the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract.partitions import MAX_PARTITIONS, acquisitions_of, partition_names
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.raster import encode_geotiff
from components.lib.shards.manifest import FileRow, read_manifest, write_manifest
from components.lib.store.layout import TABLES
from components.prepare.pairing import pair
from components.prepare.parameters import SplitParameters
from components.prepare.pipeline import EXCLUDED_FILE, TILE_COLUMNS, TILES_FILE, Folders
from components.prepare.store import split_store
from components.prepare.writing import plan
from tests.prepare.tiny_raw import corner, sar_values

STRIP = "20190804111224_20190804111453"
SENSOR = "simulated-airborne"
PRODUCTS = ("SAR-Intensity", "PS-RGB", "Buildings")
SPLIT = SplitParameters(west_m=591_550.0, east_m=596_250.0, groups=5, selection_group=3)
HEADER = encode_geotiff(sar_values(1), transform=corner(592_000.0), crs="EPSG:32631", nodata=0)


def rows_of(acquisition: str, first: int, tiles: int) -> list[FileRow]:
    """Manifest rows of one acquisition."""

    def row(name: str, product: str, strip: str, tile: int) -> FileRow:
        return FileRow(
            acquisition=acquisition, sensor=SENSOR, name=name, product=product, strip=strip, tile=tile,
            size=1, sha256="0" * 64, source="s3://bucket/x", shard=f"{acquisition}/shard-000.tar", offset=0,
        )  # fmt: skip

    numbers = range(first, first + tiles)
    made = [row(SPACENET6.file_name(p, STRIP, n), p, STRIP, n) for n in numbers for p in PRODUCTS]
    return [row("SAR_orientations.txt", SPACENET6.summaries.product, "", -1), *made]


def read(row: FileRow) -> bytes:
    """Content of a file: the orientations, or the header of a tile."""
    return f"{STRIP} 0\n".encode() if row.tile == -1 else HEADER


def plan_partition(raw: Path) -> None:
    """Plan one partition as ``prepare`` does before it reads the first pixel."""
    plan(pair(read_manifest(raw), set(), read).tiles, read)


def measured(work: Callable[[], object]) -> tuple[float, float, float]:
    """Run ``work`` in a new process; seconds, seconds of CPU, and MiB of resident memory at most."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        begun, used = time.perf_counter(), time.process_time()
        work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        send.send((time.perf_counter() - begun, time.process_time() - used, peak))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    found: tuple[float, float, float] = receive.recv()
    process.join()
    return found


def write_tables(store: Path, partition: str, tiles: int, random: np.random.Generator) -> None:
    """Write the tables of a partition's tiles, which lie about as densely as in SpaceNet 6."""
    table = pd.DataFrame(
        {
            "acquisition": f"a-{partition}", "sensor": SENSOR, "strip": STRIP, "tile": range(tiles),
            "image_id": [f"{partition}-{n:07d}" for n in range(tiles)], "orientation": 0,
            "position": range(tiles), "x_left_m": random.uniform(591_550, 596_250, tiles),
            "y_top_m": random.uniform(0, 1.0e6, tiles), "gsd_m": 0.5, "height": 900, "width": 900,
            "nodata_share": 0.1, "n_buildings": 9, "has_optical": True, "labelled": True,
        }
    )  # fmt: skip
    folder = store / TABLES / partition
    folder.mkdir(parents=True)
    table[list(TILE_COLUMNS)].astype(dict(TILE_COLUMNS)).to_parquet(folder / TILES_FILE, index=False)
    (folder / EXCLUDED_FILE).write_text("{}")


def main() -> None:
    """Make up the catalogue, and measure."""
    parser = argparse.ArgumentParser(description="Cost of planning a large catalogue.")
    parser.add_argument("--acquisitions", type=int, default=10_000)
    parser.add_argument("--tiles", type=int, default=33, help="of each acquisition")
    options = parser.parse_args()
    names = partition_names({"partitions": MAX_PARTITIONS})
    ids = [f"acquisition-{number}" for number in range(options.acquisitions)]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        numbers = {name: number for number, name in enumerate(ids)}
        total, begun = 0, time.perf_counter()
        inside = {partition: acquisitions_of(partition, ids, names) for partition in names}
        print(f"{len(ids)} ids into {len(names)} partitions: {time.perf_counter() - begun:.2f} s")
        random = np.random.default_rng(1)
        for partition, own in inside.items():
            rows = [row for a in own for row in rows_of(a, numbers[a] * options.tiles, options.tiles)]
            write_manifest(root / "raw" / partition, rows)
            write_tables(root / "store", partition, len(own) * options.tiles, random)
            total += len(rows)
        costs = [measured(lambda p=p: plan_partition(root / "raw" / p)) for p in names]  # type: ignore[misc]
        seconds, cpu = (sum(cost[kind] for cost in costs) for kind in (0, 1))
        peak = max(cost[2] for cost in costs)
        print(f"plan of {total} rows: {seconds:.1f} s in all ({cpu:.1f} s of CPU), {peak:.0f} MiB at most")
        folders = Folders(store=root / "store", metrics=root / "metrics.json")
        seconds, cpu, peak = measured(lambda: split_store(folders, SPLIT, names))
        tiles = options.acquisitions * options.tiles
        print(f"split of {tiles} tiles: {seconds:.1f} s ({cpu:.1f} s of CPU), {peak:.0f} MiB")


if __name__ == "__main__":
    main()
