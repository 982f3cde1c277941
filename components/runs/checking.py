"""Checks before a run is planned: its parameters, and the champions that it will be judged against."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.graph.lock import render_lock
from components.contract.keys import CHAMPIONS
from components.contract.parameters import PARAMS_LOCK
from components.contract.temporary import scratch_folder
from components.lib.cli import REPORT
from components.lib.config.loader import load_under
from components.lib.operations.parameters import write_for_run
from components.lib.registry.ledger import ChampionLedgers
from components.lib.registry.served import require_all_served
from components.lib.tracking.parameters import TrackingParameters
from components.runs.environment import Environment

PACKAGE, GATE = Path("components/check"), Path("components/promote")


def require_checked(source: Path, profile: str | None) -> None:
    """Check all parameters of a run as ``make check`` does, in a process of its own, on copies.

    A stage's parameters are read when its turn comes, which may be after days of training. An image without
    torch checks all sections but those of the methods.

    Args:
        source: Folder of components/, dvc.yaml and params.yaml. One whose code has no such check is left.
        profile: Profile of params.yaml; None for the file's own.

    Raises:
        ParameterError: Names everything that is wrong.
    """
    if not (source / PACKAGE).is_dir():
        return
    with scratch_folder("check") as folder:
        write_for_run(source / "params.yaml", folder / "params.yaml", profile, [])
        shutil.copyfile(source / "dvc.yaml", folder / "dvc.yaml")
        lock = render_lock(folder / "dvc.yaml", folder / "params.yaml")
        (folder / PARAMS_LOCK).write_text(lock, encoding="utf-8")
        report = folder / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "components.check", "parameters"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": _python_path(source), REPORT: str(report)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        told = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    words = str(told.get("message") or (done.stderr.strip() or "no message").splitlines()[-1])
    raise ParameterError(
        words, next_step=str(told.get("next_step") or "run `python -m components.check` in the checkout")
    )


def require_champions(environment: Environment) -> None:
    """Check that ledger, alias and files of all champions agree: a training must not find out at its end.

    A pipeline without our gate has no champions.

    Raises:
        BadDataError: If they do not, with the command that repairs it.
        MissingInputError: If a champion's files are gone.
        SourceUnavailableError: If MLflow does not answer.
    """
    if not (environment.source / GATE).is_dir():
        return
    require_all_served(tracking_of(environment), ChampionLedgers(environment.objects, CHAMPIONS))


def tracking_of(environment: Environment) -> TrackingParameters:
    """Return the section ``tracking`` with the store that the environment names.

    Raises:
        ParameterError: If params.yaml is malformed, or has no such profile.
    """
    path = environment.source / "params.yaml"
    tracking = load_under(environment.profile, "tracking", TrackingParameters, path)
    places = {"uri": environment.tracking, "artifacts": environment.artifacts or tracking.artifacts}
    return tracking.model_copy(update=places)


def _python_path(source: Path) -> str:
    """Return the search path of a process that imports ``source``, and what this one was given."""
    return os.pathsep.join(filter(None, (str(source.absolute()), os.environ.get("PYTHONPATH"))))
