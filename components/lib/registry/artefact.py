"""Transfer of model folders into and out of the registry, their bytes pinned by SHA-256 tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from components.contract.documents import shown
from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_file
from components.contract.temporary import scratch_folder
from components.lib.files import require_input
from components.lib.tracking.accounts import is_absent
from components.lib.tracking.connection import Connection, local_path, store_errors
from components.lib.tracking.run import run_title

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

FILES = MappingProxyType({"weights.safetensors": "sha256", "model.json": "signature_sha256"})
"""Files of a model folder, and the model version's tag that pins each."""

FOLDER = "model"
"""Folder of the run that holds them."""

CHALLENGER = "challenger"
CHAMPION = "champion"


def register(
    connection: Connection,
    model: str,
    folder: Path,
    *,
    tags: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
    made_by: str = "promote",
) -> str:
    """Keep a model folder in the registry and give it the alias ``challenger``.

    The same bytes are registered once: their version is found again by its hashes and keeps its tags.

    Args:
        connection: Connection to MLflow.
        model: Registered model, created if absent.
        folder: ``weights.safetensors`` and ``model.json``.
        tags: Tags of the run and the version: hashes of parameters, data and code, ``simulated``.
        params: Parameters of the run.
        made_by: Stage that makes the folder, named when it is missing.

    Returns:
        The version.

    Raises:
        MissingInputError: If a file of the folder is missing.
        SourceUnavailableError: If the store does not answer.
    """
    hashes = {tag: sha256_file(require_input(folder / name, made_by=made_by)) for name, tag in FILES.items()}
    with store_errors(connection.uri):
        _ensure_model(connection, model)
        version = _find(connection, model, hashes) or _create(
            connection, model, folder, {**tags, **hashes}, params or {}
        )
        connection.client.set_registered_model_alias(model, CHALLENGER, version)
    return version


def by_alias(connection: Connection, model: str, alias: str) -> ModelVersion | None:
    """Return the version an alias points to, None if there is no such alias or model.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds of import

    with store_errors(connection.uri):
        try:
            return connection.client.get_model_version_by_alias(model, alias)
        except MlflowException as error:
            if is_absent(error):
                return None
            raise


def exists(connection: Connection, model: str, version: str) -> bool:
    """Return whether the registry has a version.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    try:
        by_version(connection, model, version)
    except MissingInputError:
        return False
    return True


def by_version(connection: Connection, model: str, version: str) -> ModelVersion:
    """Return a version of a registered model.

    Raises:
        MissingInputError: If there is none of that number.
        SourceUnavailableError: If the store does not answer.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    with store_errors(connection.uri):
        try:
            return connection.client.get_model_version(model, version)
        except MlflowException as error:
            if not is_absent(error):
                raise
            raise MissingInputError(
                f"{model} has no version {version} at {connection.uri}",
                next_step="see the known ones with `python -m components.promote history`",
            ) from error


def damaged_tag(version: ModelVersion, tag: str, wanted: str) -> BadDataError:
    """Return the error of a version whose tag, which anybody can edit on MLflow's pages, cannot be used.

    Args:
        version: The version.
        tag: Name of the tag.
        wanted: Values that the tag may have, and where the right one is found.
    """
    value = version.tags.get(tag)
    found = "is missing" if value is None else f"is {shown(value)}"
    return BadDataError(
        f"{version.name} version {version.version}: its tag {tag!r} {found}, not {wanted}",
        next_step=f"set the tag {tag!r} of that version right on MLflow's pages (`make mlflow`)",
    )


@contextmanager
def fetched(connection: Connection, version: ModelVersion) -> Iterator[Path]:
    """Download a version's model folder; it is removed when the block ends.

    Yields:
        A folder whose two files have the hashes that the registry states. Nothing was loaded from it.

    Raises:
        MissingInputError: If the folder of a local artefact store is gone.
        BadDataError: If a file is missing or its bytes are not those that were registered.
        SourceUnavailableError: If the store does not answer.
    """
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415

    name = f"{version.name} version {version.version}"
    _require_local_folder(version.source, name)
    with scratch_folder("model") as temporary:
        with store_errors(connection.uri):
            got = download_artifacts(
                artifact_uri=version.source, dst_path=str(temporary), tracking_uri=connection.uri
            )
        folder = Path(got)
        for file, tag in FILES.items():
            _require_pinned(folder / file, version.tags.get(tag), name)
        yield folder


def _require_local_folder(source: str | None, name: str) -> None:
    """Say that a local artefact store has no such folder, which MLflow would report as its own trouble."""
    folder = local_path(source or "")
    if folder is not None and not folder.is_dir():
        raise MissingInputError(
            f"{name}: its files are registered at {folder}, where there is no folder: it was removed, or the "
            "project was moved without var/mlartifacts",
            next_step="put the folder back (from a backup, or from where the project was before); without it "
            "roll back to an older version: `python -m components.promote rollback`",
        )


def _require_pinned(path: Path, expected: str | None, name: str) -> None:
    next_step = (
        "do not use this version: roll back (`python -m components.promote rollback`) and find out who "
        "wrote to the artefact store"
    )
    if expected is None:
        raise BadDataError(f"{name} has no SHA-256 tag for {path.name}", next_step=next_step)
    if path.is_symlink() or not path.is_file():
        raise BadDataError(f"{name} has no file {path.name}", next_step=next_step)
    if sha256_file(path) != expected:
        raise BadDataError(f"{name}: {path.name} is not the file that was registered", next_step=next_step)


def _ensure_model(connection: Connection, model: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        connection.client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(connection: Connection, model: str, tags: Mapping[str, str]) -> str | None:
    for version in connection.client.search_model_versions(f"name='{model}'"):
        if all(version.tags.get(key) == value for key, value in tags.items()):
            return str(version.version)
    return None


def _create(
    connection: Connection, model: str, folder: Path, tags: Mapping[str, str], params: Mapping[str, Any]
) -> str:
    client = connection.client
    run_id = client.create_run(
        connection.experiment_id, run_name=run_title(f"register {model}", tags), tags=dict(tags)
    ).info.run_id
    for key, value in params.items():
        client.log_param(run_id, key, str(value)[:6000])
    for file in FILES:
        client.log_artifact(run_id, str(folder / file), FOLDER)
    client.set_terminated(run_id)
    source = f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}"
    return str(client.create_model_version(model, source, run_id=run_id, tags=dict(tags)).version)
