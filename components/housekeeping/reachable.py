"""Stores as housekeeping found them, and what is reachable in them, also before each removal."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime

from components.contract import keys
from components.contract.errors import BadDataError
from components.housekeeping.champions import Champions
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.policy import Holding, at_work, newest_keys, within_budget
from components.housekeeping.references import References, stages_of
from components.lib.objects.content import CONTENT, FOLDER, content_hash
from components.lib.objects.protocol import ObjectInfo, Objects
from components.lib.operations.liveness import CLOCKS_DIFFER
from components.lib.operations.operations import Operations
from components.lib.operations.state import State

_LOG = logging.getLogger(__name__)


class Reachability:
    """Trainings that are kept, and the data that they need.

    Args:
        places: Stores.
        policy: Retention policy.
        clock: Returns the present time.

    Attributes:
        entries: Entries of the operations ledger, verified.
        state: State of the operations at first.
        work: Objects of each training by its key, as they were listed.
        runs: Objects of each run by its name, as they were listed.
        content: Data in DVC's remote, as they were listed.
    """

    def __init__(self, places: Places, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._objects, self._policy, self._clock = places.objects, policy, clock
        self._source = places.source
        self._operations = Operations(places.objects, clock)
        self.entries = self._operations.verify()
        self._references = References(places.objects, places.remote)
        self._champions = Champions(places.objects)
        # The state first: what is listed after it may belong to trainings that it does not hold yet.
        self.state = self._operations.state_with_signs()
        self.work = _grouped(places.objects.list(keys.WORK), keys.WORK)
        self.runs = _grouped(places.objects.list(keys.RUNS), keys.RUNS)
        self.content = places.remote.list(CONTENT)
        self._sizes = {content_hash(info.key): info.size for info in self.content}
        self._before = self._oldest_start(clock() - policy.keep_cache)
        self._over_budget: set[str] | None = None
        self._kept: set[str] = set()

    def now(self) -> State:
        """Return the present state of the operations."""
        return self._operations.state_with_signs()

    def at_work(self, state: State) -> set[str]:
        """Return the trainings that may be running in a state."""
        return set(at_work(state, self._clock(), self._policy.abandoned))

    def kept(self, state: State) -> set[str]:
        """Return the trainings whose records and data stay.

        Those of earlier calls stay as well: none loses data that it had when this pruning began.
        """
        stay = self.at_work(state)
        finished = [key for key, claim in state.claims.items() if claim.succeeded]
        stay |= self._champions.keys(key for key in finished if self._may_have_record(key))
        newest = newest_keys(state)[: self._policy.keep_runs]
        if self._over_budget is None:
            self._over_budget = self._beyond_budget(newest, stay, state)
        self._kept |= stay | (set(newest) - self._over_budget)
        return set(self._kept)

    def kept_now(self) -> set[str]:
        """Return the trainings that are kept in the present state."""
        return self.kept(self.now())

    def named(self, state: State) -> set[str]:
        """Return the MD5 of all data that must stay in a state.

        Raises:
            BadDataError: If a record of a kept training is damaged.
        """
        named = {md5 for key in self.kept(state) for md5 in self._names_of(key, state)}
        own = self._source / keys.LOCK
        if own.is_file():  # of `dvc repro`: what a user pushed of it stays, what was never pushed is no loss
            named |= self._references.of_entries(stages_of(own.read_bytes(), str(own)), pushed=False)
        for info in self.content:  # a young folder's files may be older than its list
            if info.key.endswith(FOLDER) and info.modified >= self._before:
                named |= self._of_young(content_hash(info.key))
        return named

    def named_now(self) -> set[str]:
        """Return the MD5 of all data that must stay in the present state."""
        return self.named(self.now())

    def old(self, infos: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        """Return the objects that are old enough to go."""
        return [info for info in infos if info.modified < self._before]

    def holdings(self) -> dict[str, Holding]:
        """Return what each training with records holds, newest first; of a damaged one its records alone."""
        found = {}
        for key in newest_keys(self.state):
            if key in self.work:
                try:
                    found[key] = self._holding(key, self.state)
                except BadDataError:
                    found[key] = Holding({}, self._record_bytes(key))
        return found

    def _beyond_budget(self, newest: Sequence[str], stay: Set[str], state: State) -> set[str]:
        if self._policy.budget is None:
            return set()
        counted = [key for key in newest if key not in stay and key in self.work]
        holdings = {key: self._holding(key, state) for key in counted}
        held = {md5 for key in stay for md5 in self._names_of(key, state)}
        return set(counted) - set(within_budget(counted, holdings, self._policy.budget, held))

    def _holding(self, key: str, state: State) -> Holding:
        names = self._names_of(key, state) & self._sizes.keys()
        return Holding({md5: self._sizes[md5] for md5 in names}, self._record_bytes(key))

    def _record_bytes(self, key: str) -> int:
        return sum(info.size for info in self.work[key])

    def _names_of(self, key: str, state: State) -> Set[str]:
        claim = state.claims.get(key)
        return self._references.of(key, settled=claim is not None and claim.succeeded)

    def _of_young(self, md5: str) -> Set[str]:
        try:
            return self._references.of_folder(md5, required=False)
        except BadDataError as error:  # nothing that is kept names it, or its reading had failed before
            _LOG.warning("%s", error.message)
            return frozenset()

    def _may_have_record(self, key: str) -> bool:
        """Return False for a training that had finished, and was pruned, before this pruning began."""
        claim = self.state.claims.get(key)
        return claim is None or not claim.succeeded or key in self.work

    def _oldest_start(self, latest: datetime) -> datetime:
        """Return ``latest``, or the start of the oldest training at work if that is earlier."""
        claims = self._operations.state().claims  # without signs of life: the times of the claims
        return min([latest, *(claims[key].alive - CLOCKS_DIFFER for key in self.at_work(self.state))])


def _grouped(infos: Objects, prefix: str) -> Mapping[str, Objects]:
    """Return objects by the name that follows ``prefix`` in their keys."""
    found = defaultdict[str, Objects](list)
    for info in infos:
        found[info.key.removeprefix(prefix).partition("/")[0]].append(info)
    return dict(found)
