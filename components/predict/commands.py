"""Commands of the DAG ``map``, and ``remap``, which does the work of all of them in one process."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from components.contract.keys import run_name
from components.lib.cli import comma_list
from components.lib.mapping.blocks import MOST_GROUPS
from components.lib.objects.opening import objects_from_environment

if TYPE_CHECKING:
    from components.predict.mapper import Mapper
    from components.predict.orchestrated import Command

NAMES = ("plan", "group", "merge", "compare", "remap")
"""First words of the command line by which these commands are told from scenes."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to a parser; each sets ``command`` to a function of the options and a mapper."""
    plan = commands.add_parser("plan", help="plan the maps that are missing; exit 99 if none is")
    _add_run(plan)
    _add_acquisitions(plan)
    plan.add_argument(
        "--groups",
        type=_groups,
        default=1,
        metavar="N",
        help=f"divide the blocks into so many groups (%(default)s; {MOST_GROUPS} at most)",
    )
    plan.set_defaults(command=_plan)

    group = commands.add_parser("group", help="map one group of blocks; exit 99 if there is no such group")
    _add_run(group)
    group.add_argument("--number", type=int, required=True, metavar="N", help="number of the group, from 0")
    group.set_defaults(command=_group)

    merge = commands.add_parser("merge", help="write and publish the maps whose blocks are there")
    _add_run(merge)
    merge.set_defaults(command=_merge)

    compare = commands.add_parser(
        "compare",
        help="publish the changes of each map of a run since the last earlier one of its ground; exit 99 if "
        "there is none",
    )
    _add_run(compare)
    compare.set_defaults(command=_compare)

    remap = commands.add_parser(
        "remap", help="plan, map, merge and compare here, as after a rollback; exit 99 if no map is missing"
    )
    _add_acquisitions(remap)
    remap.set_defaults(command=_remap)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", required=True, metavar="ID", help="the orchestrator's run id")


def _add_acquisitions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--acquisitions",
        type=comma_list,
        metavar="ID,ID",
        help="map these alone (default, also if empty: all that are registered)",
    )


def _groups(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST_GROUPS:
        raise argparse.ArgumentTypeError(f"{text} is no number between 1 and {MOST_GROUPS}")
    return number


def _open(run: str, mapper: Mapper) -> Command:
    from components.predict.orchestrated import Command  # noqa: PLC0415 - slow imports

    return Command(objects_from_environment(), mapper, run_name(run))


def _plan(options: argparse.Namespace, mapper: Mapper) -> int:
    return _open(options.run, mapper).plan(options.groups, options.acquisitions)


def _group(options: argparse.Namespace, mapper: Mapper) -> int:
    return _open(options.run, mapper).group(options.number)


def _merge(options: argparse.Namespace, mapper: Mapper) -> int:
    return _open(options.run, mapper).merge()


def _compare(options: argparse.Namespace, mapper: Mapper) -> int:
    from components.predict.comparing import compare_run  # noqa: PLC0415 - slow imports

    return compare_run(objects_from_environment(), run_name(options.run), geopackage=mapper.geopackage)


def _remap(options: argparse.Namespace, mapper: Mapper) -> int:
    from components.predict.comparing import compare_quietly  # noqa: PLC0415 - slow imports

    run = f"remap-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    command = _open(run, mapper)
    if code := command.plan(1, options.acquisitions) or command.group(0):
        return code
    try:
        return command.merge()
    finally:  # the maps that are finished, whatever became of the others
        compare_quietly(objects_from_environment(), run_name(run), geopackage=mapper.geopackage)
