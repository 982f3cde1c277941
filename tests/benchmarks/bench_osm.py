"""CPU seconds from a PBF file to masks, and ways per CPU second, on a synthetic city.

    python tests/benchmarks/bench_osm.py [--ways 20000] [--tiles 30]

One way in five is a road of 50 m and 6 nodes, the others are buildings of four to eight corners, on tiles of
900 x 900 pixels of 0.5 m: 33 km of roads on each square kilometre, a dense city. Both tasks read the file,
each for itself, check its hash, and draw all tiles, without the search for shifts.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import osmium
from osmium.osm.mutable import Node, Way

from components.contract.hashing import sha256_file
from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.grid import Grid
from components.lib.osm.extract import Extract
from components.lib.osm.ground import Ground
from components.lib.osm.masks import Canvas
from components.lib.osm.tags import BuildingRules, RoadRules, Rules
from components.lib.osm.terms import OBJECT

CRS, WEST, NORTH, SIDE, GSD_M = "EPSG:32631", 592_000.0, 5_750_000.0, 900, 0.5
COLUMNS = 6
RULES: tuple[Rules, ...] = (
    RoadRules({"residential": 4.0, "primary": 6.0}, frozenset({"footway"}), frozenset(), 8.0, 4.0),
    BuildingRules(frozenset({"no"})),
)


def write_city(path: Path, ways: int, tiles: int, seed: int = 0) -> None:
    """Write the city's nodes and ways."""
    random = np.random.default_rng(seed)
    extent = np.array([COLUMNS, -(-tiles // COLUMNS)]) * SIDE * GSD_M
    outlines, tags = [], []
    for k in range(ways):
        place = random.uniform(0, 1, 2) * extent
        if k % 5 == 0:
            heading = random.integers(4) * np.pi / 2 + random.normal(0, 0.1)
            step = np.array([np.cos(heading), np.sin(heading)]) * 10
            outlines.append(place + np.arange(6)[:, None] * step + random.normal(0, 0.5, (6, 2)))
            tags.append(
                {
                    "highway": ("residential", "primary", "footway")[k // 5 % 3],
                    "name": f"street {k}",
                    "lanes": "2",
                }
            )
        else:
            corners = 4 + 2 * int(random.integers(3))
            angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
            ring = np.column_stack((np.cos(angle), np.sin(angle))) * random.uniform(4, 9)
            outlines.append(place + ring)
            tags.append({"building": "yes", "addr:housenumber": str(k)})
    offsets = np.concatenate(outlines)
    degrees = move(np.column_stack((WEST + offsets[:, 0], NORTH - offsets[:, 1])), CRS, LON_LAT, "city")
    with osmium.SimpleWriter(str(path), overwrite=True) as writer:
        for number, (lon, lat) in enumerate(degrees.tolist(), 1):
            writer.add_node(Node(id=number, version=1, location=(lon, lat)))
        first = 1
        for number, (outline, own) in enumerate(zip(outlines, tags, strict=True), 1):
            nodes = [*range(first, first + len(outline))]
            first += len(outline)
            writer.add_way(Way(id=number, version=1, nodes=nodes + nodes[: "building" in own], tags=own))


def draw_city(path: Path, rules: Rules, grids: list[Grid]) -> tuple[int, float]:
    """Return the number of drawn objects and the mean share of their pixels."""
    extract = Extract(
        path=path,
        sha256=sha256_file(path),
        source="synthetic",
        date=dt.date(2019, 8, 1),
        coverage=(3, 51, 6, 53),
    )
    extract.verify()
    side = SIDE * GSD_M
    ground = Ground(
        np.array([(g.x_left_m, g.y_top_m - side, g.x_left_m + side, g.y_top_m) for g in grids]), CRS
    )
    found = extract.read(rules, ground)
    canvas = Canvas(found, extract.covered(found), ground, path.name, min_area_m2=20.0)
    nodata = np.zeros((SIDE, SIDE), dtype=bool)
    shares = [float((canvas.draw(i, grid, nodata).mask == OBJECT).mean()) for i, grid in enumerate(grids)]
    return len(canvas), float(np.mean(shares))


def main() -> None:
    """Print CPU seconds of each task, ways per second and the memory that was used."""
    parser = argparse.ArgumentParser(description="Ways per CPU second from PBF to masks (synthetic city).")
    parser.add_argument("--ways", type=int, default=20_000)
    parser.add_argument("--tiles", type=int, default=30)
    arguments = parser.parse_args()
    side = SIDE * GSD_M
    grids = [
        Grid(
            x_left_m=WEST + (i % COLUMNS) * side,
            y_top_m=NORTH - (i // COLUMNS) * side,
            gsd_m=GSD_M,
            height=SIDE,
            width=SIDE,
        )
        for i in range(arguments.tiles)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "city.osm.pbf"
        write_city(path, arguments.ways, arguments.tiles)
        total = 0.0
        for rules in RULES:
            before = time.process_time()
            objects, share = draw_city(path, rules, grids)
            spent = time.process_time() - before
            total += spent
            print(f"{rules.task}: {objects} objects, {share:.1%} of the pixels, {spent:.2f} CPU s")
    speed = arguments.ways / total
    print(f"{arguments.ways} ways to masks of {len(grids)} tiles: {total:.2f} CPU s, {speed:,.0f} ways/s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
