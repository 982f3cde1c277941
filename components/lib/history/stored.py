"""History of the trainings in an object store: claims of the ledger, with what their records add.

The ledger outlives records, which housekeeping prunes: a training without them is still there, with what its
claims tell. A finished training never changes, so a repeated reading asks for what is new alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from components.contract.errors import BadDataError, MissingInputError, StormsightError
from components.contract.keys import WORK, failures_prefix, stage_records_prefix, training_prefix
from components.lib.history.decided import models_of
from components.lib.history.facts import Outcome, RunFacts
from components.lib.history.recorded import facts_of_failures, facts_of_stages, read_run_record
from components.lib.history.requirements import GraphRequirements
from components.lib.history.taken import TakenSets
from components.lib.objects.protocol import ObjectStore, map_many
from components.lib.operations.events import Failed, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.records import Records
from components.lib.operations.state import Claim, EarlierClaim, State

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Mark = tuple[str, ...]
"""Versions of a training's objects: the same mark, the same facts."""

SETTLED = "settled"
"""Beginning of the mark of what changes no more, such as the records of a finished training."""


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
        runs: Runs of all trainings, newest claim first. The latest run of a training has all its finished
            stages; each run has its own failures.
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
    """Runs of one training, the latest last."""

    runs: tuple[RunFacts, ...]
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
        self._sets = TakenSets()

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
        before, marks = _by_key(known), {} if known is None else known.marks
        self._sets.update(state)
        readings, changed = dict[str, _Reading](), list[Claim]()
        for key, claim in state.claims.items():
            if _is_settled(marks.get(key), claim, kept=key in with_objects):
                readings[key] = _Reading(before[key], marks[key])
            else:
                changed.append(claim)

        def read_one(claim: Claim) -> _Reading:
            key = claim.claimed.key
            facts = _of_claim(claim, self._sets.of(claim), kept=key in with_objects)
            return self._read(claim, facts, before.get(key, ()), marks.get(key))

        for claim, reading in zip(changed, map_many(self._objects, read_one, changed), strict=True):
            readings[claim.claimed.key] = reading
        runs = [facts for one in readings.values() for facts in one.runs]
        return History(
            tuple(sorted(runs, key=_start, reverse=True)),
            tuple(one.problem for one in readings.values() if one.problem is not None),
            state,
            {key: one.mark for key, one in readings.items() if one.mark is not None},
        )

    def of_run(self, run: str) -> RunFacts | None:
        """Return one run with the inputs and outputs of its stages; None if it never held a claim.

        Args:
            run: Name of the run in the ledger.

        Raises:
            BadDataError: If the ledger is broken or a record is damaged.
            SourceUnavailableError: If the store does not answer.
        """
        state = self._operations.state()
        key = state.runs.get(run)
        if key is None:
            return None
        reading = self._training(state, key)
        if reading.problem is not None:
            raise BadDataError(
                f"{reading.problem.source}: {reading.problem.message}", next_step=reading.problem.next_step
            )
        found = next((facts for facts in reading.runs if facts.run == run), None)
        return None if found is None else self.detailed(found)

    def training(self, state: State, key: str) -> tuple[RunFacts, ...]:
        """Return the runs of one training, the latest last.

        Args:
            state: State of the operations, which holds the training.
            key: Its key.
        """
        return self._training(state, key).runs

    def _training(self, state: State, key: str) -> _Reading:
        claim = state.claims[key]
        self._sets.update(state)
        return self._read(claim, _of_claim(claim, self._sets.of(claim), kept=True), (), None)

    def detailed(self, facts: RunFacts) -> RunFacts:
        """Return a training with the inputs and outputs of its stages, which the history leaves out.

        Raises:
            BadDataError: If a record of a stage is damaged.
        """
        if not facts.kept:
            return facts
        records = Records(self._objects, facts.key).stages()
        found = facts_of_stages(records.values(), self._requirements, facts.profile)
        return replace(facts, stages={name: found.get(name, stage) for name, stage in facts.stages.items()})

    def _read(
        self, claim: Claim, facts: RunFacts, before: tuple[RunFacts, ...], mark: Mark | None
    ) -> _Reading:
        """Return the runs of a claim's training with what its records add."""
        if not facts.kept:
            return _Reading(_with_earlier(claim, facts), _settled(claim, kept=False))
        try:
            if claim.succeeded:
                return _Reading(_with_earlier(claim, self._finished(facts)), _settled(claim, kept=True))
            now = self._mark(facts)
            if before and mark == now:
                return _Reading(before, now)
            return _Reading(_with_earlier(claim, self._unfinished(facts)), now)
        except MissingInputError:  # pruned just now, or by somebody who left the folder
            return _Reading(_with_earlier(claim, replace(facts, kept=False)))
        except StormsightError as error:
            problem = Problem(training_prefix(facts.key), error.message, error.next_step)
            return _Reading(_with_earlier(claim, _as_before(facts, before)), problem=problem)

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
            stages=record.stage_facts(self._requirements, facts.profile),
            failures=facts_of_failures(failures),
            models=models_of(record.decision, name=f"the record of run {facts.run}"),
            metrics=record.metrics,
            simulated=record.simulated,
        )

    def _unfinished(self, facts: RunFacts) -> RunFacts:
        records = Records(self._objects, facts.key)
        done, failures = records.stages(), records.failures()
        return replace(
            facts,
            # A store on a disk keeps the folders of what was pruned.
            kept=facts.outcome == "at work" or bool(done or failures),
            stages=facts_of_stages(done.values(), self._requirements, facts.profile),
            failures=facts_of_failures(failures),
            metrics={path: value for record in done.values() for path, value in record.metrics.items()},
        )


