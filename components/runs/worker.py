"""``python -m components.runs.worker WORKSPACE ADDRESS``: DVC's part of a stage, in a process of its own.

The process that starts this one holds the other end of its standard input; when that ends, so does this
process's session: without its parent nobody would keep the stage's result.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Set
from functools import partial
from pathlib import Path
from typing import Any

from components.contract.errors import ParameterError
from components.contract.failures import FAILURE_CLASSES, kind_of_exit
from components.contract.keys import training_of
from components.contract.processes import end_with_parent
from components.lib.cli import REPORT, report_failure, run
from components.lib.files import write_json, write_text
from components.lib.objects.opening import objects_from_environment
from components.lib.operations.removals import declare_intent, wait_for_removals
from components.runs.environment import TRAINING
from components.runs.workspace import STATE

PHASE, RESULT, COMMAND_REPORT = "phase", "result.json", "command.json"
"""Files below the workspace's ``STATE`` folder."""


def main() -> int:
    """Reproduce one stage; where its command fails, leave with its exit code and its report."""
    parser = argparse.ArgumentParser(prog="python -m components.runs.worker", description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("address")
    options = parser.parse_args()
    end_with_parent()
    state = options.workspace.absolute() / STATE
    os.chdir(options.workspace)
    os.environ[REPORT] = str(state / COMMAND_REPORT)
    # Imported after the arguments are read: DVC takes a while.
    from dvc.repo import Repo  # noqa: PLC0415

    from components.runs.reproduction import CommandError, quiet_dvc, reproduce  # noqa: PLC0415

    quiet_dvc()
    with Repo() as repo:
        try:
            outcome = reproduce(
                repo,
                options.address,
                on_phase=lambda phase: write_text(state / PHASE, phase),
                before_push=partial(_make_reachable, options.address),
            )
        except CommandError as error:
            _pass_on(options.address, error.exit_code, state / COMMAND_REPORT)
            return error.exit_code
    write_json(
        state / RESULT,
        {"restored": outcome.restored, "metrics": outcome.metrics, "seconds": outcome.seconds},
    )
    return 0


def _make_reachable(address: str, names: Set[str]) -> None:
    """Keep housekeeping from removing what the stage's record will name."""
    objects, key = objects_from_environment(), training_of(os.environ[TRAINING])
    if key is None:
        raise ParameterError(
            f"{TRAINING} is no prefix of a training", next_step="let `runs stage` start this"
        )
    declare_intent(objects, key, address, names)
    wait_for_removals(objects, names)


def _pass_on(address: str, exit_code: int, report: Path) -> None:
    """Make the command's report this process's, or write one from the exit code if it left none."""
    found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    if found.get("exit_code") != exit_code:  # none, or one from before it was killed
        found = {"message": describe_exit(exit_code), "next_step": next_step_of(exit_code)}
    report_failure(exit_code, f"{address}: {found['message']}", str(found["next_step"]))


def next_step_of(exit_code: int) -> str:
    """Return the advice on an exit code that came without a report: that of its failure class."""
    return FAILURE_CLASSES[kind_of_exit(exit_code)].next_step


def describe_exit(exit_code: int) -> str:
    """Return a message for an exit code that came without a report."""
    if exit_code == 128 + signal.SIGKILL:
        return "the command was killed by SIGKILL: out of memory, most likely"
    if exit_code > 128 and exit_code - 128 in set(signal.Signals):
        return f"the command was killed by {signal.Signals(exit_code - 128).name}"
    return f"the command failed with exit code {exit_code} ({kind_of_exit(exit_code)})"


if __name__ == "__main__":
    run(main)
