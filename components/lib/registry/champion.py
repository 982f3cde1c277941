"""Changes of the champion alias: decided against a known champion, announced, recorded, carried out.

Order of one change: an interrupted change is completed, chain, registry and alias are compared, the champion
is compared with the one the decision was made against, the coming entry's hash is announced as a tag of the
registered model, the entry is created, the alias is moved, the hash is tagged as the head. Of two processes
that saw the same champion, on any machines, one creates the entry; the other has to decide anew.

A crash leaves nothing, or announced entries whose alias or head tag is still to come: the next change carries
them out. An entry that was never announced (somebody wrote into the store) is never carried out.

MLflow's writes are plain upserts, so a slow process could put its alias over a later one. Each therefore
looks at the chain again after its last write and carries out what is the head by then: whoever writes last
leaves the head's champion.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from components.contract.errors import BadDataError, ChampionChangedError, MissingInputError, StormsightError
from components.contract.hashing import sha256_bytes
from components.lib.ledger.chain import GENESIS, HeadMovedError
from components.lib.registry.artefact import CHAMPION, by_alias, by_version, exists, fetched
from components.lib.registry.ledger import (
    ChampionChange,
    ChampionEntry,
    ChampionLedger,
    ChampionLedgers,
    champions,
    head_of,
)
from components.lib.tracking.connection import Connection, store_errors

LOG = logging.getLogger(__name__)

HEAD_TAG = "ledger_head"
"""Tag of the registered model: hash of the last ledger entry that was carried out."""

ANNOUNCED = "ledger_entry."
"""Tags of the registered model that start so name, by hash, the entries that were announced."""


@dataclass(frozen=True, slots=True)
class _Tags:
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
        return entry.hash in self.announced


@dataclass(frozen=True, slots=True)
class ChampionRegistry:
    """Champion of one registered model: its alias in MLflow and its history in a ledger.

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

    def promote(
        self, version: str, *, decided_against: str | None, decision: str, reason: str
    ) -> ChampionEntry:
        """Make ``version`` the champion.

        Args:
            version: Version of the registered model.
            decided_against: Champion version the decision was made against, None if there was none.
            decision: SHA-256 of the decision record.
            reason: Reason in words.

        Raises:
            ChampionChangedError: If the champion is another one by now.
            BadDataError: If ledger and registry disagree.
            MissingInputError: If there is no such version.
        """
        by_version(self.connection, self.model, version)
        self.recover()
        entries = self.require_agreement()
        current = entries[-1].version if entries else None
        if current == decided_against:
            change = ChampionChange(
                action="promote",
                model=self.model,
                version=version,
                previous_version=current,
                decision=decision,
                reason=reason,
            )
            try:
                return self._change(entries, change)
            except HeadMovedError:
                current = self._champion_by_now()
        raise self._changed_since(version, decided_against, current)

    def require_champion(self, decided_against: str | None, *, version: str) -> None:
        """Check that the champion is still the one that a decision was made against.

        Args:
            decided_against: Its version, None if there was none.
            version: Version that was judged, for the message.

        Raises:
            ChampionChangedError: If the champion is another one by now.
        """
        current = self._champion_by_now()
        if current != decided_against:
            raise self._changed_since(version, decided_against, current)

    def _changed_since(
        self, version: str, decided_against: str | None, current: str | None
    ) -> ChampionChangedError:
        return ChampionChangedError(
            f"{self.model}: version {version} was judged against {_name(decided_against)}, but the "
            f"champion is {_name(current)} by now",
            next_step="judge it against the present champion: run `python -m components.promote`",
        )

    def rollback(self, reason: str) -> ChampionEntry:
        """Restore the latest earlier champion whose artefact is intact, after checking its hashes.

        Where the present champion was deleted in MLflow and no earlier one is intact, there is none from then
        on: the next challenger is judged as the first.

        Args:
            reason: Reason in words; its SHA-256 stands in for that of a decision record.

        Raises:
            MissingInputError: If there is no earlier champion.
            BadDataError: If ledger and registry disagree, or no earlier artefact is intact.
            ChampionChangedError: If another process changed the champion meanwhile.
        """
        self.recover()
        entries = self.require_agreement(champion_may_be_gone=True)
        stack = champions(entries)
        if not stack:
            raise self._no_earlier()
        change = ChampionChange(
            action="rollback",
            model=self.model,
            version=self._latest_intact(stack),
            previous_version=stack[-1],
            decision=sha256_bytes(reason.encode()),
            reason=reason,
        )
        try:
            return self._change(entries, change)
        except HeadMovedError as error:
            raise ChampionChangedError(
                f"{self.model}: the champion is {_name(self._champion_by_now())} by now, no longer "
                f"{_name(stack[-1])}",
                next_step="look at `python -m components.promote history`, then decide again",
            ) from error

    def _latest_intact(self, stack: Sequence[str]) -> str | None:
        """Return the latest champion before the present one that can be restored.

        None if there is none and the present one is gone.
        """
        failure: StormsightError | None = None
        for version in dict.fromkeys(reversed(stack[:-1])):
            if version == stack[-1]:
                continue
            try:
                with fetched(self.connection, by_version(self.connection, self.model, version)):
                    return version
            except (BadDataError, MissingInputError) as error:
                LOG.warning("%s: version %s cannot be restored: %s", self.model, version, error.message)
                failure = failure or error
        if not exists(self.connection, self.model, stack[-1]):
            return None
        raise failure or self._no_earlier()

    def _no_earlier(self) -> MissingInputError:
        return MissingInputError(
            f"{self.model} has no earlier champion to return to",
            next_step="promote another model first; `python -m components.promote history` shows what there "
            "was",
        )

    def renew_note(self) -> bool:
        """Write a damaged note of the ledger's length anew, where the registry confirms the ledger's end.

        Returns:
            True if it was damaged and could be renewed.

        Raises:
            BadDataError: If an entry of the ledger is damaged.
        """
        if not self.ledger.chain.note_is_damaged:
            return False
        entries, tags = self.ledger.entries_without_note(), self._tags()
        behind = tags.behind(entries)
        if not entries or behind is None or not all(tags.knows(entry) for entry in behind):
            return False
        self.ledger.chain.renew_note(entries[-1].chained)
        return True

    def recover(self) -> bool:
        """Carry out changes that a crash left recorded but not done.

        Returns:
            True if there were any.
        """
        entries, tags = self.ledger.entries(), self._tags()
        behind = tags.behind(entries)
        if not behind or not all(tags.knows(entry) for entry in behind):
            return False
        # Only a champion that nobody moved meanwhile may be replaced by the recorded one.
        if self.current() not in {behind[0].previous_version, *(entry.version for entry in behind)}:
            return False
        self._carry_out(behind[-1])
        return True

    def require_agreement(self, *, champion_may_be_gone: bool = False) -> list[ChampionEntry]:
        """Check the chain, the head's tag and the alias against each other.

        Args:
            champion_may_be_gone: Accept that the ledger's champion was deleted in MLflow, with its alias.

        Returns:
            The ledger's entries.

        Raises:
            BadDataError: If the ledger is broken, misses its tail, or names another champion than the alias.
        """
        entries, tags = self.ledger.entries(), self._tags()
        behind = tags.behind(entries)
        if behind and all(tags.knows(entry) for entry in behind):
            raise self._disagree(
                f"entry {behind[0].seq} was recorded but not carried out (the process was killed?)",
                "run `python -m components.promote verify --repair`; a promotion does it too",
            )
        if behind and tags.head == GENESIS and not tags.announced:
            raise self._disagree(
                f"{self.ledger.uri} has {len(entries)} entries, the registry knows none: it was started "
                "anew, or the model was deleted in it",
                f"restore the registry at {self.connection.uri} from a backup; or move {self.ledger.uri} and "
                f"{self.ledger.uri}.head.json away: the history then begins anew",
            )
        if behind is None or behind:
            raise self._disagree(
                f"{self.ledger.uri} ends with entry {head_of(entries)[:12]} ({len(entries)} in all), the "
                f"registry knows {tags.head[:12]} as the last one: entries are missing, or another copy of "
                "the ledger was used",
                f"restore the ledger from a backup; without one, move what is left of it and "
                f"{self.ledger.uri}.head.json away, and delete the alias {CHAMPION!r} and the tag "
                f"{HEAD_TAG!r} of {self.model} in MLflow: the history then begins anew",
            )
        recorded, current = (entries[-1].version if entries else None), self.current()
        if recorded != current and not (champion_may_be_gone and current is None and self.champion_is_gone()):
            raise self._other_champion(recorded, current)
        return entries

    def champion_is_gone(self) -> bool:
        """Return whether the ledger's champion is a version that the registry no longer has."""
        entries = self.ledger.entries()
        version = entries[-1].version if entries else None
        return version is not None and not exists(self.connection, self.model, version)

    def _other_champion(self, recorded: str | None, current: str | None) -> BadDataError:
        if recorded is not None and not exists(self.connection, self.model, recorded):
            return self._disagree(
                f"the ledger's champion is {_name(recorded)}, which was deleted in MLflow; the alias points "
                f"to {_name(current)}",
                ("" if current is None else f"delete the alias {CHAMPION!r} of {self.model} in MLflow, then ")
                + f"run `python -m components.promote rollback --model {self.model}`: it restores the latest "
                "earlier champion that is intact",
            )
        return self._disagree(
            f"the ledger's champion is {_name(recorded)}, the alias points to {_name(current)}",
            "find out who moved it; then in MLflow "
            + (
                f"delete the alias {CHAMPION!r} of {self.model}"
                if recorded is None
                else f"set the alias {CHAMPION!r} of {self.model} to {_name(recorded)}"
            ),
        )

    def _change(self, entries: Sequence[ChampionEntry], change: ChampionChange) -> ChampionEntry:
        ledger, client = self.ledger, self.connection.client
        entry = ledger.next_entry(entries[-1] if entries else None, change)
        tag = ANNOUNCED + entry.hash
        with store_errors(self.connection.uri):
            client.set_registered_model_tag(self.model, tag, entry.hash)
        try:
            ledger.append(entry)
        except HeadMovedError:
            with store_errors(self.connection.uri):
                client.delete_registered_model_tag(self.model, tag)
            raise
        self._carry_out(entry)
        return entry

    def _carry_out(self, entry: ChampionEntry) -> None:
        """Point alias and head tag to ``entry``, or to what follows it by the time that is done."""
        while True:
            with store_errors(self.connection.uri):
                self._point_alias_to(entry.version)
                self.connection.client.set_registered_model_tag(self.model, HEAD_TAG, entry.hash)
            later = self.ledger.entries()[entry.seq :]
            tags = self._tags() if later else None
            if tags is None or not all(tags.knows(one) for one in later):
                return
            entry = later[-1]

    def _point_alias_to(self, version: str | None) -> None:
        if version is not None:
            self.connection.client.set_registered_model_alias(self.model, CHAMPION, version)
        elif self.current() is not None:
            self.connection.client.delete_registered_model_alias(self.model, CHAMPION)

    def _champion_by_now(self) -> str | None:
        """Return the chain's champion: the winner's alias may still be on its way."""
        entries = self.ledger.entries()
        return entries[-1].version if entries else None

    def _tags(self) -> _Tags:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds of import

        tags: dict[str, str] = {}
        with store_errors(self.connection.uri):
            try:
                tags = self.connection.client.get_registered_model(self.model).tags
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        announced = {value for name, value in tags.items() if name.startswith(ANNOUNCED)}
        return _Tags(tags.get(HEAD_TAG, GENESIS), frozenset(announced))

    def _disagree(self, what: str, next_step: str) -> BadDataError:
        return BadDataError(f"{self.model}: ledger and registry disagree: {what}", next_step=next_step)


def _name(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
