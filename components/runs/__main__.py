"""Command line: ``python -m components.runs`` and one of ``plan``, ``stage``, ``finish``, ``gate``, ..."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from components.contract.failures import NOTHING_TO_DO
from components.contract.keys import run_name
from components.lib.cli import comma_list, reason, run
from components.runs.environment import Environment


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run one command."""
    options = _parser().parse_args(arguments)
    if options.run is not None:
        options.run = run_name(options.run)
    code: int = options.command(options, Environment.read())
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.runs",
        description="Run the pipeline stage by stage without a shared disk: state lies below "
        "STORMSIGHT_OBJECTS, data in STORMSIGHT_REMOTE, scratch in STORMSIGHT_WORKSPACE.",
    )
    commands = parser.add_subparsers(
        required=True,
        metavar="plan | stage | finish | gate | redrive | release | status | report | cost | lineage",
    )

    plan = commands.add_parser("plan", help="claim what is to be trained; exit 99 if nothing is")
    plan.add_argument("--force", action="store_true", help="train though the same set failed for good")
    plan.add_argument(
        "--acquisitions",
        type=comma_list,
        metavar="ID,ID",
        help="train with these alone (default, also if empty: all that are registered)",
    )
    how = plan.add_mutually_exclusive_group(required=True)
    how.add_argument("--run", metavar="ID", help="the orchestrator's run id")
    how.add_argument(
        "--dry-run",
        action="store_true",
        help="claim nothing: print what would be trained, who is at it, why it is barred or failed",
    )
    plan.set_defaults(command=_plan)

    stage = commands.add_parser("stage", help="run one stage of dvc.yaml; exit with its command's code")
    stage.add_argument("address", help="prepare, distill@disoptnet, ...")
    stage.set_defaults(command=_stage)

    finish = commands.add_parser(
        "finish", help="record the outcome, and compare new acquisitions with the champion"
    )
    finish.set_defaults(command=_finish)

    gate = commands.add_parser(
        "gate", help="exit 0 if the run promoted a model, 77 if it was refused, 99 if it awaits approval"
    )
    gate.set_defaults(command=_gate)

    release = commands.add_parser("release", help="give up the claim of a run that nobody works on any more")
    release.add_argument("--reason", type=reason, required=True, help="kept in the ledger")
    release.set_defaults(command=_release)

    for command in (stage, finish, gate, release):
        command.add_argument("--run", required=True, metavar="ID", help="the orchestrator's run id")

    redrive = commands.add_parser(
        "redrive",
        help="exit 0 if a training that failed by bad luck is to be started again, 99 if none is, 80 if that "
        "was tried too often",
    )
    redrive.set_defaults(command=_redrive, run=None)

    status = commands.add_parser(
        "status",
        help="print one page: champions, what waits, is at work or stuck, failures, rejections, cost of the "
        "last run, quarantined tiles, where its pages are",
    )
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.set_defaults(command=_status, run=None)

    report = commands.add_parser("report", help="fetch the pages of a run and print where they lie")
    report.add_argument("run", metavar="RUN", help="the orchestrator's run id, or its name in the ledger")
    report.add_argument("--out", type=Path, metavar="DIR", help="new folder for them (var/reports/RUN)")
    report.add_argument("--open", action="store_true", help="open the first page in a browser")
    report.set_defaults(command=_report)

    cost = commands.add_parser(
        "cost", help="print what trainings and promoted models cost: seconds, bytes, money, energy"
    )
    cost.add_argument("--last", type=int, default=20, metavar="N", help="runs to list (%(default)s)")
    cost.add_argument("--json", action="store_true", help="print it as JSON")
    cost.set_defaults(command=_cost, run=None)

    lineage = commands.add_parser(
        "lineage", help="print a run's OpenLineage events, one JSON object per line"
    )
    lineage.add_argument("run", metavar="RUN", help="the orchestrator's run id, or its name in the ledger")
    lineage.add_argument("--out", type=Path, metavar="FILE", help="write them to this file instead")
    lineage.set_defaults(command=_lineage)
    return parser


# Each command imports what it needs: DVC takes a while, and `gate` does without it.


def _plan(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.plan import describe_plan, plan  # noqa: PLC0415

    if options.dry_run:
        text, trains = describe_plan(environment, options.acquisitions)
        print(text)
        return 0 if trains else NOTHING_TO_DO
    return plan(environment, options.run, force=options.force, chosen=options.acquisitions)


def _redrive(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.plan import redrive  # noqa: PLC0415

    del options
    return redrive(environment)


def _release(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.release import release  # noqa: PLC0415

    return release(environment, options.run, options.reason)


def _stage(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.stage import run_stage  # noqa: PLC0415

    return run_stage(environment, options.address, options.run)


def _finish(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.finish import finish  # noqa: PLC0415

    return finish(environment, options.run)


def _gate(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.gate import gate  # noqa: PLC0415

    return gate(environment, options.run)


def _status(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.status.page import json_of, read_status, text_of  # noqa: PLC0415

    sections = read_status(environment)
    width = max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    print(json_of(sections, environment) if options.json else text_of(sections, environment, width))
    return 0


def _report(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.pages import fetch_pages, open_page  # noqa: PLC0415

    folder = options.out or Path("var/reports") / options.run
    found = fetch_pages(environment, options.run, folder)
    print("\n".join(str(path) for path in found))
    if options.open:
        open_page(found[0])
    return 0


def _cost(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.cost import json_of, read_cost, text_of  # noqa: PLC0415

    report = read_cost(environment, options.last)
    print(json_of(report) if options.json else text_of(report))
    return 0


def _lineage(options: argparse.Namespace, environment: Environment) -> int:
    from components.runs.lineage import write_lineage  # noqa: PLC0415

    text = write_lineage(environment, options.run, options.out)
    print(options.out if options.out is not None else text, end="\n" if options.out is not None else "")
    return 0


if __name__ == "__main__":
    run(main)
