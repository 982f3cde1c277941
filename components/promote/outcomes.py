"""Outcomes of decisions: notices about them, and the exit code of a refusal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract.actor import current_actor
from components.contract.errors import GateRefusedError
from components.contract.notices import champion_notice, send
from components.promote.decisions import TRAINING
from components.promote.promotion import REFUSED


def tell_outcomes(document: Mapping[str, Any]) -> None:
    """Send a notice about each model that was promoted, or that waits for an approval.

    Of a training's promotions the orchestrator tells.
    """
    if os.environ.get(TRAINING):
        return
    for model, part in document["models"].items():
        if part["outcome"] != REFUSED:
            words = f"{model}: version {part['decision']['version']}: {'; '.join(part['reasons'])}"
            send(champion_notice(part["outcome"], words, actor=current_actor()))


def require_promotion(document: Mapping[str, Any], folder: Path) -> None:
    """Check that no challenger was refused.

    Args:
        document: Content of ``decision.json``.
        folder: Folder of the record.

    Raises:
        GateRefusedError: If one was, naming it.
    """
    refused = [name for name, part in document["models"].items() if part["outcome"] == REFUSED]
    if refused:
        raise GateRefusedError(
            f"refused: {', '.join(refused)}",
            next_step=f"read {folder / 'decision.txt'} for the reasons",
        )
