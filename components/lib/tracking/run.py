"""Tracked run of a stage: parameters, metrics over steps, files.

Tracking never costs a trained model: when the store fails, the stage warns once, goes on without it and keeps
its model; the same numbers are in the stage's own ``reports/`` anyway. Registering and promoting models
(``components.lib.registry``) is the opposite and fails loudly.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_json
from components.lib.tracking.connection import Connection, connect
from components.lib.tracking.parameters import UNTRACKED, TrackingParameters

_LOG = logging.getLogger(__name__)

_BATCH = 100
"""MLflow takes at most this many parameters in one call."""

_LONGEST = 6000
"""MLflow takes at most this many characters of a parameter's value."""


class TrackedRun:
    """Run that :func:`track_run` yields; every method does nothing once the store has failed.

    Attributes:
        run_id: MLflow's id, None when there is no run to write to.
    """

    def __init__(self) -> None:
        self.run_id: str | None = None
        self._connection: Connection | None = None

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers of one step."""

        def send(connection: Connection, run_id: str) -> None:
            from mlflow.entities import Metric  # noqa: PLC0415 - see connection.py

            now = time.time_ns() // 1_000_000
            rows = [Metric(key, float(value), now, step) for key, value in metrics.items()]
            connection.client.log_batch(run_id, metrics=rows)

        self._attempt("metrics", send)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; nested mappings become dotted names."""

        def send(connection: Connection, run_id: str) -> None:
            from mlflow.entities import Param  # noqa: PLC0415

            rows = [Param(key, str(value)[:_LONGEST]) for key, value in flatten(params).items()]
            for start in range(0, len(rows), _BATCH):
                connection.client.log_batch(run_id, params=rows[start : start + _BATCH])

        self._attempt("parameters", send)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a whole folder, with the run, below ``folder``."""

        def send(connection: Connection, run_id: str) -> None:
            if path.is_dir():
                connection.client.log_artifacts(run_id, str(path), folder or path.name)
            else:
                connection.client.log_artifact(run_id, str(path), folder)

        self._attempt(str(path), send)

    def _start(self, parameters: TrackingParameters, name: str, tags: Mapping[str, str]) -> None:
        if parameters.effective_uri == UNTRACKED:
            return
        try:
            self._connection = connect(parameters)
            run = self._connection.client.create_run(
                self._connection.experiment_id, run_name=run_title(name, tags), tags=dict(tags)
            )
            self.run_id = run.info.run_id
        except Exception as error:
            self._give_up("the run could not be started", error)

    def _finish(self, status: str) -> None:
        self._attempt("the run's end", lambda c, run_id: c.client.set_terminated(run_id, status=status))

    def _attempt(self, what: str, send: Callable[[Connection, str], None]) -> None:
        if self._connection is None or self.run_id is None:
            return
        try:
            send(self._connection, self.run_id)
        except Exception as error:
            self._give_up(f"{what} could not be logged", error)

    def _give_up(self, what: str, error: Exception) -> None:
        # Once is enough: a server that is gone would otherwise cost its time-outs at every step.
        self._connection = None
        _LOG.warning("tracking is off for the rest of this run: %s: %s", what, error)


def run_title(name: str, tags: Mapping[str, str]) -> str:
    """Return the name of a run on MLflow's pages: all runs of one training, and no others, end alike.

    Args:
        name: Stage, or what the run does.
        tags: Tags of the run; those of code, parameters and data, where it has them, identify the training.
    """
    identity = [tags.get(f"{part}_sha256") for part in ("code", "params", "data")]
    if None in identity:
        return name
    return f"{name} {sha256_json(identity)[:8]}"


@contextmanager
def track_run(
    parameters: TrackingParameters,
    name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[TrackedRun]:
    """Track the block as one MLflow run.

    An error of the block ends the run as FAILED, an interruption (Ctrl-C, SIGTERM) as KILLED, and is raised
    on; an error of the store is a warning and never raised.

    Args:
        parameters: Section ``tracking``.
        name: Name of the run, usually the stage.
        params: Parameters to log, may be nested.
        tags: Tags of the run.
    """
    run = TrackedRun()
    run._start(parameters, name, tags or {})
    if params:
        run.log_params(params)
    try:
        yield run
    except Exception:
        run._finish("FAILED")
        raise
    except BaseException:
        run._finish("KILLED")
        raise
    run._finish("FINISHED")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted names: ``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
