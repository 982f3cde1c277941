"""Agreement of ledger, registry and files about one model's champion; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import BadDataError
from components.lib.ledger.chain import GENESIS
from components.lib.registry.artefact import CHAMPION, FILES, by_alias, by_version, exists, fetched
from components.lib.registry.ledger import (
    ChampionEntry,
    ChampionLedger,
    ChampionLedgers,
    champion_of,
    head_of,
    pinned_files,
)
from components.lib.tracking.accounts import is_absent
from components.lib.tracking.connection import Connection, store_errors

HEAD_TAG = "ledger_head"
"""Tag of the registered model: hash of the last ledger entry that was carried out."""

ANNOUNCED = "ledger_entry."
"""Tags of the registered model that start so name, by hash, the entries that were announced."""


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of the registered model: the ledger as the registry knows it."""

    head: str
    announced: frozenset[str]

    def behind(self, entries: Sequence[ChampionEntry]) -> Sequence[ChampionEntry] | None:
        """Return the entries after the one that the head tag names; None if there is no such entry."""
        if self.head == GENESIS:
            return entries
        for index, entry in enumerate(entries):
            if entry.hash == self.head:
                return entries[index + 1 :]
        return None

    def knows(self, entry: ChampionEntry) -> bool:
        """Return whether the entry was announced."""
        return entry.hash in self.announced


