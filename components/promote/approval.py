"""Commands of the person who approves: move the alias to the challenger that waits, or reject it.

Each may be repeated after it was killed: the verdict is written first, and what follows from it is completed.
"""

from __future__ import annotations

from typing import Any, Literal

from components.contract.errors import MissingInputError
from components.lib.registry.agreement import name_of
from components.lib.registry.approvals import APPROVED, REJECTED, REQUESTED, Approval
from components.lib.registry.champion import ChampionRegistry
from components.lib.tracking.connection import store_errors
from components.promote.kept import kept_record
from components.promote.presentation import present
from components.promote.promotion import PROMOTED, REFUSED, carried_out, carry_out


def approve(registry: ChampionRegistry, reason: str) -> str:
    """Promote the challenger that waits; return a sentence about it.

    Args:
        registry: Champion of the model.
        reason: Reason of the person who approves.

    Raises:
        MissingInputError: If nothing waits.
        ChampionChangedError: If the champion is no longer the one it was judged against.
        GateRefusedError: If another verdict was written meanwhile.
        BadDataError: If ledger and registry disagree, or the challenger's files or its decision record are
            not those that were judged.
    """
    found = _waiting(registry, APPROVED)
    decision = kept_record(registry.connection, registry.model, found.version, found.decision)
    if found.event == REQUESTED:
        registry.require_champion(found.decided_against, version=found.version)
        registry.require_intact(found.version)
        found = registry.ledgers.approvals(registry.model).decide(found, APPROVED, reason)
    entry = carry_out(registry, decision, found.decision, actor=found.actor)
    _present(registry, found, decision, PROMOTED, decision["reasons"])
    return (
        f"{registry.model}: version {found.version} is champion instead of "
        f"{name_of(found.decided_against)}, approved by {found.actor} (ledger entry {entry.seq})"
    )


def reject(registry: ChampionRegistry, reason: str) -> str:
    """Refuse the challenger that waits; return a sentence about it.

    Raises:
        MissingInputError: If nothing waits.
        GateRefusedError: If another verdict was written meanwhile.
        BadDataError: If a chain is broken, or the decision record is not the one that was judged.
    """
    found = _waiting(registry, REJECTED)
    decision = kept_record(registry.connection, registry.model, found.version, found.decision)
    if found.event == REQUESTED:
        found = registry.ledgers.approvals(registry.model).decide(found, REJECTED, reason)
    _present(registry, found, decision, REFUSED, [f"rejected by {found.actor}: {found.reason}"])
    return f"{registry.model}: version {found.version} is rejected by {found.actor}; the champion stays"


def _waiting(registry: ChampionRegistry, verdict: Literal["approved", "rejected"]) -> Approval:
    """Return the request that waits, or the same verdict on it, whose consequences may be incomplete.

    Raises:
        MissingInputError: If there is none.
    """
    found = registry.ledgers.approvals(registry.model).latest()
    if found is not None and found.event in {REQUESTED, verdict}:
        entry = carried_out(registry, found.decision)
        if entry is None or (found.event == APPROVED and entry == registry.ledger.entries()[-1]):
            return found
    raise MissingInputError(
        f"{registry.model}: no challenger waits for an approval",
        next_step="`python -m components.promote history` shows what there was",
    )


def _present(
    registry: ChampionRegistry, found: Approval, decision: dict[str, Any], outcome: str, reasons: list[str]
) -> None:
    connection, model = registry.connection, registry.model
    with store_errors(connection.uri):
        connection.client.set_model_version_tag(model, found.version, "outcome", outcome)
    present(connection, model, {**decision, "outcome": outcome, "reasons": reasons}, found.decision)
