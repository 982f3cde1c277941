"""One look at all sources, and its renewal in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial

from components.contract import keys
from components.contract.errors import StormsightError
from components.dashboard.champions import Champion, Request, find_champions, find_requests
from components.dashboard.drift import (
    COMPARED,
    COMPARED_HERE,
    KnownComparison,
    comparisons_here,
    comparisons_in_store,
)
from components.dashboard.estimates import KnownEstimate, estimates_here
from components.dashboard.judged import JUDGE, Judged, judged_here, judged_in_store
from components.dashboard.maps import KnownMap, MapPlace
from components.dashboard.notices import STORE, Notice, Notices
from components.dashboard.parameters import Places
from components.dashboard.quality import Quality, TileFile, find_files
from components.dashboard.waiting import Waiting, find_waiting
from components.lib.history.checkout import read_checkout
from components.lib.history.cost import CostParameters
from components.lib.history.facts import RunFacts
from components.lib.history.quarantine import Refusal
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import History, HistoryReader
from components.lib.objects.folder import FolderObjects
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.liveness import signed_keys, with_signs
from components.lib.operations.parameters import ClaimParameters
from components.lib.operations.state import State
from components.lib.registry.ledger import ChampionLedgers
from components.lib.registry.served import MODELS

LOG = logging.getLogger(__name__)

RENEWED_AFTER = timedelta(seconds=15)
"""Age at which the facts behind the pages are read again."""

AWAITED_AFTER = timedelta(minutes=1)
"""Age at which a reader waits for that reading."""

LONGEST_WAIT = timedelta(seconds=2)
"""Time that a reader waits at most; then the old facts are shown, with the time of their reading."""

LEDGER, SIGNS, OWN = "ledger and records of trainings", "signs of life", "checkout"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Facts of one look, which nothing changes afterwards.

    Attributes:
        read_at: Time of the look, UTC.
        runs: The checkout's training first, then those in the object store, newest claim first.
        champions: Champions by the ledgers.
        requests: Challengers that wait for a person.
        waiting: What is at work, waits or is barred.
        quality: Verdict on tiles; None if there is none.
        refusals: Rows of the quarantine list.
        judged_run: Run of both: the checkout, else the newest that has them; empty if there is none.
        tiles: Raster files of quarantined tiles.
        comparisons: Comparisons of acquisitions with champions, newest first.
        estimates: Estimated scores of models on acquisitions, newest first.
        maps: Maps of all catalogues, newest first.
        catalogues: The catalogues.
        notices: Sources that could not be read.
        unread: Kinds of facts that may lack some for that: ``runs``, ``champions``, ``waiting``, ``drift``,
            ``maps``.
        prices: Price table and power model; None if they could not be read.
        detailed: Adds the inputs and outputs of a run's stages.
    """

    read_at: datetime
    runs: Sequence[RunFacts] = ()
    champions: Sequence[Champion] = ()
    requests: Sequence[Request] = ()
    waiting: Sequence[Waiting] = ()
    quality: Quality | None = None
    refusals: Sequence[Refusal] = ()
    judged_run: str = ""
    tiles: dict[tuple[str, str], TileFile] = field(default_factory=dict)
    comparisons: Sequence[KnownComparison] = ()
    estimates: Sequence[KnownEstimate] = ()
    maps: Sequence[KnownMap] = ()
    catalogues: Sequence[MapPlace] = ()
    notices: Sequence[Notice] = ()
    unread: Set[str] = frozenset()
    prices: CostParameters | None = None
    detailed: Callable[[RunFacts], RunFacts] = field(default=lambda run: run)

    @cached_property
    def simulated(self) -> bool:
        """Return whether anything shown was measured in the simulated world."""
        judged = [run.simulated for run in self.runs]
        judged += [one.record.simulated for one in self.comparisons]
        judged += [one.record.simulated for one in self.estimates]
        return True in judged or (self.quality is not None and self.quality.simulated)


