"""``python -m components.acquisitions register|list|withdraw|land``."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.acquisitions.parameters import ID, LandOptions
from components.contract.errors import BadDataError, ParameterError
from components.contract.failures import NOTHING_TO_DO
from components.contract.variables import PROFILE
from components.lib.cli import reason, report_result, run
from components.lib.objects.conditional import require_conditional_writes
from components.lib.objects.opening import landing_from_environment, objects_from_environment

if TYPE_CHECKING:
    from components.acquisitions.landing import Description
    from components.acquisitions.rejections import Rejection

_WORLD = "section world of params.yaml, under STORMSIGHT_PROFILE"

SHOWN = 5
"""Rejections that the message of a command tells in full."""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run one command."""
    options = parser().parse_args(arguments)
    code: int = options.command(options)
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m components.acquisitions",
        description="Acquisitions arrive in STORMSIGHT_LANDING (default var/landing): <id>/COMPLETE.json "
        "and the files it names; ledger and catalogue are in STORMSIGHT_OBJECTS (default var/objects).",
    )
    commands = command.add_subparsers(metavar="register | list | withdraw | land", required=True)

    register = commands.add_parser(
        "register", help="check and register what has landed; exit 99 if nothing is new"
    )
    register.add_argument("--again", action="store_true", help="also what was rejected and has not changed")
    register.set_defaults(command=_register)

    show = commands.add_parser("list", help="show all acquisitions and their states")
    show.add_argument("--json", action="store_true", help="for machines")
    show.set_defaults(command=_list)

    withdraw = commands.add_parser(
        "withdraw", help="take an acquisition out of all trainings to come, and stop those at work"
    )
    withdraw.add_argument("id")
    withdraw.add_argument("--reason", type=reason, required=True, help="kept in the ledger")
    withdraw.set_defaults(command=_withdraw)

    land = commands.add_parser(
        "land", help="land a simulated acquisition, or a copy of a folder; for trials and tests"
    )
    land.add_argument("--id", help="default: the sensor and the time")
    land.add_argument("--sensor", default="simulated-airborne", help="(%(default)s)")
    land.add_argument("--seed", type=int, help=f"of the city (default: {_WORLD})")
    land.add_argument("--tiles", type=int, default=12, help="12 to 3401 (%(default)s)")
    land.add_argument("--tile-px", type=int, help=f"side in pixels (default: {_WORLD})")
    land.add_argument("--folder", type=Path, help="land a copy of this folder, in the release's layout")
    land.add_argument("--title", help="with --folder")
    land.add_argument("--licence", help="with --folder: name of the licence")
    land.add_argument("--credit", help="with --folder: the licence's credit line")
    land.set_defaults(command=_land)
    return command


def _register(options: argparse.Namespace) -> int:
    from components.acquisitions.registration import Registrar  # noqa: PLC0415

    objects = objects_from_environment()
    require_conditional_writes(objects)
    found = Registrar(landing_from_environment(), objects, again=options.again).look()
    for name in found.registered:
        print(f"registered {name}")
    if found.rejected:
        # Told once, whatever else went well: at the next call the same folder counts as nothing new.
        raise _rejection_of(found.rejected)
    if found.registered:
        report_result({"registered": found.registered})
        return 0
    for error in found.unavailable.values():
        raise error
    print("nothing new" + (f"; no marker yet: {', '.join(found.waiting)}" if found.waiting else ""))
    return NOTHING_TO_DO


def _rejection_of(rejected: Sequence[Rejection]) -> BadDataError:
    """Return the failure that tells all rejections of a look."""
    if len(rejected) == 1:
        return BadDataError(rejected[0].message, next_step=rejected[0].next_step)
    shown = [rejection.message for rejection in rejected[:SHOWN]]
    more = [f"and {len(rejected) - SHOWN} more"] if len(rejected) > SHOWN else []
    return BadDataError(
        f"{len(rejected)} acquisitions are rejected: {'; '.join(shown + more)}",
        next_step="see `python -m components.acquisitions list`; the log has the next step of each",
    )


def _list(options: argparse.Namespace) -> int:
    from components.acquisitions.overview import json_of, overview, text_of  # noqa: PLC0415

    rows = overview(landing_from_environment(), objects_from_environment())
    print(json_of(rows) if options.json else text_of(rows))
    return 0


def _withdraw(options: argparse.Namespace) -> int:
    from components.lib.operations.operations import Operations  # noqa: PLC0415

    operations = Operations(objects_from_environment())
    done = operations.withdraw(options.id, options.reason)
    print(f"withdrew {options.id}" if done else f"{options.id} was withdrawn before")
    for stopped in operations.stop_trainings_with(options.id):  # also what a killed attempt left at work
        print(f"run {stopped} trains with it: its claim is ended, and it stops within a quarter of its lease")
    return 0


def _land(options: argparse.Namespace) -> int:
    from components.acquisitions.landing import land_folder, land_simulated  # noqa: PLC0415

    landing = landing_from_environment()
    if options.folder is None:
        marker = land_simulated(landing, _land_options(options))
    else:
        marker = land_folder(landing, options.folder, _description(options))
    print(f"landed {marker.id}: {marker.tiles} tiles, {len(marker.files)} files in {landing.uri}/{marker.id}")
    return 0


def _land_options(options: argparse.Namespace) -> LandOptions:
    from pydantic import ValidationError  # noqa: PLC0415

    from components.lib.config.loader import load_under  # noqa: PLC0415
    from components.simulation.parameters import WorldParameters  # noqa: PLC0415

    given = {"seed": options.seed, "tile_px": options.tile_px}
    if None in given.values():
        world = load_under(os.environ.get(PROFILE) or None, "world", WorldParameters)
        given = {name: getattr(world, name) if value is None else value for name, value in given.items()}
    try:
        return LandOptions.model_validate(
            {"id": _id(options), "sensor": options.sensor, "tiles": options.tiles, **given}
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise ParameterError(
            f"--{name}: {first['msg']} (got {first['input']!r})", next_step=f"correct --{name}"
        ) from error


def _description(options: argparse.Namespace) -> Description:
    from pydantic import ValidationError  # noqa: PLC0415

    from components.acquisitions.landing import Description  # noqa: PLC0415
    from components.acquisitions.marker import Licence  # noqa: PLC0415

    for name in ("title", "licence", "credit"):
        if not getattr(options, name):
            raise ParameterError(
                f"--{name} is missing", next_step="say what the folder is and on what terms it may be used"
            )
    try:
        licence = Licence(name=options.licence, credit=options.credit)
    except ValidationError as error:
        first = error.errors()[0]
        name = {"name": "licence"}.get(str(first["loc"][0]), str(first["loc"][0]))
        raise ParameterError(f"--{name}: {first['msg']}", next_step=f"correct --{name}") from error
    return Description(id=_id(options), sensor=options.sensor, title=options.title, licence=licence)


def _id(options: argparse.Namespace) -> str:
    name = options.id or f"{options.sensor}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if re.fullmatch(ID, name) is None:
        raise ParameterError(
            f"--id {name!r} is no id", next_step="use at most 63 of a-z, 0-9 and -, not - first"
        )
    return name


if __name__ == "__main__":
    run(main)
