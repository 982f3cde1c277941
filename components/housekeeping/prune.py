"""Removal of what the policy does not keep, records before the data that they name.

Data stay that the records of a kept training name, or an intent of one at work, and what is young: younger
than ``keep_cache_days``, or written since the oldest training at work began. All else goes, also while
something trains: each batch is announced, and compared with what is reachable then. So a run that takes an
old entry of the run cache just now keeps its data, or finds them gone and makes them anew (see
:mod:`components.lib.operations.removals`). Nothing is removed on the basis of a broken ledger or a damaged
record of a training that is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from components.contract import keys
from components.housekeeping.deliveries import Deliveries
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.policy import is_finished
from components.housekeeping.reachable import Reachability
from components.housekeeping.references import is_named
from components.housekeeping.report import Training, rows_of
from components.housekeeping.sweep import Freed, Sweep
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import HistoryReader
from components.lib.ledger.chain import utc_now
from components.lib.monitoring.pruned import add_pruned
from components.lib.objects.content import FOLDER, RUN_CACHE, content_hash
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore, get_many
from components.lib.operations.removals import remove_expired


@dataclass(frozen=True, slots=True)
class Pruned:
    """Result of a pruning.

    Attributes:
        freed: Removed objects, by kind.
        trainings: What each training holds, newest first; of a dry run only.
    """

    freed: tuple[Freed, ...]
    trainings: tuple[Training, ...] = field(default=(), compare=False)


def prune(
    places: Places, policy: Policy, *, dry_run: bool = False, clock: Callable[[], datetime] = utc_now
) -> Pruned:
    """Remove old records, checkpoints of finished trainings, data, deliveries and blocks that nothing needs.

    Args:
        places: Stores to prune.
        policy: Retention policy.
        dry_run: Remove nothing, count only, and tell what each training holds.
        clock: Returns the present time.

    Raises:
        BadDataError: If a ledger is broken or a kept record is damaged; what it could name was kept.
        SourceUnavailableError: If a store does not answer, or is too slow.
    """
    reachable = Reachability(places, policy, clock)
    if not dry_run:
        remove_expired(places.objects, clock())
    work = _Pruning(places, reachable, dry_run)
    kept = reachable.kept(reachable.state)
    trainings = rows_of(reachable.state, reachable.holdings(), kept) if dry_run else ()
    before = clock() - policy.keep_deliveries
    freed = (
        work.records(),
        work.checkpoints(),
        *work.data(),
        work.deliveries(before),
        work.maps(before),
    )
    return Pruned(freed, trainings)


class _Pruning:
    def __init__(self, places: Places, reachable: Reachability, dry_run: bool) -> None:
        self._objects, self._remote = places.objects, places.remote
        self._reachable = reachable
        self._state = reachable.state
        self._graph = GraphRequirements(places.source)
        self._dry_run = dry_run

    def records(self) -> Freed:
        """Remove records of trainings that are not kept; a stage's record goes before the data it names."""
        freed, runs = Freed("records of old trainings"), defaultdict[str, list[str]](list)
        for run, key in self._state.runs.items():
            runs[key].append(run)
        going = sorted(self._state.claims.keys() - self._reachable.kept(self._state))
        self._count([key for key in going if key in self._reachable.work])
        for key in going:
            found = [*self._reachable.work.get(key, ())]
            found += (info for run in runs[key] for info in self._reachable.runs.get(run, ()))
            freed += self._of_training(freed.kind, key, self._reachable.kept_now).remove(found)
        return freed

    def _count(self, going: Sequence[str]) -> None:
        """Add up what the records of trainings tell, before they go; see :mod:`.monitoring.pruned`."""
        if self._dry_run or not going:
            return
        reader = HistoryReader(self._objects, self._graph)
        runs = [run for key in going for run in reader.training(self._state, key)]
        add_pruned(self._objects, runs, self._graph, self._reachable.work)

    def checkpoints(self) -> Freed:
        """Remove checkpoints and intents of kept trainings that nothing will resume."""
        freed, work = Freed("checkpoints of finished trainings"), self._reachable.work
        ended = [key for key, claim in self._state.claims.items() if is_finished(claim)]
        kept = self._reachable.kept(self._state) - self._reachable.at_work(self._state)
        for key in sorted(kept & work.keys() & set(ended)):
            prefixes = (keys.checkpoints_prefix(key), keys.intents_prefix(key))
            found = [info for info in work[key] if info.key.startswith(prefixes)]
            sweep = self._of_training(freed.kind, key, lambda: self._reachable.at_work(self._reachable.now()))
            # The manifest first: a set is whole, or it is none.
            for part in _parted(found, lambda info: info.key.endswith(keys.MANIFEST)):
                freed += sweep.remove(part)
        return freed

    def data(self) -> list[Freed]:
        """Remove run cache entries and content that are old and that nothing needs."""
        cache, content = Freed("run cache entries"), Freed("data in the remote")
        named = self._reachable.named(self._state)
        old = self._reachable.old(self._remote.list(RUN_CACHE))
        entries = zip(old, get_many(self._remote, [info.key for info in old]), strict=True)
        useless = [info for info, entry in entries if not is_named(entry, named)]
        # A run that misses a removed entry makes its outputs anew: nobody needs to wait for it.
        cache += self._sweep(cache.kind, self._remote, lambda info: info.key, frozenset).remove(useless)
        unnamed = [
            i for i in self._reachable.old(self._reachable.content) if content_hash(i.key) not in named
        ]
        sweep = self._sweep(
            content.kind, self._remote, lambda info: content_hash(info.key), self._reachable.named_now
        )
        # The lists of folders first: DVC takes a folder whose list is there for complete.
        for part in _parted(unnamed, lambda info: info.key.endswith(FOLDER)):
            content += sweep.remove(part)
        return [cache, content]

    def deliveries(self, before: datetime) -> Freed:
        """Remove copies of deliveries that no training can need any more."""
        freed = Freed("deliveries that nothing needs")
        deliveries = Deliveries(self._objects, self._reachable.entries, before)
        superfluous = deliveries.superfluous(self._state, self._reachable.kept(self._state))
        for prefix, found in superfluous.items():

            def name(_: ObjectInfo, prefix: str = prefix) -> str:
                return prefix

            def needed(prefix: str = prefix) -> Container[str]:
                state = self._reachable.now()
                still = deliveries.is_superfluous(prefix, state, self._reachable.kept(state))
                return frozenset() if still else frozenset({prefix})

            freed += self._sweep(freed.kind, self._objects, name, needed).remove(found)
        return freed

    def maps(self, before: datetime) -> Freed:
        """Remove plans of maps, and blocks of maps that were given up; maps themselves stay."""
        freed = Freed("plans and blocks of maps")
        found = (info for prefix in (keys.MAP_PLANS, keys.MAP_WORK) for info in self._objects.list(prefix))
        old = [info for info in found if info.modified < before]
        # A run that misses a block maps it anew: nobody needs to wait for it.
        return freed + self._sweep(freed.kind, self._objects, lambda info: info.key, frozenset).remove(old)

    def _of_training(self, kind: str, key: str, reachable: Callable[[], Container[str]]) -> Sweep:
        return self._sweep(kind, self._objects, lambda _: key, reachable)

    def _sweep(
        self,
        kind: str,
        store: ObjectStore,
        name: Callable[[ObjectInfo], str],
        reachable: Callable[[], Container[str]],
    ) -> Sweep:
        return Sweep(kind, store, self._objects, name, reachable, self._dry_run)


def _parted(infos: Sequence[ObjectInfo], first: Callable[[ObjectInfo], bool]) -> tuple[Objects, Objects]:
    """Return the objects for which ``first`` holds, and the others."""
    return [info for info in infos if first(info)], [info for info in infos if not first(info)]
