"""Sources of the metrics, kept open between readings: each is read on where the last reading ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from components.contract.errors import SourceUnavailableError
from components.contract.identity import Identity
from components.contract.keys import CHAMPIONS, OPERATIONS
from components.exporter.parameters import Places, load_claim_parameters
from components.lib.catalogue.mapped import MapFacts
from components.lib.config.loader import load_under
from components.lib.drift.records import Outcome
from components.lib.history.cost import CostParameters
from components.lib.history.facts import ModelFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import History, HistoryReader
from components.lib.ledger.chain import Chain, Entry, utc_now
from components.lib.monitoring.counts import Counts
from components.lib.operations.operations import Operations
from components.lib.operations.parameters import ClaimParameters, identity_of
from components.lib.operations.requests import RetrainingRequests
from components.lib.operations.state import State
from components.lib.registry.ledger import ChampionLedgers


@dataclass
class Settled:
    """Counts of finished trainings, which never change: each is counted once.

    Attributes:
        runs: Training and run of what is counted.
        counts: Counters and histograms.
    """

    runs: set[tuple[str, str]] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)


@dataclass
class Sources:
    """Stores, and what was read from them.

    Attributes:
        places: Stores and folder.
        clock: Function that returns the time.
        maps: Facts of maps and changes by key, which never change; the collector of maps keeps them here.
        rejected: Id of the acquisition by key and version of a rejection's record, likewise.
        compared: Outcome of comparisons by key, likewise.
        published: Judgement of a champion by model, version and decision, by its item, likewise.
        settled: Counts of the finished trainings whose records are kept.
        held: GPU- and CPU-seconds by stage, of kept and pruned records as they were read last.
    """

    places: Places
    clock: Callable[[], datetime] = utc_now
    maps: dict[str, MapFacts] = field(default_factory=dict)
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)
    compared: dict[str, Outcome] = field(default_factory=dict)
    published: dict[tuple[str, str, str], ModelFacts] = field(default_factory=dict)
    settled: Settled = field(default_factory=Settled)
    held: dict[str, tuple[float, float]] = field(default_factory=dict)
    _history: History | None = None
    _entries: list[Entry] = field(default_factory=list)

    @cached_property
    def operations(self) -> Operations:
        """Ledger of registrations, claims and outcomes."""
        return Operations(self.places.objects, self.clock)

    @cached_property
    def graph(self) -> GraphRequirements:
        """Resources and order of the stages, by the code of this process."""
        return GraphRequirements(self.places.source)

    @cached_property
    def ledgers(self) -> ChampionLedgers:
        """Ledgers of champions and approvals."""
        return ChampionLedgers(self.places.objects, CHAMPIONS)

    @cached_property
    def requests(self) -> RetrainingRequests:
        """Requests for a retraining."""
        return RetrainingRequests(self.places.objects)

    @cached_property
    def identity(self) -> Identity:
        """Identity of the pipeline that this code would train.

        Raises:
            ParameterError: If dvc.yaml or params.yaml cannot be read.
        """
        return identity_of(self.places.source, self.places.profile)

    @cached_property
    def claims(self) -> ClaimParameters:
        """Rules of claims.

        Raises:
            ParameterError: If params.yaml cannot be read.
        """
        return load_claim_parameters(self.places.source)

    @cached_property
    def prices(self) -> CostParameters:
        """Price table and power model.

        Raises:
            ParameterError: If params.yaml cannot be read.
        """
        return load_under(self.places.profile, "cost", CostParameters, self.places.source / "params.yaml")

    @cached_property
    def _reader(self) -> HistoryReader:
        return HistoryReader(self.places.objects, self.graph, self.operations)

    def read_history(self) -> History:
        """Read on the history of trainings; later calls of :attr:`history` return it.

        Raises:
            BadDataError: If the ledger is broken.
            SourceUnavailableError: If the store does not answer.
        """
        self._history = self._reader.read(self._history)
        return self._history

    @property
    def history(self) -> History:
        """History as it was read last.

        Raises:
            SourceUnavailableError: If it could never be read.
        """
        if self._history is None:
            raise SourceUnavailableError(
                "the operations ledger was never read", next_step="see its own error"
            )
        return self._history

    @property
    def state(self) -> State:
        """State of the operations as it was read last; raises as :attr:`history`."""
        return self.history.state

    def read_entries(self) -> list[Entry]:
        """Return all entries of the operations ledger, checked from the first when this process began.

        Raises:
            BadDataError: If the chain is broken.
        """
        chain = Chain(self.places.objects, OPERATIONS)
        try:
            self._entries = chain.entries(self._entries)
        except Exception:
            self._entries = []  # the next reading says what is wrong from the first entry on
            raise
        return self._entries
