"""History of the trainings in an object store: claims of the ledger, with what their records add.

The ledger outlives records, which housekeeping prunes: a training without them is still there, with what its
claim tells. A finished training never changes, so a repeated reading asks for what is new alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from components.contract.errors import BadDataError, MissingInputError, StormsightError
from components.contract.keys import OPERATIONS, WORK, failures_prefix, stage_records_prefix, training_prefix
from components.lib.history.decided import models_of
from components.lib.history.facts import Outcome, RunFacts
from components.lib.history.recorded import facts_of_failures, facts_of_stages, read_run_record
from components.lib.history.requirements import GraphRequirements
from components.lib.objects.protocol import ObjectStore, map_many
from components.lib.operations.events import Failed, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.records import Records
from components.lib.operations.state import Claim, State

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Mark = tuple[str, ...]
"""Versions of a training's objects: the same mark, the same facts."""

SETTLED: Mark = ("settled",)
"""Mark of what never changes again: the records of a finished training."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Record that could not be read.

    Attributes:
        source: Prefix of the training, or the chain.
        message: Description of what is wrong.
        next_step: Action for the reader.
    """

    source: str
    message: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Trainings as they were read.

    Attributes:
        runs: Latest run of each training, newest claim first.
        problems: Records that could not be read; their trainings are among ``runs`` all the same.
        state: State of the operations, without signs of life.
        marks: By training: what its facts were read from; without one it is read again.
    """

    runs: tuple[RunFacts, ...] = ()
    problems: tuple[Problem, ...] = ()
    state: State = field(default_factory=State)
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reading:
    facts: RunFacts
    mark: Mark | None = None
    problem: Problem | None = None


class HistoryReader:
    """Reader of all trainings; its ledger is read on where the last reading ended.

    Args:
        objects: Store of ledger and records.
        requirements: Resources by stage; None leaves them unknown.
        operations: Ledger; None opens that of ``objects``.
    """

    def __init__(
        self,
        objects: ObjectStore,
        requirements: GraphRequirements | None = None,
        operations: Operations | None = None,
    ) -> None:
        self._objects = objects
        self._requirements = requirements or GraphRequirements(None)
        self._operations = operations or Operations(objects)

    def read(self, known: History | None = None) -> History:
        """Return the history.

        Args:
            known: History as this reader read it before: only trainings that changed are read.

        Raises:
            BadDataError: If the ledger is broken.
            SourceUnavailableError: If ledger or listing cannot be read. A record that cannot be read is one
                of the history's problems instead.
        """
        state = self._operations.state()
        with_objects = set(self._objects.folders(WORK))
        before = {} if known is None else {facts.key: facts for facts in known.runs}
        marks = {} if known is None else known.marks

        def read_one(claim: Claim) -> _Reading:
            key = claim.claimed.key
            facts = _of_claim(claim, state, kept=key in with_objects)
            return self._read(facts, before.get(key), marks.get(key))

        readings, changed = dict[str, _Reading](), list[Claim]()
        for key, claim in state.claims.items():
            old = before.get(key)
            if old is not None and marks.get(key) == SETTLED and old.kept and key in with_objects:
                readings[key] = _Reading(old, SETTLED)
            else:
                changed.append(claim)
        for claim, reading in zip(changed, map_many(self._objects, read_one, changed), strict=True):
            readings[claim.claimed.key] = reading
        return History(
            tuple(sorted((one.facts for one in readings.values()), key=_start, reverse=True)),
            tuple(one.problem for one in readings.values() if one.problem is not None),
            state,
            {key: one.mark for key, one in readings.items() if one.mark is not None},
        )

    def of_run(self, run: str) -> RunFacts | None:
        """Return one training with the inputs and outputs of its stages; None if the run holds no claim.

        Args:
            run: Name of the run in the ledger.

        Raises:
            BadDataError: If the ledger is broken or a record is damaged.
            SourceUnavailableError: If the store does not answer.
        """
        state = self._operations.state()
        claim = state.claim_of(run)
        if claim is None:
            return None
        reading = self._read(_of_claim(claim, state, kept=True), None, None)
        if reading.problem is not None:
            raise BadDataError(
                f"{reading.problem.source}: {reading.problem.message}", next_step=reading.problem.next_step
            )
        return self.detailed(reading.facts)

    def detailed(self, facts: RunFacts) -> RunFacts:
        """Return a training with the inputs and outputs of its stages, which the history leaves out.

        Raises:
            BadDataError: If a record of a stage is damaged.
        """
        if not facts.kept:
            return facts
        records = Records(self._objects, facts.key).stages()
        found = facts_of_stages(records.values(), self._requirements, facts.profile)
        return replace(facts, stages={**facts.stages, **found})

    def _read(self, facts: RunFacts, before: RunFacts | None, mark: Mark | None) -> _Reading:
        """Return the facts of a claim with what its records add, or those known where nothing changed."""
        if not facts.kept:
            return _Reading(facts)
        try:
            if facts.outcome == "succeeded":
                return _Reading(self._finished(facts), SETTLED)
            now = self._mark(facts)
            if before is not None and before.kept and mark == now:
                return _Reading(before, now)
            return _Reading(self._unfinished(facts), now)
        except MissingInputError:  # pruned just now, or its end was recorded without a record
            return _Reading(replace(facts, kept=False))
        except StormsightError as error:
            problem = Problem(training_prefix(facts.key), error.message, error.next_step)
            return _Reading(replace(facts, kept=False), problem=problem)

    def _mark(self, facts: RunFacts) -> Mark:
        """Return the mark of a training that may still change."""
        prefixes = (stage_records_prefix(facts.key), failures_prefix(facts.key))
        versions = (
            f"{info.key} {info.version}" for prefix in prefixes for info in self._objects.list(prefix)
        )
        return (facts.run, facts.outcome, *versions)

    def _finished(self, facts: RunFacts) -> RunFacts:
        record = read_run_record(self._objects, facts.key)
        failures = Records(self._objects, facts.key).failures()
        return replace(
            facts,
            ended=record.ended,
            stages=record.stage_facts(self._requirements, facts.profile),
            failures=facts_of_failures(failures),
            models=models_of(record.decision, name=f"the record of run {facts.run}"),
            metrics=record.metrics,
            simulated=record.simulated,
        )

    def _unfinished(self, facts: RunFacts) -> RunFacts:
        records = Records(self._objects, facts.key)
        done = records.stages()
        failures = facts_of_failures(records.failures())
        own = [failure.time for failure in failures if failure.run == facts.run]
        return replace(
            facts,
            ended=max(own, default=None) if facts.outcome == "failed" else None,
            stages=facts_of_stages(done.values(), self._requirements, facts.profile),
            failures=failures,
            metrics={path: value for record in done.values() for path, value in record.metrics.items()},
        )


def ledger_problem(error: StormsightError) -> Problem:
    """Return the problem that no history could be read at all."""
    return Problem(OPERATIONS, error.message, error.next_step)


def _of_claim(claim: Claim, state: State, *, kept: bool) -> RunFacts:
    """Return what the ledger alone tells."""
    claimed, outcome = claim.claimed, claim.outcome
    failed = outcome if isinstance(outcome, Failed) else None
    return RunFacts(
        run=claim.run,
        key=claimed.key,
        profile=claimed.profile,
        code=claimed.code,
        params=claimed.params,
        acquisitions=tuple(state.acquisitions_of(claim)),
        started=claim.alive,
        ended=None,
        outcome=_outcome(outcome),
        promoted=isinstance(outcome, Succeeded) and outcome.promoted,
        failed_stage="" if failed is None else failed.stage,
        failure_class="" if failed is None else failed.failure_class,
        message="" if failed is None else failed.message,
        kept=kept,
    )


def _outcome(outcome: Succeeded | Failed | None) -> Outcome:
    if outcome is None:
        return "at work"
    return "succeeded" if isinstance(outcome, Succeeded) else "failed"


def _start(facts: RunFacts) -> datetime:
    return facts.started or _LONG_AGO