@dataclass(frozen=True, slots=True)
class ChampionReader:
    """Champion of one registered model: its alias in MLflow and its history in a ledger, read only.

    Attributes:
        connection: Connection to MLflow.
        ledgers: Ledgers of all models.
        model: Registered model.
    """

    connection: Connection
    ledgers: ChampionLedgers
    model: str

    @property
    def ledger(self) -> ChampionLedger:
        """Return the model's ledger."""
        return self.ledgers.of(self.model)

    def current(self) -> str | None:
        """Return the champion's version, None if there is none yet."""
        version = by_alias(self.connection, self.model, CHAMPION)
        return None if version is None else str(version.version)

    def interrupted(self) -> ChampionEntry | None:
        """Return the last change that a crash left recorded but not done; None if there is none.

        None as well where somebody moved the alias meanwhile: only a champion that nobody moved may be
        replaced by the recorded one.
        """
        entries, tags, current = self._state()
        behind = tags.behind(entries)
        if not behind or not all(tags.knows(entry) for entry in behind):
            return None
        return behind[-1] if _is_where_it_was(current, behind) else None

    def require_agreement(self, *, champion_may_be_gone: bool = False) -> list[ChampionEntry]:
        """Check the chain, the head's tag and the alias against each other.

        Args:
            champion_may_be_gone: Accept that the ledger's champion was deleted in MLflow, with its alias.

        Returns:
            The ledger's entries.

        Raises:
            BadDataError: If the ledger is broken, misses its tail, or names another champion than the alias.
        """
        while True:
            state = self._state()
            try:
                self._require_agreement_of(*state, champion_may_be_gone=champion_may_be_gone)
            except BadDataError:
                # Three reads are no snapshot: a change that was made between them is compared anew.
                if self._state() == state:
                    raise
            else:
                return state[0]

    def _state(self) -> tuple[list[ChampionEntry], Tags, str | None]:
        """Return the chain, the registry's tags, and the version that the alias points to."""
        return self.ledger.entries(), self.tags(), self.current()

    def _require_agreement_of(
        self, entries: list[ChampionEntry], tags: Tags, current: str | None, *, champion_may_be_gone: bool
    ) -> None:
        behind = self.require_known(entries, tags)
        if behind:
            untouched = _is_where_it_was(current, behind)
            raise self._disagree(
                f"entry {behind[0].seq} was recorded but not carried out (the process was killed?)"
                + ("" if untouched else f", and the alias points to {name_of(current)}"),
                "run `python -m components.promote verify --repair`; a promotion does it too"
                if untouched
                else self._restore,
            )
        recorded = champion_of(entries)
        if recorded != current and not (champion_may_be_gone and current is None and self.champion_is_gone()):
            raise self.other_champion(recorded, current)

    def require_intact(self, version: str) -> None:
        """Check a version's files: against the SHA-256 in the ledger, and those that MLflow states.

        Raises:
            MissingInputError: If the version, or the folder of a local artefact store, is gone.
            BadDataError: If a file is missing or another one, or MLflow's hashes are not the ledger's.
        """
        with self.fetched(version):
            pass

    @contextmanager
    def fetched(self, version: str) -> Iterator[Path]:
        """Download a version's model folder, checked as by :meth:`require_intact`; it is removed at the end.

        Raises:
            MissingInputError, BadDataError: As :meth:`require_intact`.
        """
        found = by_version(self.connection, self.model, version)
        recorded = pinned_files(self.ledger.entries(), version)
        changed = [file for file, sha256 in recorded.items() if found.tags.get(FILES[file]) != sha256]
        if changed:
            raise BadDataError(
                f"{self.model} version {version}: MLflow states another SHA-256 of {changed[0]} than the "
                "ledger",
                next_step="do not use this version: roll back (`python -m components.promote rollback "
                f"--model {self.model}`) and find out who wrote to MLflow",
            )
        with fetched(self.connection, found) as folder:
            yield folder

    def champion_is_gone(self) -> bool:
        """Return whether the ledger's champion is a version that the registry no longer has."""
        version = champion_of(self.ledger.entries())
        return version is not None and not exists(self.connection, self.model, version)

    def require_known(self, entries: Sequence[ChampionEntry], tags: Tags) -> Sequence[ChampionEntry]:
        """Return the entries that were announced and not carried out.

        Raises:
            BadDataError: If the registry knows another history than the ledger tells.
        """
        behind = tags.behind(entries)
        if behind is not None and all(tags.knows(entry) for entry in behind):
            return behind
        if behind and tags.head == GENESIS and not tags.announced:
            raise self._disagree(
                f"{self.ledger.uri} has {len(entries)} entries, the registry knows none: it was started "
                "anew, or the model was deleted in it",
                f"restore the registry at {self.connection.uri} from a backup; or move {self.ledger.uri} and "
                f"{self.ledger.uri}.head.json away: the history then begins anew",
            )
        if behind:
            raise self._disagree(
                f"{self.ledger.uri} goes on after entry {tags.head[:12]}, the last one that the registry "
                f"knows, with {len(behind)} that were never announced to it: the registry was put back to an "
                "older state, or something else wrote them",
                f"restore a newer backup of the registry at {self.connection.uri}; without one, {self._anew}",
            )
        raise self._disagree(
            f"{self.ledger.uri} ends with entry {head_of(entries)[:12]} ({len(entries)} in all), the "
            f"registry knows {tags.head[:12]} as the last one: entries are missing, or another copy of "
            "the ledger was used",
            f"restore the ledger from a backup; without one, {self._anew}",
        )

    def other_champion(self, recorded: str | None, current: str | None) -> BadDataError:
        """Return the error that the alias does not point to the ledger's champion."""
        if recorded is not None and not exists(self.connection, self.model, recorded):
            return self._disagree(
                f"the ledger's champion is {name_of(recorded)}, which was deleted in MLflow; the alias "
                f"points to {name_of(current)}",
                ("" if current is None else f"delete the alias {CHAMPION!r} of {self.model} in MLflow, then ")
                + f"run `python -m components.promote rollback --model {self.model}`: it restores the latest "
                "earlier champion that is intact",
            )
        return self._disagree(
            f"the ledger's champion is {name_of(recorded)}, the alias points to {name_of(current)}",
            self._restore,
        )

    @property
    def _anew(self) -> str:
        return (
            f"move {self.ledger.uri}, or what is left of it, and {self.ledger.uri}.head.json away, and "
            f"delete the alias {CHAMPION!r} and the tag {HEAD_TAG!r} of {self.model} in MLflow: the history "
            "then begins anew"
        )

    @property
    def _restore(self) -> str:
        command = f"python -m components.promote restore-alias --model {self.model}"
        return f"find out who moved it; then run `{command}`"

    def tags(self) -> Tags:
        """Return the tags of the registered model; none where there is no such model."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds of import

        tags: dict[str, str] = {}
        with store_errors(self.connection.uri):
            try:
                tags = self.connection.client.get_registered_model(self.model).tags
            except MlflowException as error:
                if not is_absent(error):
                    raise
        announced = {value for name, value in tags.items() if name.startswith(ANNOUNCED)}
        return Tags(tags.get(HEAD_TAG, GENESIS), frozenset(announced))

    def _disagree(self, what: str, next_step: str) -> BadDataError:
        return BadDataError(f"{self.model}: ledger and registry disagree: {what}", next_step=next_step)


def _is_where_it_was(current: str | None, behind: Sequence[ChampionEntry]) -> bool:
    """Return whether the alias points where unfinished changes found it, or brought it."""
    return current in {behind[0].previous_version, *(entry.version for entry in behind)}


def name_of(version: str | None) -> str:
    """Return a champion's version in words."""
    return "none" if version is None else f"version {version}"
