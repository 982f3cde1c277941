"""Trainings that present and former champions came from."""

from __future__ import annotations

from collections.abc import Iterable

from components.contract.errors import MissingInputError
from components.contract.keys import (
    APPROVALS,
    CHAMPIONS,
    approval_chain,
    champion_chain,
    champion_model,
    run_record_key,
)
from components.housekeeping.policy import standing_decisions
from components.lib.ledger.chain import Chain, Entry
from components.lib.objects.protocol import ObjectStore


def models(objects: ObjectStore, prefix: str = CHAMPIONS) -> list[str]:
    """Return the names of models that have a chain of champions, or the head note of one.

    Args:
        objects: Store of the chains.
        prefix: Prefix of the champions' chains, or of the approvals'.
    """
    found = (champion_model(info.key, prefix) for info in objects.list(f"{prefix}/"))
    return sorted({model for model in found if model is not None})


def chain(objects: ObjectStore, model: str) -> Chain:
    """Return the chain of a model's champions."""
    return Chain(objects, champion_chain(model))


class Champions:
    """Trainings that made the present champions and those before them, read on from where it was read before.

    Args:
        objects: Store of chains and records.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._entries: dict[str, list[Entry]] = {}
        self._records: dict[str, str] = {}

    def keys(self, finished: Iterable[str]) -> set[str]:
        """Return those of ``finished`` that made a champion, the one before it, or one that awaits approval.

        A champion that came from elsewhere (a laptop) has no key here.

        Args:
            finished: Keys of trainings that succeeded, and whose records are kept until now.

        Raises:
            BadDataError: If a chain is broken.
        """
        decisions: set[str] = set()
        for model in models(self._objects):
            decisions |= standing_decisions([entry.body for entry in self._read(champion_chain(model))])
        for model in models(self._objects, APPROVALS):
            # What waits for an approval may be the next champion.
            decisions |= {str(entry.body["decision"]) for entry in self._read(approval_chain(model))[-1:]}
        return {key for key in finished if any(decision in self._record(key) for decision in decisions)}

    def _read(self, prefix: str) -> list[Entry]:
        known = self._entries.get(prefix, [])
        self._entries[prefix] = Chain(self._objects, prefix).entries(known)
        return self._entries[prefix]

    def _record(self, key: str) -> str:
        """Return a training's record as text: a decision may stand at any place in it."""
        if key not in self._records:
            try:
                self._records[key] = self._objects.get(run_record_key(key)).decode(errors="replace")
            except MissingInputError:
                return ""
        return self._records[key]