class Sources:
    """Sources of the dashboard; what does not change is read once.

    Args:
        places: Places to read.
        clock: Function that returns the time, UTC.
    """

    def __init__(self, places: Places, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._places = places
        self._clock = clock
        self._history: History | None = None
        self._stored: tuple[str, Judged] | None = None
        self._compared: dict[str, KnownComparison] = {}
        self._checkout: tuple[tuple[int, int], RunFacts | None] | None = None

    @cached_property
    def objects(self) -> ObjectStore:
        """Store of ledgers, records and catalogue.

        Raises:
            ParameterError: If its address names none.
        """
        return open_objects(self._places.objects)

    @cached_property
    def _ledgers(self) -> ChampionLedgers:
        return ChampionLedgers(self.objects, keys.CHAMPIONS)

    @cached_property
    def _reader(self) -> HistoryReader:
        return HistoryReader(self.objects, GraphRequirements(self._places.checkout))

    def read(self) -> Snapshot:
        """Return all facts; each source that cannot be read is a notice.

        Raises:
            ParameterError: If the store's address names none.
        """
        notices, checkout = Notices(), self._places.checkout
        history = notices.attempt(LEDGER, self._read_history, store=STORE) or History()
        for problem in history.problems:
            notices.found.append(Notice(problem.source, problem.message, problem.next_step))
        own = notices.attempt(OWN, self._read_checkout)
        runs = (*([] if own is None else [own]), *history.runs)
        judged = self._judged(history, notices)
        catalogues = self._catalogues()
        return Snapshot(
            read_at=self._clock(),
            runs=runs,
            champions=find_champions(self._ledgers, runs, notices),
            requests=find_requests(self._ledgers, notices),
            waiting=self._waiting(history.state, notices),
            quality=judged.quality,
            refusals=judged.refusals,
            judged_run=judged.run,
            tiles=notices.attempt("tiles", partial(find_files, checkout, judged.refusals)) or {},
            comparisons=self._comparisons(notices),
            estimates=estimates_here(checkout, notices),
            maps=_newest([m for c in catalogues for m in self._maps(c, notices)]),
            catalogues=catalogues,
            prices=notices.attempt("prices", self._places.prices),
            notices=notices.found,
            unread=_unread(notices.failed, catalogues),
            detailed=self._detailed,
        )

    def _judged(self, history: History, notices: Notices) -> Judged:
        """Return verdict and quarantine; those of a training in the store, which never change, are kept."""
        here = judged_here(self._places.checkout, notices)
        newest = next((run.run for run in history.runs if run.kept and JUDGE in run.stages), "")
        if here.run or not newest:
            return here
        if self._stored is None or self._stored[0] != newest:

            def read() -> Judged:
                return judged_in_store(open_objects(self._places.remote), history.runs, self._detailed)

            found = notices.attempt("verdict and quarantine in DVC's remote", read)
            if found is None:
                return Judged()
            self._stored = (newest, found)
        return self._stored[1]

    def _read_history(self) -> History:
        self._history = self._reader.read(self._history)
        return self._history

    def _read_checkout(self) -> RunFacts | None:
        """Return the facts of the checkout, read again where its lock has changed."""
        lock = self._places.checkout / keys.LOCK
        if not lock.exists():
            return None
        status = lock.stat()
        mark = (status.st_mtime_ns, status.st_size)
        if self._checkout is None or self._checkout[0] != mark:
            self._checkout = (mark, read_checkout(self._places.checkout))
        return self._checkout[1]

    def _detailed(self, run: RunFacts) -> RunFacts:
        return self._reader.detailed(run) if run.key else run

    def _waiting(self, state: State, notices: Notices) -> list[Waiting]:
        now = self._clock()
        claims = notices.attempt("params.yaml", self._places.claims) or ClaimParameters()

        def signed() -> State:
            return with_signs(state, self.objects, now, signed_keys(state, self.objects))

        alive = notices.attempt(SIGNS, signed, store=STORE) or state
        return find_waiting(alive, now=now, lease=claims.lease)

    def _comparisons(self, notices: Notices) -> list[KnownComparison]:
        here = comparisons_here(self._places.checkout, notices)
        found = [*comparisons_in_store(self.objects, self._compared, notices), *here]
        return sorted(found, key=lambda known: known.time, reverse=True)

    def _maps(self, place: MapPlace, notices: Notices) -> Sequence[KnownMap]:
        store = STORE if place.objects is self.objects else ""
        return notices.attempt(place.name, place.maps, store=store) or []

    def _catalogues(self) -> list[MapPlace]:
        folder = self._places.maps
        return [
            MapPlace("catalogue of the object store", self.objects, keys.MAPS),
            *([MapPlace("catalogue in maps/", FolderObjects(folder), "")] if folder.is_dir() else []),
        ]


class Keeper:
    """Keeper of the latest facts: a reader gets them at once, and old ones are read again meanwhile.

    The first reader after a pause waits a little for that reading.

    Args:
        read: Function that reads all sources.
        clock: Function that returns the time, UTC.
        wait: Time that a reader waits at most where the facts are older than :data:`AWAITED_AFTER`.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: timedelta = LONGEST_WAIT,
    ) -> None:
        self._read = read
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._latest: Snapshot | None = None
        self._thread: threading.Thread | None = None

    def latest(self) -> Snapshot:
        """Return the latest facts; the first call waits for them, and one after a pause a little.

        Raises:
            ParameterError: If the store's address names none.
        """
        with self._lock:
            if self._latest is None:
                self._latest = self._read()
            found = self._latest
        age = self._clock() - found.read_at
        if age > RENEWED_AFTER and self._renewing.acquire(blocking=False):
            thread = threading.Thread(target=self._renew, name="renew", daemon=True)
            thread.start()
            self._thread = thread  # once started, as others may join it
        if age > AWAITED_AFTER and self._thread is not None:
            self._thread.join(self._wait.total_seconds())
            with self._lock:
                found = self._latest or found
        return found

    def join(self) -> None:
        """Wait until no reading is under way."""
        if self._thread is not None:
            self._thread.join()

    def _renew(self) -> None:
        try:
            found = self._read()
            with self._lock:
                self._latest = found
        except StormsightError as error:
            LOG.warning("the pages stay as they are: %s", error.message)
        finally:
            self._renewing.release()


def _unread(failed: Set[str], catalogues: Sequence[MapPlace]) -> Set[str]:
    """Return the kinds of facts that need a source which failed."""
    needed = {
        "runs": {LEDGER, OWN},
        "champions": {keys.champion_chain(model) for model in MODELS},
        "waiting": {LEDGER, SIGNS, *(keys.approval_chain(model) for model in MODELS)},
        "drift": {COMPARED, COMPARED_HERE},
        "maps": {one.name for one in catalogues},
    }
    return frozenset(kind for kind, sources in needed.items() if sources & failed)


def _newest(maps: Sequence[KnownMap]) -> list[KnownMap]:
    return sorted(maps, key=lambda one: (one.entry.created, one.entry.time, one.entry.id), reverse=True)
