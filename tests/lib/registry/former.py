"""Ledger files as they were written before there were chains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contract.hashing import canonical_json, sha256_bytes
from components.lib.ledger.chain import GENESIS
from components.lib.registry.ledger import Action


def former_lines(model: str, steps: Sequence[tuple[Action, str, str | None]]) -> list[dict[str, Any]]:
    """The lines of ``steps``, each (action, version, champion before)."""
    lines: list[dict[str, Any]] = []
    for number, (action, version, previous) in enumerate(steps, start=1):
        fields: dict[str, Any] = {
            "seq": number,
            "time": f"2025-11-0{number}T00:00:00+00:00",
            "action": action,
            "model": model,
            "version": version,
            "previous_version": previous,
            "decision": "d" * 64,
            "reason": "a test",
            "prev_hash": lines[-1]["hash"] if lines else GENESIS,
        }
        lines.append({**fields, "hash": sha256_bytes(canonical_json(fields))})
    return lines


def write_former(folder: Path, model: str, lines: Sequence[dict[str, Any]]) -> Path:
    """Write ``<folder>/<model>.jsonl``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model}.jsonl"
    path.write_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))
    return path