def _by_key(known: History | None) -> dict[str, tuple[RunFacts, ...]]:
    """Return the runs of each training, the latest last."""
    found: dict[str, tuple[RunFacts, ...]] = {}
    for facts in reversed(() if known is None else known.runs):
        found[facts.key] = (*found.get(facts.key, ()), facts)
    return found


def _settled(claim: Claim, *, kept: bool) -> Mark | None:
    """Return the mark of what changes no more while the claim and the presence of records stay."""
    return None if claim.outcome is None else (SETTLED, claim.run, _outcome(claim.outcome), str(kept))


def _is_settled(mark: Mark | None, claim: Claim, *, kept: bool) -> bool:
    return mark is not None and mark == _settled(claim, kept=kept)


def _with_earlier(claim: Claim, latest: RunFacts) -> tuple[RunFacts, ...]:
    """Return the runs of a training, the latest last, each with its own failures."""
    earlier = [
        replace(
            latest,
            run=one.run,
            started=one.started,
            ended=one.ended,
            outcome="failed",
            promoted=False,
            failed_stage=one.stage,
            failure_class=one.failure_class,
            message=_message(latest, one),
            stages={name: stage for name, stage in latest.stages.items() if stage.run == one.run},
            failures=tuple(failure for failure in latest.failures if failure.run == one.run),
            models={},
            metrics={},
            simulated=None,
        )
        for one in claim.earlier
        if one.run != claim.run
    ]
    own = tuple(failure for failure in latest.failures if failure.run == latest.run)
    return (*earlier, replace(latest, failures=own))


def _as_before(facts: RunFacts, before: tuple[RunFacts, ...]) -> RunFacts:
    """Return a run with what its records told when they could be read; without them if they never could."""
    if not before or not before[-1].kept:
        return replace(facts, kept=False)
    failures = tuple(failure for one in before for failure in one.failures)
    latest = before[-1]
    return replace(
        facts,
        stages=latest.stages,
        failures=tuple(sorted(failures, key=lambda failure: failure.time)),
        models=latest.models,
        metrics=latest.metrics,
        simulated=latest.simulated,
    )


def _message(latest: RunFacts, earlier: EarlierClaim) -> str:
    """Return what an earlier run failed with, as its record tells it; empty where that is gone."""
    told = [one for one in latest.failures if (one.run, one.stage) == (earlier.run, earlier.stage)]
    return told[-1].message if told else ""


def _of_claim(claim: Claim, acquisitions: Sequence[str], *, kept: bool) -> RunFacts:
    """Return what the ledger alone tells."""
    claimed, outcome = claim.claimed, claim.outcome
    failed = outcome if isinstance(outcome, Failed) else None
    return RunFacts(
        run=claim.run,
        key=claimed.key,
        profile=claimed.profile,
        code=claimed.code,
        params=claimed.params,
        acquisitions=acquisitions,
        started=claim.started or claim.alive,
        ended=claim.ended,
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
