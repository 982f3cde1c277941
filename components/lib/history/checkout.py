"""Facts of the training that ``make repro`` left in a checkout: ``dvc.lock``, reports, times from MLflow.

DVC keeps hashes and no times. Start and end of a stage are those of its run in MLflow, and only where that
run carries the code and parameters of the decision; stages without one have the seconds that their own
``details.json`` states, or none. Whether a process is at work on it nothing tells: without a decision it is
not finished. Nobody kept which CPUs and GPUs the processes had, so no stage states any.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from components.contract.documents import read_yaml
from components.contract.errors import BadDataError, StormsightError
from components.contract.keys import LOCK, is_decision, is_key
from components.contract.parameters import PARAMS_FILE, read_sections
from components.contract.strict_yaml import Limits
from components.lib.folders import read_bounded
from components.lib.foreign import read_json_text
from components.lib.history.decided import models_of
from components.lib.history.facts import ModelFacts, RunFacts, StageFacts
from components.lib.objects.sealed import checked
from components.lib.tracking.connection import connect
from components.lib.tracking.database import is_unmade, sqlite_file
from components.lib.tracking.parameters import UNTRACKED, TrackingParameters

LOG = logging.getLogger(__name__)

CHECKOUT = "checkout"
"""Name of the run that a checkout holds."""

LOCAL = "local"
"""Image of a stage that ran as a process."""

METRICS = frozenset({"metrics.json", "details.json", "decision.json", "verdict.json"})
"""Names of the JSON files whose content is kept as metrics."""

LARGEST_METRICS = 16 * 2**20
"""Bytes of such a file at most."""

_LOCK_LIMITS = Limits(size=64 * 2**20, nodes=2_000_000)

_CODE = "components/"

Span = tuple[datetime, datetime]
"""Start and end, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locked:
    """File or folder of a stage in ``dvc.lock``; ``md5`` is missing where DVC keeps another hash."""

    path: str
    md5: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """Stage in ``dvc.lock``."""

    cmd: str
    deps: list[_Locked] = field(default_factory=list)
    outs: list[_Locked] = field(default_factory=list)


def read_checkout(root: Path) -> RunFacts | None:
    """Return the facts of the training in a checkout; None if ``dvc repro`` has finished no stage there.

    Args:
        root: Folder of ``dvc.yaml``, ``params.yaml`` and ``dvc.lock``.

    Raises:
        BadDataError: If the lock or the decision is damaged.
        ParameterError: If ``dvc.lock`` or ``params.yaml`` cannot be read.
    """
    if not (root / LOCK).exists():
        return None
    entries = {
        name: checked(entry, _Entry, name=f"stage {name} in {LOCK}")
        for name, entry in _stages_of(root / LOCK).items()
    }
    metrics = _metrics_of(root, entries.values())
    decisions = [path for path in metrics if is_decision(path)]
    models = {name: one for path in decisions for name, one in models_of(metrics[path], name=path).items()}
    sha256 = _common_sha256(models.values())
    times = _times_of(root, sha256)
    stages = {name: _stage(name, entry, metrics, times.get(name)) for name, entry in entries.items()}
    known = times.values()
    return RunFacts(
        run=CHECKOUT,
        key="",
        profile=_profile(root, entries.values()),
        code=sha256.get("code", ""),
        params=sha256.get("params", ""),
        acquisitions=tuple(sorted({a for m in models.values() for a in m.decision.get("acquisitions", [])})),
        started=min((start for start, _ in known), default=None),
        ended=max((end for _, end in known), default=None),
        outcome="succeeded" if models else "not finished",
        promoted=any(model.outcome == "promoted" for model in models.values()),
        stages=stages,
        models=models,
        metrics=metrics,
        simulated=any(model.simulated for model in models.values()) if models else None,
    )


def _stages_of(lock: Path) -> Mapping[str, Any]:
    found = read_yaml(lock, limits=_LOCK_LIMITS).get("stages")
    if not isinstance(found, dict):
        raise BadDataError(f"{lock} names no stages", next_step="run `dvc repro` again, or restore the file")
    return found


