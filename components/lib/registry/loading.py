"""Networks loaded from the registry, ready to predict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.contract.errors import BadDataError, MissingInputError
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.registry.artefact import CHAMPION, by_alias, by_version, fetched
from components.lib.tracking.connection import Connection, connect
from components.lib.tracking.parameters import TrackingParameters

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

Loaded = TypeVar("Loaded")


def load_champion(
    parameters: TrackingParameters, model: str, device: str = "cpu", *, version: str | None = None
) -> SegmentationNetwork:
    """Load the champion of a registered model, or a given version of it.

    The files' SHA-256 are checked against the registry before anything is loaded.

    Args:
        parameters: The ``tracking`` section.
        model: ``stormsight-optical`` or ``stormsight-sar``.
        device: ``cpu`` or ``cuda``.
        version: Version to load instead of the champion.

    Raises:
        MissingInputError: If there is no champion yet, or no such version.
        BadDataError: If the artefact is not the one that was registered.
        SourceUnavailableError: If the registry does not answer.
    """
    connection = connect(parameters)
    found = (
        by_alias(connection, model, CHAMPION) if version is None else by_version(connection, model, version)
    )
    if found is None:
        raise MissingInputError(
            f"{model} has no champion at {connection.uri}",
            next_step="promote a model first: `dvc repro promote`",
        )
    return load_version(connection, found, lambda folder: load_bundle(folder, device))


def load_version(connection: Connection, version: ModelVersion, load: Callable[[Path], Loaded]) -> Loaded:
    """Load a version of a registered model.

    Args:
        connection: Connection to MLflow.
        version: Version to load.
        load: Function that loads a model folder.

    Raises:
        BadDataError: If the artefact is not the one that was registered, or ``load`` refuses it: another
            version of the code made it, or it is another kind of model.
        MissingInputError: If its files are gone.
        SourceUnavailableError: If the registry does not answer.
    """
    with fetched(connection, version) as folder:
        try:
            return load(folder)
        except BadDataError as error:
            raise BadDataError(
                f"{version.name} version {version.version}: {error.message}",
                next_step="train it again; if it is the champion, `python -m components.promote rollback` "
                "restores an earlier one; if none of them can be loaded either, delete these versions in "
                "MLflow and roll back: the next challenger is then judged as the first",
            ) from error
