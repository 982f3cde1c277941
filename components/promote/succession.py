"""The champions' history: show it, check it, go back one."""

from __future__ import annotations

from components.contract.errors import BadDataError
from components.lib.registry.artefact import by_version, fetched
from components.lib.registry.champion import ChampionLine
from components.lib.registry.ledger import Entry, Ledgers
from components.lib.tracking.connection import Connection


def history(connection: Connection, ledgers: Ledgers, models: tuple[str, ...]) -> str:
    """Every change of every champion, oldest first, as text.

    Raises:
        BadDataError: If a ledger's chain is broken.
    """
    blocks = []
    for model in models:
        line = ChampionLine(connection, ledgers, model)
        entries = line.ledger.entries()
        champion = line.current()
        blocks.append(f"{model}: {f'champion is version {champion}' if champion else 'no champion yet'}")
        blocks += [_row(entry) for entry in entries]
    return "\n".join(blocks)


def rollback(connection: Connection, ledgers: Ledgers, model: str, reason: str) -> str:
    """Restore the champion before the present one; return what was done, in words.

    Raises:
        MissingInputError: If there is no earlier champion.
        BadDataError: If ledger and registry disagree, or the earlier artefact is not intact.
    """
    entry = ChampionLine(connection, ledgers, model).rollback(reason)
    return (
        f"{model}: version {entry.version} is champion again instead of version {entry.previous_version} "
        f"(ledger entry {entry.seq})"
    )


def verify(connection: Connection, ledgers: Ledgers, models: tuple[str, ...], *, repair: bool) -> str:
    """Check every ledger against itself, the registry and the champion's files; return what was found.

    Args:
        connection: From :func:`components.lib.tracking.connect`.
        ledgers: Where they are kept.
        models: Registered models.
        repair: First complete a change that a crash cut off.

    Raises:
        BadDataError: If anything does not fit, after all models were checked.
    """
    found, failures = [], []
    for model in models:
        line = ChampionLine(connection, ledgers, model)
        try:
            if repair and line.recover():
                found.append(f"{model}: completed a change that had been cut off")
            line.require_agreement()
            champion = line.current()
            if champion is not None:
                with fetched(connection, by_version(connection, model, champion)):
                    pass
            entries = len(line.ledger.verify())
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


def _row(entry: Entry) -> str:
    change = f"{entry.previous_version or 'none'} -> {entry.version}"
    what = f"{entry.action:<9} {change:<12} {entry.hash[:12]}  {entry.change.reason}"
    return f"  {entry.seq:>4}  {entry.time}  {what}"
