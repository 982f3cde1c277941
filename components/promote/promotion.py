"""Decisions carried out: the alias moves at once, or a request waits for a person's approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.contract.errors import ChampionChangedError
from components.lib.registry.approvals import APPROVED, REJECTED
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry

PROMOTED, REFUSED, AWAITS = "promoted", "refused", "awaits approval"
"""Outcomes of a decision."""


def carry_out(
    registry: ChampionRegistry, decision: Mapping[str, Any], digest: str, *, actor: str | None = None
) -> ChampionEntry:
    """Promote what was decided on, unless an earlier or a concurrent attempt did.

    A decision names the ledger's head, so no decision that was made later has the same hash.

    Args:
        registry: Champion of the model.
        decision: Decision record.
        digest: SHA-256 of the record.
        actor: Person who approved it; None for the actor of this process.

    Raises:
        ChampionChangedError: If the champion is another one by now.
        BadDataError: If ledger and registry disagree.
    """
    if (done := carried_out(registry, digest)) is not None:
        return done
    try:
        return registry.promote(
            decision["version"],
            decided_against=decision["champion_version"],
            decision=digest,
            reason=decision["reasons"][0],
            actor=actor,
        )
    except ChampionChangedError:
        if (done := carried_out(registry, digest)) is not None:
            return done
        raise


def carried_out(registry: ChampionRegistry, digest: str) -> ChampionEntry | None:
    """Return the ledger's entry of a decision, None if it was not carried out."""
    registry.recover()
    return next((entry for entry in registry.ledger.entries() if entry.change.decision == digest), None)


def ask_for_approval(
    registry: ChampionRegistry, decision: Mapping[str, Any], digest: str
) -> tuple[str, list[str], ChampionEntry | None]:
    """Let a decision to promote wait for a person; asked again, return what became of it.

    Returns:
        Outcome, reasons in words, and the ledger's entry if it was approved.

    Raises:
        ChampionChangedError: If the champion is another one by now.
        BadDataError: If a chain is broken.
    """
    reasons, version = list(decision["reasons"]), decision["version"]
    if (done := carried_out(registry, digest)) is not None:
        return PROMOTED, reasons, done
    registry.require_champion(decision["champion_version"], version=version)
    approvals = registry.ledgers.approvals(registry.model)
    stands = approvals.request(
        version=version,
        decided_against=decision["champion_version"],
        decision=digest,
        reason=reasons[0],
    )
    if stands.event == APPROVED:  # the command that approved it was killed before the alias moved
        return PROMOTED, reasons, carry_out(registry, decision, digest, actor=stands.actor)
    if stands.event == REJECTED:
        return REFUSED, [f"rejected by {stands.actor}: {stands.reason}"], None
    latest = approvals.latest()
    if latest is not None and latest.decision != digest:
        return REFUSED, [f"version {latest.version} was judged later and took its place"], None
    command = f"python -m components.promote approve --model {registry.model}"
    return AWAITS, [*reasons, f"approve it with `{command}`, or reject it"], None
