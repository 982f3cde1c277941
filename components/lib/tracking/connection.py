"""Connection to MLflow, made without touching MLflow's process-wide state.

MLflow is imported here only when a connection is asked for: the import takes seconds that a stage's
``--help`` should not pay.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from components.contract.errors import ParameterError, SourceUnavailableError, StormsightError, first_line
from components.lib.tracking.accounts import refusal
from components.lib.tracking.database import prepare_database, sqlite_file
from components.lib.tracking.parameters import UNTRACKED, TrackingParameters
from components.lib.tracking.relocation import has_moved, relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # We never load pickles; neither shall anything that MLflow loads on our behalf.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}

_PATIENCE = {
    # The defaults wait for minutes; a training step must not hang that long on a server that is gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A client and the experiment its runs go to.

    Attributes:
        client: MLflow's low-level client.
        uri: Address of the store.
        experiment_id: Identity of the experiment, created if it was absent.
    """

    client: MlflowClient
    uri: str
    experiment_id: str


def connect(parameters: TrackingParameters) -> Connection:
    """Open the store, creating a local one and the experiment as needed.

    Raises:
        SourceUnavailableError: If the store does not answer, or refuses the account.
        ParameterError: If the experiment of that name was deleted, or tracking is switched off.
        BadDataError: If the file of a local store is something else, or damaged.
        ResourceError: If it cannot be written.
    """
    if parameters.effective_uri == UNTRACKED:
        raise ParameterError(
            f"tracking.uri is {UNTRACKED!r}, but a store is needed here",
            next_step="set tracking.uri in params.yaml (or MLFLOW_TRACKING_URI) to a store",
        )
    os.environ.update(_ENVIRONMENT)
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # migrations of a new store are not news
    # It prints each error of the database as a traceback; the error itself is told by store_errors.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    uri = parameters.effective_uri
    with store_errors(uri):
        from mlflow import MlflowClient  # noqa: PLC0415 - seconds of import, see above

        if (database := sqlite_file(uri)) is not None:
            prepare_database(database, _build)
        client = MlflowClient(tracking_uri=uri)
        return Connection(client, uri, _experiment(client, parameters, uri))


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn errors of the store's libraries into a failure that names the store.

    Raises:
        SourceUnavailableError: For any error that is not already one of ours.
    """
    try:
        yield
    except StormsightError:
        raise
    except Exception as error:  # MLflow lets errors of requests, SQLAlchemy and the OS through
        if (refused := refusal(error, uri)) is not None:
            raise refused from error
        raise SourceUnavailableError(
            f"MLflow at {uri}: {first_line(error)}",
            next_step="check MLFLOW_TRACKING_URI (or tracking.uri in params.yaml) and that the store answers",
        ) from error


def local_path(uri: str) -> Path | None:
    """Return the path of a ``file:`` URI or of a plain folder, None for another URI."""
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"}:
        return None
    return Path(unquote(parts.path)) if parts.path else None


def is_local(uri: str) -> bool:
    """Return True if the store is a file of this machine rather than a server."""
    return not uri.startswith(("http://", "https://", "databricks"))


def _build(database: Path) -> None:
    """Let MLflow make its tables in a new file."""
    from mlflow import MlflowClient  # noqa: PLC0415

    MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments(max_results=1)


def _experiment(client: MlflowClient, parameters: TrackingParameters, uri: str) -> str:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    name = parameters.experiment
    found = client.get_experiment_by_name(name)
    if found is None:
        location = Path(parameters.effective_artifacts).absolute().as_uri() if is_local(uri) else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:
            # Another process may have created it meanwhile.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise ParameterError(
            f"MLflow experiment {name!r} at {uri} was deleted",
            next_step=f"restore it (`mlflow experiments restore -x {found.experiment_id}`) or set "
            "tracking.experiment to another name",
        )
    _follow_a_move(found.artifact_location, parameters, uri)
    return str(found.experiment_id)


def _follow_a_move(location: str, parameters: TrackingParameters, uri: str) -> None:
    """Put the addresses of a local store's artefacts right if the project's folder was moved."""
    database, old = sqlite_file(uri), local_path(location)
    new = Path(parameters.effective_artifacts).absolute()
    if database is not None and old is not None and has_moved(old, new):
        relocate(database, location.rstrip("/"), new.as_uri())
