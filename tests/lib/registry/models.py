"""Model folders of known bytes, registered and promoted."""

from __future__ import annotations

from pathlib import Path

from components.lib.registry.artefact import register
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.tracking.connection import Connection

MODEL = "stormsight-sar"
HASH = "d" * 64


def model_folder(folder: Path, content: str = "weights") -> Path:
    """A folder with the two files of a model; the registry never looks inside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_text(content)
    (folder / "model.json").write_text("{}")
    return folder


def register_version(connection: Connection, folder: Path, content: str) -> str:
    """Register a model whose weights are ``content``; return its version."""
    return register(connection, MODEL, model_folder(folder / content, content), tags={"simulated": "true"})


def three_versions(connection: Connection, tmp_path: Path, ledger: str) -> ChampionRegistry:
    """Register three versions, none of them champion; return the registry."""
    for content in ("one", "two", "three"):
        register_version(connection, tmp_path / "models", content)
    return ChampionRegistry(connection, open_ledgers(ledger), MODEL)


def promote(registry: ChampionRegistry, *versions: str) -> None:
    """Make each version champion in turn."""
    for version in versions:
        registry.promote(version, decided_against=registry.current(), decision=HASH, reason="a test")
