"""``python -m components.predict SCENE... --model MODEL --out DIR``: maps of scenes."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from components.contract.variables import PROFILE
from components.lib.cli import run
from components.predict.commands import NAMES, add_commands

CHAMPION = "models:/stormsight-sar@champion"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and map."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in NAMES:
        return _orchestrated(given)
    if given and given[0] == "changes":
        _changes(given[1:])
        return 0
    if given and given[0] == "roads":
        _roads(given[1:])
        return 0
    _map(_parser().parse_args(given))
    return 0


def _orchestrated(arguments: list[str]) -> int:
    """Run one of the commands of the DAG ``map``, on what is registered."""
    parser = argparse.ArgumentParser(prog="python -m components.predict")
    add_commands(parser.add_subparsers(metavar=" | ".join(NAMES), required=True))
    options = parser.parse_args(arguments)
    from components.predict.deliveries import DeliveryMapper  # noqa: PLC0415
    from components.predict.rules import load_rules  # noqa: PLC0415

    code: int = options.command(options, DeliveryMapper(load_rules(profile=os.environ.get(PROFILE) or None)))
    return code


def _changes(arguments: list[str]) -> None:
    """Compare two maps of the same ground."""
    from components.predict.changes.command import add_command, map_changes  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m components.predict changes",
        description="Added, removed and enlarged buildings between two maps of the same ground, without any "
        "learning: changes.parquet, vector tiles and a web page.",
    )
    add_command(parser)
    found = map_changes(parser.parse_args(arguments))
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(found.text)


def _roads(arguments: list[str]) -> None:
    """Trace the road graph of a raster."""
    from components.predict.roads.command import add_command, map_roads  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m components.predict roads",
        description="Road graph of a mask or a raster of probabilities: centre lines between junctions with "
        "length, width, inferred speed and travel time, as GeoJSON, GeoParquet, GraphML or CSV in pixels. "
        "Lengths and areas are metres in any CRS; the graph does not depend on the raster's tiling.",
    )
    add_command(parser)
    print(map_roads(parser.parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.predict",
        description="Map scenes: probabilities, footprints of buildings or, by a model of roads, the road "
        "graph, and a web page for each, into a folder of its own. A killed run goes on by the same command.",
        epilog=f"Registered acquisitions are mapped by the DAG `map`: {' | '.join(NAMES)} instead of a SCENE "
        "are its commands; `remap` does the work of all of them here, as after a rollback. Each map of "
        "buildings is compared with the last earlier one of its ground in DIR; any two by "
        "`changes BEFORE_MAP AFTER_MAP`. "
        "`roads --mask FILE --out FILE` traces the road graph of a raster.",
    )
    parser.add_argument(
        "scenes",
        nargs="+",
        metavar="SCENE",
        help="GeoTIFF, folder of tiles, partition of tar shards (data/raw/p00), or s3:// address of one; all "
        "looks of one SCENE make one map",
    )
    parser.add_argument(
        "--model", default=CHAMPION, help="registered model, folder or item.json (%(default)s)"
    )
    parser.add_argument(
        "--fallback",
        metavar="MODEL",
        help="model to map with where --model has no champion; the map then says that it is not promoted",
    )
    parser.add_argument("--out", default="maps", metavar="DIR", help="folder or s3:// address (%(default)s)")
    parser.add_argument("--fuse", action="store_true", help="one map from all scenes together")
    parser.add_argument("--sensor", help="sensor of the scenes, where their names do not tell")
    parser.add_argument(
        "--orientation",
        type=int,
        choices=(0, 1),
        help="1 if imaged from the south, 0 from the north, where the release does not tell",
    )
    parser.add_argument(
        "--statistics-of",
        metavar="SENSOR",
        help="map a sensor that the model does not know as if it were this one: of unknown worth",
    )
    parser.add_argument(
        "--outlines", choices=("raw", "simplified", "regular"), help="of buildings (default: map.outlines)"
    )
    parser.add_argument(
        "--gpkg", action="store_true", default=None, help="a GeoPackage, too (default: map.gpkg)"
    )
    parser.add_argument(
        "--no-changes", action="store_true", help="leave out the comparison with the last earlier map"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: map.workers)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: map.device")
    parser.add_argument("--scratch", type=Path, default=Path("var/maps/fetched"), help=argparse.SUPPRESS)
    return parser


# Heavy imports stay inside the command: a typo in the parameters is reported before torch is loaded.


def _map(options: argparse.Namespace) -> None:
    from components.predict.rules import changed, load_rules  # noqa: PLC0415

    given = {name: getattr(options, name) for name in ("outlines", "gpkg", "workers", "device")}
    rules = changed(load_rules(), {name: value for name, value in given.items() if value is not None})
    rules = replace(rules, statistics_of=options.statistics_of)
    from components.predict.local import map_all  # noqa: PLC0415
    from components.predict.request import MapRequest  # noqa: PLC0415

    groups = [tuple(options.scenes)] if options.fuse else [(scene,) for scene in options.scenes]
    requests = [
        MapRequest(
            sources=sources,
            model=options.model,
            rules=rules,
            sensor=options.sensor,
            orientation=options.orientation,
            scratch=options.scratch,
        )
        for sources in groups
    ]
    map_all(
        requests,
        options.out,
        fallback=options.fallback,
        changes=not options.no_changes,
        outlines=options.outlines is not None,
    )


if __name__ == "__main__":
    run(main)
