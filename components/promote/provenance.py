"""Hashes of what a decision rests on."""

from __future__ import annotations

from pathlib import Path

from components.contract.identity import data_hash, pipeline_identity


def hashes(store: Path) -> dict[str, str]:
    """Return the SHA-256 of the parameters, the prepared store and the code."""
    identity = pipeline_identity()
    return {"params": identity.params, "data": data_hash(store), "code": identity.code}
