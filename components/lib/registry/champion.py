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
from dataclasses import dataclass, replace

from components.contract.actor import current_actor
from components.contract.errors import BadDataError, ChampionChangedError, MissingInputError, StormsightError
from components.contract.hashing import sha256_bytes
from components.lib.ledger.chain import HeadMovedError
from components.lib.registry.agreement import ANNOUNCED, HEAD_TAG, ChampionReader, name_of
from components.lib.registry.artefact import CHAMPION, FILES, by_version, exists
from components.lib.registry.ledger import ChampionChange, ChampionEntry, champion_of, champions
from components.lib.tracking.connection import store_errors

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChampionRegistry(ChampionReader):
    """Champion of one registered model, and the changes of it; attributes as of :class:`ChampionReader`."""

    def promote(
        self,
        version: str,
        *,
        decided_against: str | None,
        decision: str,
        reason: str,
        actor: str | None = None,
    ) -> ChampionEntry:
        """Make ``version`` the champion.

        Args:
            version: Version of the registered model.
            decided_against: Champion version the decision was made against, None if there was none.
            decision: SHA-256 of the decision record.
            reason: Reason in words.
            actor: Person who approved it; None for the actor of this process.

        Raises:
            ChampionChangedError: If the champion is another one by now.
            BadDataError: If ledger and registry disagree.
            MissingInputError: If there is no such version.
        """
        by_version(self.connection, self.model, version)
        entries = self.settled()
        current = champion_of(entries)
        if current == decided_against:
            change = ChampionChange(
                action="promote",
                model=self.model,
                version=version,
                previous_version=current,
                decision=decision,
                reason=reason,
                actor=actor,
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
            f"{self.model}: version {version} was judged against {name_of(decided_against)}, but the "
            f"champion is {name_of(current)} by now",
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
        entries = self.settled(champion_may_be_gone=True)
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
                f"{self.model}: the champion is {name_of(self._champion_by_now())} by now, no longer "
                f"{name_of(stack[-1])}",
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
                self.require_intact(version)
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
        entries, tags = self.ledger.entries_without_note(), self.tags()
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
        entry = self.interrupted()
        if entry is not None:
            self._carry_out(entry)
        return entry is not None

    def settled(self, *, champion_may_be_gone: bool = False) -> list[ChampionEntry]:
        """Carry out interrupted changes, then check agreement as :meth:`require_agreement` does.

        A change that another process has recorded and is about to carry out looks like an interrupted one; it
        is carried out here too, to the same end.
        """
        while True:
            self.recover()
            try:
                return self.require_agreement(champion_may_be_gone=champion_may_be_gone)
            except BadDataError:
                if self.interrupted() is None:
                    raise

    def restore_alias(self) -> str | None:
        """Point the alias to the ledger's champion again, after it was moved by other means.

        Returns:
            The version that it pointed to; None if there was no alias.

        Raises:
            BadDataError: If anything else disagrees, or the champion's files are not those of the ledger.
            MissingInputError: If its files are gone.
        """
        entries = self.ledger.entries()
        self.require_known(entries, self.tags())
        recorded, current = champion_of(entries), self.current()
        if recorded is not None and not exists(self.connection, self.model, recorded):
            raise self.other_champion(recorded, current)
        if entries:
            self._carry_out(entries[-1])
        else:
            self._point_alias_to(None)
        if recorded is not None:
            # Only now: whoever also changed the files can be rolled back from the right alias alone.
            self.require_intact(recorded)
        return current

    def _change(self, entries: Sequence[ChampionEntry], change: ChampionChange) -> ChampionEntry:
        ledger, client = self.ledger, self.connection.client
        change = replace(change, actor=change.actor or current_actor(), files=self._files_of(change.version))
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

    def _files_of(self, version: str | None) -> dict[str, str] | None:
        """Return the SHA-256 of a version's files as MLflow states them."""
        if version is None:
            return None
        tags = by_version(self.connection, self.model, version).tags
        return {file: tags[tag] for file, tag in FILES.items() if tag in tags}

    def _carry_out(self, entry: ChampionEntry) -> None:
        """Point alias and head tag to ``entry``, or to what follows it by the time that is done."""
        while True:
            with store_errors(self.connection.uri):
                self._point_alias_to(entry.version)
                self.connection.client.set_registered_model_tag(self.model, HEAD_TAG, entry.hash)
            later = self.ledger.entries()[entry.seq :]
            tags = self.tags() if later else None
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
        return champion_of(self.ledger.entries())