def _metrics_of(root: Path, entries: Iterable[_Entry]) -> dict[str, Any]:
    """Return the JSON that stages left by path; what was removed or is damaged is left out.

    Raises:
        BadDataError: If a decision is damaged.
    """
    paths = sorted({out.path for entry in entries for out in entry.outs})
    found: dict[str, Any] = {}
    for path in paths:
        if PurePosixPath(path).name in METRICS and is_key(path) and (root / path).is_file():
            try:
                content = read_bounded(
                    root / path, path, LARGEST_METRICS, next_step="run its stage again with `dvc repro`"
                )
                found[path] = read_json_text(content, path)
            except StormsightError as error:
                if is_decision(path):  # without it a judged training would pass for one that is not finished
                    raise
                LOG.warning("left out: %s", error.message)
    return found


def _common_sha256(models: Iterable[ModelFacts]) -> dict[str, str]:
    """Return the hashes of code and parameters that all decisions state alike."""
    stated = [model.decision.get("sha256", {}) for model in models]
    return {
        name: values.pop()
        for name in ("code", "params")
        if len(values := {one.get(name, "") for one in stated}) == 1
    }


def _stage(name: str, entry: _Entry, metrics: Mapping[str, Any], span: Span | None) -> StageFacts:
    return StageFacts(
        stage=name,
        run=CHECKOUT,
        started=None if span is None else span[0],
        ended=None if span is None else span[1],
        seconds=_seconds(entry, metrics),
        image=LOCAL,
        restored=False,
        outputs={out.path: out.md5 for out in entry.outs},
        inputs={dep.path: dep.md5 for dep in entry.deps if not dep.path.startswith(_CODE)},
    )


def _seconds(entry: _Entry, metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds that the stage's own details state, as those of its command."""
    for out in entry.outs:
        details = metrics.get(out.path)
        if PurePosixPath(out.path).name == "details.json" and isinstance(details, dict):
            stated = details.get("seconds")
            if isinstance(stated, int | float) and stated >= 0:
                return {"run": float(stated)}
    return {}


def _profile(root: Path, entries: Iterable[_Entry]) -> str | None:
    """Return the profile of ``params.yaml``; None if the file is another one than the stages read."""
    path = root / PARAMS_FILE
    read = {dep.md5 for entry in entries for dep in entry.deps if dep.path == path.name}
    if not path.is_file() or hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() not in read:
        return None
    found = read_yaml(path).get("profile")
    return found if isinstance(found, str) else None


def _times_of(root: Path, sha256: Mapping[str, str]) -> dict[str, Span]:
    """Return start and end of stages by address, of runs in MLflow with this code and these parameters."""
    if not {"code", "params"} <= sha256.keys():
        return {}
    try:
        return _tracked(root, sha256)
    except StormsightError as error:
        LOG.warning("without times from MLflow: %s", error.message)
        return {}


def _tracked(root: Path, sha256: Mapping[str, str]) -> dict[str, Span]:
    section = read_sections(root / PARAMS_FILE).get("tracking", {})
    parameters = _placed(checked(section, TrackingParameters, name="section tracking"), root)
    if parameters.effective_uri == UNTRACKED or is_unmade(parameters.effective_uri):
        return {}
    connection = connect(parameters)
    wanted = " and ".join(f"tags.{name}_sha256 = {json.dumps(sha256[name])}" for name in ("code", "params"))
    runs = connection.client.search_runs(
        [connection.experiment_id], wanted, order_by=["attributes.start_time ASC"]
    )
    found: dict[str, Span] = {}
    for run in runs:
        stage, ended = run.data.tags.get("stage"), run.info.end_time
        if stage and ended is not None and run.info.status == "FINISHED":
            span = (_moment(run.info.start_time), _moment(ended))
            found |= dict.fromkeys(_addresses(stage), span)
    return found


def _placed(parameters: TrackingParameters, root: Path) -> TrackingParameters:
    """Return the parameters with a file and a folder that lie in the checkout, wherever the process works."""
    file = sqlite_file(parameters.effective_uri)
    uri = parameters.uri if file is None else f"sqlite:///{(root / file).absolute()}"
    return parameters.model_copy(
        update={"uri": uri, "artifacts": str((root / parameters.effective_artifacts).absolute())}
    )


def _addresses(stage: str) -> tuple[str, ...]:
    """Return the addresses of a stage that MLflow names ``distill/none``."""
    if stage == "distill/none":
        return (stage.replace("/", "@"), "control")
    return (stage.replace("/", "@"),)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
