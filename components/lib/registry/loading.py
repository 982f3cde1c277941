"""Networks loaded from the registry, ready to predict."""

from __future__ import annotations

from components.contract.errors import MissingInputError
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.registry.artefact import CHAMPION, by_alias, by_version, fetched
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters


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
    with fetched(connection, found) as folder:
        return load_bundle(folder, device)
