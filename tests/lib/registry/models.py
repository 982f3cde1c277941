"""Model folders of known bytes."""

from __future__ import annotations

from pathlib import Path

from components.lib.registry.artefact import register
from components.lib.tracking.connection import Connection

MODEL = "stormsight-sar"


def model_folder(folder: Path, content: str = "weights") -> Path:
    """A folder with the two files of a model; the registry never looks inside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_text(content)
    (folder / "model.json").write_text("{}")
    return folder


def register_version(connection: Connection, folder: Path, content: str) -> str:
    """Register a model whose weights are ``content``; return its version."""
    return register(connection, MODEL, model_folder(folder / content, content), tags={"simulated": "true"})
