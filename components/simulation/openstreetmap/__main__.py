"""``python -m components.simulation.openstreetmap``: write a simulated OpenStreetMap of a store's ground."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.lib.cli import report_result, run
from components.lib.config.loader import load_parameters
from components.lib.store.store import Store
from components.simulation.city import city_of
from components.simulation.openstreetmap.extract import boxes_of, write_extract
from components.simulation.openstreetmap.noise import PRESETS
from components.simulation.parameters import WorldParameters


def main() -> None:
    """Write the extract, and print the declaration that stage ``osm`` needs."""
    parser = argparse.ArgumentParser(
        prog="python -m components.simulation.openstreetmap",
        description="Draw roads and buildings of the simulated city (world.seed of params.yaml), on the "
        "ground of a prepared store, as OpenStreetMap might have them; print osm.extract for params.yaml.",
    )
    parser.add_argument("--noise", required=True, metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--out", required=True, type=Path, help="GeoJSON file to write")
    parser.add_argument("--store", type=Path, default=Path("data/prepared"), help="%(default)s")
    parser.add_argument("--seed", type=int, help="draws the errors (world.seed)")
    arguments = parser.parse_args()
    if arguments.noise not in PRESETS:
        raise ParameterError(
            f"--noise: there is no preset {arguments.noise!r}{nearest(arguments.noise, PRESETS)}",
            next_step=f"use one of {', '.join(PRESETS)}",
        )
    if arguments.seed is not None and arguments.seed < 0:
        raise ParameterError("--seed is negative", next_step="use a whole number from 0 on")
    if arguments.out.is_dir():
        raise ParameterError(f"--out {arguments.out} is a folder", next_step="name a .geojson file")
    world = load_parameters("world", WorldParameters)
    seed = world.seed if arguments.seed is None else arguments.seed
    boxes = boxes_of(Store.open(arguments.store))
    found = write_extract(arguments.out, city_of(world.seed), boxes, arguments.noise, seed)
    report_result({"extract": found.declaration(), "counts": found.counts})
    lines = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in found.declaration().items())
    sys.stdout.write(f"osm:\n  extract:\n{lines}")


if __name__ == "__main__":
    run(main)
