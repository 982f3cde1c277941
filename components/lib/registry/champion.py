"""Moving the champion alias: decided against a known champion, announced, recorded, carried out.

Order of one change, under the ledger's lock: the chain is checked, an interrupted change is completed, the
champion is compared with the one the decision was made against, the coming entry's hash is announced as a
tag of the registered model, the entry is appended and synced, the alias is moved, the hash is tagged as the
head. A crash leaves nothing, or an announced entry whose alias or head tag is still to come: the next change
carries it out. An entry that was never announced (somebody wrote into the file) is never carried out.

The lock holds on one machine (and file system). Between machines that share a registry, the head tag is the
arbiter: a ledger that does not end in it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.lib.errors import BadDataError, GateRefusedError, MissingInputError
from components.lib.files import sha256_bytes
from components.lib.registry.artefact import CHAMPION, by_alias, by_version, fetched
from components.lib.registry.ledger import GENESIS, Action, Entry, Ledger, champions, head_of
from components.lib.tracking.connection import Connection, store_errors

HEAD_TAG = "ledger_head"
"""Tag of the registered model: hash of the last ledger entry that was carried out."""

NEXT_TAG = "ledger_next"
"""Tag of the registered model: hash of the entry that is about to be written."""


@dataclass(frozen=True, slots=True)
class ChampionLine:
    """The succession of champions of one registered model.

    Attributes:
        connection: From :func:`components.lib.tracking.connect`.
        folder: Of the ledgers.
        model: Registered model.
    """

    connection: Connection
    folder: Path
    model: str

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return Ledger(self.folder, self.model)

    def current(self) -> str | None:
        """Version of the champion, None if there is none yet."""
        version = by_alias(self.connection, self.model, CHAMPION)
        return None if version is None else str(version.version)

    def promote(self, version: str, *, decided_against: str | None, decision: str, reason: str) -> Entry:
        """Make ``version`` the champion.

        Args:
            version: Of the registered model.
            decided_against: Champion version the decision was made against, None if there was none.
            decision: SHA-256 of the decision record.
            reason: In words.

        Raises:
            GateRefusedError: If the champion is another one by now.
            BadDataError: If ledger and registry disagree.
            MissingInputError: If there is no such version.
        """
        by_version(self.connection, self.model, version)
        with self.ledger.locked():
            self._recover()
            self.require_agreement()
            current = self.current()
            if current != decided_against:
                raise GateRefusedError(
                    f"{self.model}: version {version} was judged against {_name(decided_against)}, but the "
                    f"champion is {_name(current)} by now",
                    next_step="judge it against the present champion: run `python -m components.promote`",
                )
            return self._change("promote", version, current, decision=decision, reason=reason)

    def rollback(self, reason: str) -> Entry:
        """Restore the champion before the present one, after checking its artefact's hashes.

        Args:
            reason: In words; its SHA-256 stands in for that of a decision record.

        Raises:
            MissingInputError: If there is no earlier champion, or its version is gone.
            BadDataError: If ledger and registry disagree, or the earlier artefact is not intact.
        """
        with self.ledger.locked():
            self._recover()
            self.require_agreement()
            stack = champions(self.ledger.entries())
            if len(stack) < 2:
                raise MissingInputError(
                    f"{self.model} has no earlier champion to return to",
                    next_step="promote another model first; `python -m components.promote history` shows "
                    "what there was",
                )
            with fetched(self.connection, by_version(self.connection, self.model, stack[-2])):
                pass
            decision = sha256_bytes(reason.encode())
            return self._change("rollback", stack[-2], stack[-1], decision=decision, reason=reason)

    def recover(self) -> bool:
        """Carry out a change that a crash left recorded but not done.

        Returns:
            Whether there was one.
        """
        with self.ledger.locked():
            return self._recover()

    def require_agreement(self) -> None:
        """Check the chain, the head's tag and the alias against each other.

        Raises:
            BadDataError: If the ledger is broken, misses its tail, or names another champion than the alias.
        """
        entries = self.ledger.entries()
        head, (tag, announced) = head_of(entries), self._tags()
        if head not in {tag, GENESIS} and head == announced and entries[-1].prev_hash == tag:
            raise self._disagree(
                f"entry {len(entries)} was recorded but not carried out (the process was killed?)",
                next_step="run `python -m components.promote verify --repair`; a promotion does it too",
            )
        if head != tag:
            raise self._disagree(
                f"{self.ledger.path} ends with entry {head[:12]} ({len(entries)} in all), the registry knows "
                f"{tag[:12]} as the last one: entries are missing, or another copy of the ledger was used"
            )
        recorded, current = (entries[-1].version if entries else None), self.current()
        if recorded != current:
            raise self._disagree(
                f"the ledger's champion is {_name(recorded)}, the alias points to {_name(current)}"
            )

    def _change(
        self, action: Action, version: str, previous: str | None, *, decision: str, reason: str
    ) -> Entry:
        ledger = self.ledger
        entry = ledger.sealed_entry(action, version, previous, decision=decision, reason=reason)
        with store_errors(self.connection.uri):
            self.connection.client.set_registered_model_tag(self.model, NEXT_TAG, entry.hash)
        ledger.append(entry)
        self._carry_out(entry)
        return entry

    def _carry_out(self, entry: Entry) -> None:
        with store_errors(self.connection.uri):
            self.connection.client.set_registered_model_alias(self.model, CHAMPION, entry.version)
            self.connection.client.set_registered_model_tag(self.model, HEAD_TAG, entry.hash)

    def _recover(self) -> bool:
        """Complete the one announced entry by which the ledger may be ahead of the registry."""
        head, announced = self._tags()
        torn = self.ledger.drop_torn_tail(head)
        entries = self.ledger.entries()
        if not entries or entries[-1].prev_hash != head or entries[-1].hash != announced:
            return torn
        # Only a champion that nobody moved meanwhile may be replaced by the recorded one.
        if self.current() not in {entries[-1].previous_version, entries[-1].version}:
            return torn
        self._carry_out(entries[-1])
        return True

    def _tags(self) -> tuple[str, str]:
        """Head and announced entry as the registry knows them."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds of import

        tags: dict[str, str] = {}
        with store_errors(self.connection.uri):
            try:
                tags = self.connection.client.get_registered_model(self.model).tags
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        return tags.get(HEAD_TAG, GENESIS), tags.get(NEXT_TAG, GENESIS)

    def _disagree(self, what: str, next_step: str | None = None) -> BadDataError:
        return BadDataError(
            f"{self.model}: ledger and registry disagree: {what}",
            next_step=next_step
            or "find out who changed which; then set the alias back, restore the ledger from a backup, or, "
            f"if the registry was started anew, move {self.ledger.path} away",
        )


def _name(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
