"""Commands on the champions' history: show it, check it, go back one champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from components.contract.errors import MissingInputError
from components.lib.ledger.chain import Entry
from components.lib.registry.agreement import name_of
from components.lib.registry.approvals import Approval
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, champion_of
from components.lib.registry.served import of_every_model, require_served
from components.lib.tracking.connection import Connection


def history(connection: Connection, ledgers: ChampionLedgers, models: tuple[str, ...]) -> str:
    """Return every change of every champion, then requests for approvals and the verdicts, as text.

    Raises:
        BadDataError: If a ledger's chain is broken.
    """
    blocks = []
    for model in models:
        registry = ChampionRegistry(connection, ledgers, model)
        entries = registry.ledger.entries()
        blocks.append(f"{model}: {_standing(registry, entries)}")
        blocks += [_row(entry) for entry in entries]
        blocks += [_approval_row(*found) for found in ledgers.approvals(model).all()]
    return "\n".join(blocks)


def rollback(connection: Connection, ledgers: ChampionLedgers, model: str, reason: str) -> str:
    """Restore the champion before the present one; return a sentence about it.

    Raises:
        MissingInputError: If there is no earlier champion.
        BadDataError: If ledger and registry disagree, or the earlier artefact is not intact.
    """
    entry = ChampionRegistry(connection, ledgers, model).rollback(reason)
    if entry.version is None:
        return (
            f"{model}: version {entry.previous_version} is gone and no earlier champion is intact: there is "
            f"no champion now, the next challenger is judged as the first (ledger entry {entry.seq})"
        )
    return (
        f"{model}: version {entry.version} is champion again instead of version {entry.previous_version} "
        f"(ledger entry {entry.seq})"
    )


def verify(connection: Connection, ledgers: ChampionLedgers, models: tuple[str, ...], *, repair: bool) -> str:
    """Check every ledger against itself, the registry and the champion's files; return the findings.

    Args:
        connection: Connection to MLflow.
        ledgers: Ledgers of all models.
        models: Registered models.
        repair: First complete a change that a crash cut off, and renew a damaged note of a ledger's length
            where the registry confirms the ledger's end.

    Raises:
        BadDataError: If anything does not fit, after all models were checked.
        MissingInputError: If all that is wrong is that the champion's files are gone.
    """
    # Every entry by itself: a copy of them would hide one that is gone.
    ledgers = replace(ledgers, whole=True)

    def check(model: str) -> list[str]:
        registry, done = ChampionRegistry(connection, ledgers, model), []
        if repair and registry.renew_note():
            done.append(f"{model}: renewed the note of the ledger's length")
        if repair and registry.recover():
            done.append(f"{model}: completed a change that had been cut off")
        return [*done, require_served(registry)]

    return "\n".join(of_every_model(models, check))


def restore_alias(connection: Connection, ledgers: ChampionLedgers, model: str) -> str:
    """Point the alias to the ledger's champion again; return a sentence about it.

    Raises:
        MissingInputError: If the model never had a champion, and has no alias.
        BadDataError: If anything else disagrees, or the champion's files are not those of the ledger.
        MissingInputError: If its files are gone.
    """
    registry = ChampionRegistry(connection, ledgers, model)
    if registry.current() is None and not registry.ledger.entries():
        raise MissingInputError(
            f"{model} never had a champion", next_step="none: there is no alias to restore"
        )
    before = registry.restore_alias()
    return f"{model}: the alias points to {name_of(registry.current())}; it was {name_of(before)}"


def _standing(registry: ChampionRegistry, entries: Sequence[ChampionEntry]) -> str:
    """Return the champion in words; where ledger and registry differ, what each says."""
    recorded, current = champion_of(entries), registry.current()
    if recorded == current:
        none = "no champion any more" if entries else "no champion yet"
        return none if current is None else f"champion is version {current}"
    last = "none" if recorded is None else f"version {recorded}"
    gone = ", which was deleted in MLflow" if registry.champion_is_gone() else ""
    alias = "there is no alias" if current is None else f"the alias points to version {current}"
    return f"the ledger's champion is {last}{gone}; {alias}: run `python -m components.promote verify`"


def _row(entry: ChampionEntry) -> str:
    change = f"{entry.previous_version or 'none'} -> {entry.version or 'none'}"
    what = f"{entry.action:<9} {change:<12} {entry.hash[:12]}  {entry.change.reason}"
    what += f"  [{entry.change.actor or 'actor not recorded'}]"
    return f"  {entry.seq:>4}  {entry.time}  {what}"


def _approval_row(entry: Entry, approval: Approval) -> str:
    change = f"{approval.decided_against or 'none'} -> {approval.version}"
    what = f"{approval.event:<9} {change:<12} {entry.hash[:12]}  {approval.reason}  [{approval.actor}]"
    return f"  approval {entry.seq}  {entry.time}  {what}"
