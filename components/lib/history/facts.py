"""Facts about trainings: one form for those in the object store and for the one in a checkout.

The exporter of metrics counts them and the dashboard shows them. They come from sealed records and ledgers,
which outlive the processes that wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Outcome = Literal["succeeded", "failed", "at work", "not finished"]
"""How a run ended, or that it has not; a checkout without a decision is not finished, at work or not."""

ModelOutcome = Literal["promoted", "refused", "awaits approval"]
"""How the gate judged a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """One finished stage of a run.

    Attributes:
        stage: Address of the stage, such as ``distill@concord``.
        run: Run that did the work; another one than the run's own if the result was found.
        started: Start, UTC; None where nothing kept it (a checkout).
        ended: End, UTC; None as above.
        seconds: Duration by step (pull, run, push), and as a whole.
        image: Image that it ran in, ``local`` for a process.
        restored: Whether the run cache had the results.
        gpus: GPUs that the graph asks for; None if the present graph has no such stage.
        cpus: CPU cores that the graph asks for; None as above.
        outputs: MD5 by path of what it made.
        inputs: MD5 by path of what it read, code left out.
        sizes: Bytes by path of ``inputs`` and ``outputs``, where the lock says.
        output_bytes: Bytes of what it made; None where nothing kept the number.
    """

    stage: str
    run: str
    started: datetime | None
    ended: datetime | None
    seconds: Mapping[str, float]
    image: str
    restored: bool
    gpus: int | None = None
    cpus: float | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    output_bytes: int | None = None

    @property
    def name(self) -> str:
        """Name of the stage without its part: ``distill`` of ``distill@concord``."""
        return self.stage.partition("@")[0]

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None where nothing kept them."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """One failed attempt at a stage.

    Attributes:
        stage: Address of the stage.
        run: Run whose stage it was.
        failure_class: Failure class, as :class:`components.contract.failures.FailureKind` names it.
        time: Time of the failure, UTC.
        message: Description of the failure.
        next_step: Action for the reader.
    """

    stage: str
    run: str
    failure_class: str
    time: datetime
    message: str
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Judgement of one registered model by a run's gate.

    Attributes:
        model: Registered model, such as ``stormsight-sar``.
        outcome: Outcome of the gate.
        method: Method of the challenger.
        metric: Metric that was judged.
        score: Challenger's score; None if it has none.
        low: Lower end of its confidence interval; None without one.
        high: Upper end of it.
        confidence: Confidence of the interval, such as 0.9; None without one.
        simulated: Whether the score was measured in the simulated world.
        reasons: Reasons in words.
        decision: The decision's record as it is in ``decision.json``.
        decision_sha256: SHA-256 by which ledgers name the decision.
    """

    model: str
    outcome: ModelOutcome
    method: str
    metric: str
    score: float | None
    low: float | None
    high: float | None
    confidence: float | None
    simulated: bool
    reasons: tuple[str, ...] = ()
    decision: Mapping[str, Any] = field(default_factory=dict)
    decision_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A training: identity, stages, failures, judgement.

    Attributes:
        run: Run that holds, or held, the claim; ``checkout`` for the one that ``make repro`` left.
        key: Key of the training; empty for a checkout.
        profile: Profile of params.yaml; None if the record does not say.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters.
        acquisitions: Ids of the acquisitions it was trained with, sorted.
        started: Time of the claim, UTC; of a checkout the start of its first training in MLflow; None if
            nothing kept it.
        ended: End, UTC; of a checkout that of its last training in MLflow; None while it is at work or if
            nothing kept it.
        outcome: How it ended.
        promoted: Whether the served model has a new champion by it.
        failed_stage: Stage that ended it; empty without a failure.
        failure_class: Class of that failure; empty as above.
        message: Message of that failure; empty as above.
        stages: Finished stages by address, in the order of their ends.
        failures: Failed attempts of this run, oldest first.
        models: Judgements by registered model.
        metrics: Content of the stages' JSON metrics by path.
        simulated: Whether its numbers are of the simulated world; None without a decision.
        kept: False if its records were pruned: then stages, models and metrics are empty.
    """

    run: str
    key: str
    profile: str | None
    code: str
    params: str
    acquisitions: Sequence[str]
    started: datetime | None
    ended: datetime | None
    outcome: Outcome
    promoted: bool
    failed_stage: str = ""
    failure_class: str = ""
    message: str = ""
    stages: Mapping[str, StageFacts] = field(default_factory=dict)
    failures: tuple[FailureFacts, ...] = ()
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool | None = None
    kept: bool = True

    @property
    def own_stages(self) -> list[StageFacts]:
        """Stages that this run did itself; the others were found from earlier runs of the training."""
        return [one for one in self.stages.values() if one.run == self.run]

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds of its own stages, by what the graph asks for."""
        return sum((one.duration or 0.0) * (one.gpus or 0) for one in self.own_stages)

    @property
    def cpu_seconds(self) -> float:
        """CPU-core-seconds of its own stages, by what the graph asks for."""
        return sum((one.duration or 0.0) * (one.cpus or 0.0) for one in self.own_stages)
