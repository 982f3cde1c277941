"""Removal of what the policy does not keep, records before the data that they name.

Nothing is removed on the basis of a broken ledger or a damaged record. While a training is at work its
records and all data stay: it may be about to use any of them. The ledger is read again between deletions, so
that a training that starts meanwhile stops the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from components.contract import keys
from components.housekeeping.champions import keys_of_champions
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.policy import at_work, is_finished, kept_keys
from components.housekeeping.references import (
    is_named,
    lock_entries,
    named_hashes,
    stages_of,
)
from components.lib.objects.content import CONTENT, RUN_CACHE, content_hash
from components.lib.objects.protocol import ObjectInfo, ObjectStore, get_many
from components.lib.operations.operations import Operations
from components.lib.operations.state import State

BATCH = 200
"""Objects that are removed between two readings of the ledger."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Freed:
    """Objects of one kind that were removed.

    Attributes:
        kind: Kind of the objects, in words.
        objects: Number of objects.
        size: Bytes together.
    """

    kind: str
    objects: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        """Return the sum of both, under the kind of the first."""
        return Freed(self.kind, self.objects + other.objects, self.size + other.size)


@dataclass(frozen=True, slots=True)
class Pruned:
    """Result of a pruning.

    Attributes:
        freed: Removed objects, by kind.
        waiting: Runs at work; while there are any, no data are removed.
    """

    freed: tuple[Freed, ...]
    waiting: tuple[str, ...]


def prune(
    places: Places,
    policy: Policy,
    *,
    dry_run: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Pruned:
    """Remove old run records, checkpoints of finished trainings, and data that no kept record names.

    Args:
        places: Stores to prune.
        policy: Retention policy.
        dry_run: Remove nothing, count only.
        clock: Returns the present time.

    Raises:
        BadDataError: If a ledger is broken or a kept record is damaged; what it could name was kept.
    """
    work = _Pruning(places, policy, dry_run, clock)
    state = work.state()
    kept = work.kept(state)
    freed = [
        work.records(state, kept),
        work.checkpoints(state, kept),
    ]
    waiting = sorted(at_work(state, clock(), policy.abandoned).values())
    if not waiting:
        freed += work.data(kept)
    return Pruned(tuple(freed), tuple(waiting))


def pruned_table(pruned: Pruned, *, dry_run: bool) -> str:
    """Return a table of what was removed, or would be."""
    total = (sum(f.objects for f in pruned.freed), sum(f.size for f in pruned.freed))
    rows = [(f.kind, f.objects, f.size) for f in pruned.freed] + [("together", *total)]
    lines = [f"{'would be freed' if dry_run else 'freed':<36}{'objects':>9}{'size':>12}"]
    lines += [f"{kind:<36}{objects:>9}{_human(size):>12}" for kind, objects, size in rows]
    if pruned.waiting:
        lines.append(f"data were left alone for runs at work, or failed lately: {', '.join(pruned.waiting)}")
    return "\n".join(lines)


class _Pruning:
    def __init__(self, places: Places, policy: Policy, dry_run: bool, clock: Callable[[], datetime]) -> None:
        self.places = places
        self.policy = policy
        self.dry_run = dry_run
        self.clock = clock
        self._operations = Operations(places.objects)
        self._operations.verify()

    def state(self) -> State:
        """Return the present state; only entries appended since the verification are read."""
        return self._operations.state()

    def kept(self, state: State) -> set[str]:
        return kept_keys(
            state,
            keep=self.policy.keep_runs,
            now=self.clock(),
            abandoned=self.policy.abandoned,
            protected=keys_of_champions(self.places.objects, state),
        )

    def records(self, state: State, kept: set[str]) -> Freed:
        """Remove records of trainings that are not kept; a stage's record goes before the data it names."""
        objects, freed = self.places.objects, Freed("records of old trainings")
        for key in sorted(set(state.claims) - kept):
            found = [
                *objects.list(keys.stage_records_prefix(key)),
                *objects.list(f"{keys.training_prefix(key)}/"),
            ]
            for run in (run for run, claimed in state.runs.items() if claimed == key):
                found += objects.list(keys.run_prefix(run))
            freed += self._remove(objects, freed.kind, found, unless=partial(self._is_claimed, key))
        return freed

    def checkpoints(self, state: State, kept: set[str]) -> Freed:
        """Remove checkpoints of kept trainings that nothing will resume."""
        objects, freed = self.places.objects, Freed("checkpoints of finished trainings")
        for key in sorted(kept & set(state.claims)):
            if is_finished(state.claims[key]):
                found = objects.list(keys.checkpoints_prefix(key))
                # The manifest first: a set is whole, or it is none.
                found.sort(key=lambda info: not info.key.endswith(keys.MANIFEST))
                freed += self._remove(objects, freed.kind, found, unless=partial(self._is_claimed, key))
        return freed

    def data(self, kept: set[str]) -> list[Freed]:
        """Remove run cache entries and content that are old and not named by a kept record."""
        remote = self.places.remote
        named = self._named(kept)
        cache, content = Freed("run cache entries"), Freed("data in the remote")
        old = self._old(remote.list(RUN_CACHE))
        entries = zip(old, get_many(remote, [info.key for info in old]), strict=True)
        useless = [info for info, entry in entries if not is_named(entry, named)]
        unnamed = [i for i in self._old(remote.list(CONTENT)) if content_hash(i.key) not in named]
        return [
            cache + self._remove(remote, cache.kind, useless, unless=self._is_anybody_at_work),
            content + self._remove(remote, content.kind, unnamed, unless=self._is_anybody_at_work),
        ]

    def _named(self, kept: set[str]) -> set[str]:
        entries = [entry for key in sorted(kept) for entry in lock_entries(self.places.objects, key)]
        named = named_hashes(self.places.remote, entries)
        own = self.places.source / keys.LOCK
        if own.is_file():  # of `dvc repro`: what a user pushed of it stays, what was never pushed is no loss
            local = stages_of(own.read_bytes(), str(own))
            named |= named_hashes(self.places.remote, local, pushed=False)
        return named

    def _old(self, infos: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        before = self.clock() - self.policy.keep_cache
        return [info for info in infos if info.modified < before]

    def _is_claimed(self, key: str) -> bool:
        return key in at_work(self.state(), self.clock(), self.policy.abandoned)

    def _is_anybody_at_work(self) -> bool:
        return bool(at_work(self.state(), self.clock(), self.policy.abandoned))

    def _remove(
        self, store: ObjectStore, kind: str, infos: Sequence[ObjectInfo], *, unless: Callable[[], bool]
    ) -> Freed:
        freed = Freed(kind)
        for batch in _batches(list({info.key: info for info in infos}.values())):
            if self.dry_run:
                freed += Freed(kind, len(batch), sum(info.size for info in batch))
                continue
            if unless():
                _LOG.warning("%s: a training started, the rest stays", kind)
                break
            for info in batch:
                store.delete(info.key)
                freed += Freed(kind, 1, info.size)
        return freed


def _batches(infos: Sequence[ObjectInfo]) -> Iterator[Sequence[ObjectInfo]]:
    for start in range(0, len(infos), BATCH):
        yield infos[start : start + BATCH]


def _human(size: float) -> str:
    """Return a number of bytes with a decimal unit, B to TB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
