"""``python -m tests.campaign``: hostile inputs for every reader, kills of every command, one table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Before anything heavy is imported: a forked child must find no thread of the parent's.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.update(
    {
        "MLFLOW_DISABLE_TELEMETRY": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "DVC_NO_ANALYTICS": "true",
        "DO_NOT_TRACK": "1",
    }
)

from tests.campaign.catalogue import READERS, make_reader
from tests.campaign.table import breaches, write
from tests.campaign.verdicts import Judgement, Outcome

KILLS = "kill-"
"""Beginning of the names of what kills commands."""


def main() -> int:
    """Run the campaign; exit 1 if anything happened that must not."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="stormsight-chaos.") as scratch:
        root = options.keep or Path(scratch)
        if options.one is not None:
            judgements = _one(options.reader[0], options.one, root)
        else:
            judgements = _all(options, root)
        text = write(options.output, judgements, _settings(options))
    print(text, end="")
    return 1 if breaches(judgements) else 0


def _one(reader: str, seed: int, root: Path) -> list[Judgement]:
    judgements = make_reader(reader, root / reader).judge([seed])
    for judgement in judgements:
        print(f"{judgement.mutation}\n{judgement.outcome}: {judgement.reason}\n")
    return judgements


def _all(options: argparse.Namespace, root: Path) -> list[Judgement]:
    """Judge in rounds, each reader a share, until the number is reached or the time is over."""
    end = time.monotonic() + 60 * options.minutes
    names = options.reader or list(READERS)
    judgements: list[Judgement] = []
    killed = sum(name.startswith(KILLS) for name in names)
    shares = {True: -(-options.kills // max(1, killed))}
    shares[False] = -(-options.judgements // max(1, len(names) - killed))
    for number, name in enumerate(names):
        each = shares[name.startswith(KILLS)]
        share = (end - time.monotonic()) / (len(names) - number)
        started = time.monotonic()
        found = judge_until(name, root / name, options.seed, each, started + share)
        judgements += found
        print(
            f"{name}: {len(found)} judgements, {len(breaches(found))} breaches, "
            f"{time.monotonic() - started:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return judgements


def judge_until(name: str, folder: Path, seed: int, count: int, end: float) -> list[Judgement]:
    """Judge inputs with seeds from ``seed`` * 1,000,000 on, as many as there is time for, once at least."""
    reader = make_reader(name, folder)
    judgements: list[Judgement] = []
    first = seed * 1_000_000
    while len(judgements) < count and (not judgements or time.monotonic() < end):
        start = first + len(judgements)
        seeds: Sequence[int] = range(start, start + min(reader.at_once, count - len(judgements)))
        try:
            judgements += reader.judge(seeds)
        except Exception as error:  # a fault of the campaign's own must not stop the other readers
            why = f"the campaign itself failed: {type(error).__name__}: {error}"
            return [*judgements, Judgement(name, start, f"from seed {start} on", Outcome.BREACH, why, 0.0)]
    return judgements


def _settings(options: argparse.Namespace) -> dict[str, object]:
    return {name: str(value) for name, value in vars(options).items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws everything (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30.0, help="time for all of it (%(default)s)")
    parser.add_argument("--judgements", type=int, default=3300, help="of all readers together (%(default)s)")
    parser.add_argument(
        "--kills",
        type=int,
        default=300,
        help="sequences of one to three kills, of all commands (%(default)s)",
    )
    parser.add_argument(
        "--reader", action="append", choices=list(READERS), help="only this one; may be given several times"
    )
    parser.add_argument("--one", type=int, metavar="SEED", help="judge this input alone; needs --reader")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="scratch folder that is left in place")
    parser.add_argument(
        "--output", type=Path, default=Path("reports/chaos"), help="chaos.txt and chaos.json (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
