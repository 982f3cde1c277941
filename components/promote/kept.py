"""Decision records kept beside the versions in MLflow, where the ledger can be checked against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.contract.hashing import canonical_json, sha256_json
from components.contract.temporary import scratch_folder
from components.lib.registry.artefact import by_version
from components.lib.tracking.connection import Connection, store_errors


def keep_record(connection: Connection, model: str, decision: Mapping[str, Any], digest: str) -> None:
    """Save a decision record with the version that it is about, and its score as a metric.

    Args:
        connection: Connection to MLflow.
        model: Registered model.
        decision: The record.
        digest: Its SHA-256.

    Raises:
        MissingInputError: If there is no such version.
        SourceUnavailableError: If the store does not answer.
    """
    run_id = by_version(connection, model, decision["version"]).run_id
    with store_errors(connection.uri):
        if run_id is not None:
            connection.client.log_text(run_id, canonical_json(decision).decode(), f"decisions/{digest}.json")
            if decision["challenger"] is not None:
                value = decision["challenger"]["value"]
                connection.client.log_metric(run_id, f"clean_{decision['metric']}", value)
        connection.client.set_model_version_tag(model, decision["version"], "decision_sha256", digest)


def kept_record(connection: Connection, model: str, version: str, digest: str) -> dict[str, Any]:
    """Return the decision record on a version, as the stage kept it in MLflow.

    Args:
        connection: Connection to MLflow.
        model: Registered model.
        version: Version that was judged.
        digest: SHA-256 of the record.

    Raises:
        MissingInputError: If there is no such version.
        BadDataError: If the record is gone, or has another hash.
        SourceUnavailableError: If the store does not answer.
    """
    client, record = connection.client, None
    run_id = str(by_version(connection, model, version).run_id)
    name = f"decisions/{digest}.json"
    with scratch_folder("decision") as folder:
        content = b""
        with store_errors(connection.uri):
            if name in {artefact.path for artefact in client.list_artifacts(run_id, "decisions")}:
                content = Path(client.download_artifacts(run_id, name, str(folder))).read_bytes()
        with suppress(ValueError):
            record = json.loads(content)
    if not isinstance(record, dict) or sha256_json(record) != digest:
        raise BadDataError(
            f"{model} version {version}: {name} is not the decision that was made",
            next_step="find out who wrote to the artefact store; have the challenger judged again: run "
            "`python -m components.promote`",
        )
    return record
