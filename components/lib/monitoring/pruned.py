"""Counts of trainings whose records are pruned: one sealed object, ``pruned.json``.

Housekeeping adds a training to it before it removes its records. Whoever counts reads the records first, then
this object, and leaves out the runs that it names: so each run counts once, and no counter falls. Runs stay
named as long as their training has any objects left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pydantic import ConfigDict, TypeAdapter

from components.contract.errors import MissingInputError
from components.contract.hashing import seal
from components.contract.keys import PRUNED
from components.lib.history.facts import RunFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.monitoring.counts import Counts, SavedCounts
from components.lib.monitoring.trainings import count_records
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import read_sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedCounts:
    """Content of the object.

    Attributes:
        runs: Runs that are counted here although records of their training may still be there, by training.
        counts: Counts of all runs whose records were pruned.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    runs: dict[str, list[str]] = field(default_factory=dict)
    counts: SavedCounts = field(default_factory=lambda: SavedCounts(counters={}, histograms={}))

    def holds(self, facts: RunFacts) -> bool:
        """Return whether a run is counted here."""
        return facts.run in self.runs.get(facts.key, ())


def read_pruned(objects: ObjectStore) -> PrunedCounts:
    """Read the counts of pruned trainings; none before the first pruning.

    Raises:
        BadDataError: If they are damaged.
    """
    try:
        return read_sealed(objects, PRUNED, PrunedCounts)
    except MissingInputError:
        return PrunedCounts()


def add_pruned(
    objects: ObjectStore, runs: Iterable[RunFacts], graph: GraphRequirements, present: Collection[str]
) -> None:
    """Add runs whose records are about to be removed; those that are counted already are left as they are.

    Args:
        objects: The store.
        runs: Runs with their records.
        graph: Present graph.
        present: Trainings that have objects now: the runs of others need no longer be named.

    Raises:
        BadDataError: If the counts so far are damaged.
    """
    before = read_pruned(objects)
    counts = Counts()
    counts.merge(before.counts)
    named = {key: list(names) for key, names in before.runs.items() if key in present}
    for facts in runs:
        if not before.holds(facts):
            count_records(counts, facts, graph)
            named.setdefault(facts.key, []).append(facts.run)
    after = PrunedCounts(runs=named, counts=counts.saved())
    if after != before:
        objects.put(PRUNED, seal(_ADAPTER.dump_python(after, mode="json")))


_ADAPTER = TypeAdapter(PrunedCounts)
