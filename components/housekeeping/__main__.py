"""``python -m components.housekeeping prune|verify|upload-dumps``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.contract.errors import BadDataError
from components.housekeeping.parameters import Places, Policy
from components.lib.cli import report_result, run
from components.lib.objects.opening import objects_from_environment, open_objects


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(
        prog="python -m components.housekeeping",
        description="Remove what the policy no longer keeps, check ledgers, catalogue and records, or copy "
        "dumps of databases out of the cluster.",
    )
    commands = parser.add_subparsers(required=True, metavar="prune | verify | upload-dumps")
    prune = commands.add_parser(
        "prune",
        help="remove records, checkpoints, data and deliveries that the policy (params.yaml) does not keep",
    )
    prune.add_argument(
        "--dry-run",
        action="store_true",
        help="remove nothing, show what would go, and what each training holds",
    )
    prune.set_defaults(command=_prune)
    verify = commands.add_parser("verify", help="check the ledgers and records; exit 65 if anything is wrong")
    verify.set_defaults(command=_verify)
    upload = commands.add_parser("upload-dumps", help="copy the dumps of a folder to an object store")
    upload.add_argument("folder", type=Path, help="folder of NAME.dump")
    upload.add_argument("store", help="s3://bucket/prefix, or a folder")
    upload.set_defaults(command=_upload_dumps)
    options = parser.parse_args(arguments)
    options.command(options)


def _prune(options: argparse.Namespace) -> None:
    from components.housekeeping.prune import prune  # noqa: PLC0415 - slow imports
    from components.housekeeping.report import freed_table, trainings_table  # noqa: PLC0415

    places = Places.from_environment()
    pruned = prune(places, Policy.load(places.source / "params.yaml"), dry_run=options.dry_run)
    print(trainings_table(pruned.trainings), freed_table(pruned.freed, dry_run=options.dry_run), sep="\n")
    report_result({"freed_bytes": sum(f.size for f in pruned.freed), "dry_run": options.dry_run})


def _verify(options: argparse.Namespace) -> None:
    from components.housekeeping.verify import findings_table, verify  # noqa: PLC0415

    del options
    findings = verify(objects_from_environment())
    print(findings_table(findings))
    wrong = [finding for finding in findings if not finding.sound]
    if wrong:
        raise BadDataError(
            "; ".join(f"{finding.subject}: {finding.state}" for finding in wrong),
            next_step="restore what is named from a backup or an older version of the object; nothing is "
            "added to a broken chain until then",
        )


def _upload_dumps(options: argparse.Namespace) -> None:
    from components.housekeeping.dumps import upload_dumps  # noqa: PLC0415

    report_result({"uploaded": upload_dumps(options.folder, open_objects(options.store))})


if __name__ == "__main__":
    run(main)
