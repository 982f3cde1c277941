"""Commands on the champions' history: show it, check it, go back one champion."""

from __future__ import annotations

from components.contract.errors import BadDataError
from components.lib.registry.artefact import by_version, fetched
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers
from components.lib.tracking.connection import Connection


def history(connection: Connection, ledgers: ChampionLedgers, models: tuple[str, ...]) -> str:
    """Return every change of every champion, oldest first, as text.

    Raises:
        BadDataError: If a ledger's chain is broken.
    """
    blocks = []
    for model in models:
        registry = ChampionRegistry(connection, ledgers, model)
        entries = registry.ledger.entries()
        champion = registry.current()
        blocks.append(f"{model}: {f'champion is version {champion}' if champion else 'no champion yet'}")
        blocks += [_row(entry) for entry in entries]
    return "\n".join(blocks)


def rollback(connection: Connection, ledgers: ChampionLedgers, model: str, reason: str) -> str:
    """Restore the champion before the present one; return a sentence about it.

    Raises:
        MissingInputError: If there is no earlier champion.
        BadDataError: If ledger and registry disagree, or the earlier artefact is not intact.
    """
    entry = ChampionRegistry(connection, ledgers, model).rollback(reason)
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
    """
    found, failures = [], []
    for model in models:
        registry = ChampionRegistry(connection, ledgers, model)
        try:
            if repair and registry.renew_note():
                found.append(f"{model}: renewed the note of the ledger's length")
            if repair and registry.recover():
                found.append(f"{model}: completed a change that had been cut off")
            registry.require_agreement()
            champion = registry.current()
            if champion is not None:
                with fetched(connection, by_version(connection, model, champion)):
                    pass
            entries = len(registry.ledger.entries())
            found.append(
                f"{model}: ledger of {entries} entries is whole, registry and champion agree with it"
            )
        except BadDataError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BadDataError("; ".join(f.message for f in failures), next_step=failures[0].next_step)
    return "\n".join(found)


def _row(entry: ChampionEntry) -> str:
    change = f"{entry.previous_version or 'none'} -> {entry.version}"
    what = f"{entry.action:<9} {change:<12} {entry.hash[:12]}  {entry.change.reason}"
    return f"  {entry.seq:>4}  {entry.time}  {what}"
