"""Trainings in a real ledger with real records, made without running any stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from components.contract.hashing import seal, sha256_bytes, sha256_json
from components.contract.identity import Identity
from components.contract.keys import DECISION, catalogue_key, run_prefix, training_prefix
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan, read_plan
from components.lib.operations.records import FailureRecord, Records, StageRecord
from components.runs.finish import run_record

LEASE = timedelta(hours=2)
HOUR = timedelta(hours=1)
STAGES = ("prepare", "distill@one", "promote")
MINUTES = {"prepare": 2, "distill@one": 1, "promote": 3}


@dataclass
class Trainings:
    """Ledger whose clock moves on by an hour with each training.

    Attributes:
        objects: The store.
        start: Time of the registration of acquisition ``a1``.
        keys: Key of the training by run.
    """

    objects: ObjectStore
    start: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.start
        self.operations = Operations(self.objects, lambda: self.now)
        self.register("a1")

    def register(self, acquisition: str) -> None:
        """Register an acquisition."""
        content = seal({"id": acquisition})
        self.objects.put(catalogue_key(acquisition), content)
        sha256 = sha256_bytes(content)
        event = Registered(acquisition=acquisition, catalogue_sha256=sha256, marker_sha256=sha256)
        assert self.operations.register(event)

    def claim(self, run: str, training: str | None = None) -> RunPlan:
        """Claim the training of a name, that of the run unless one is given, an hour later."""
        self.now += HOUR
        params = sha256_json(training or run)
        request = ClaimRequest(run=run, code="c" * 64, params=params, profile="small")
        plan = self.operations.claim(request, lease=LEASE)
        assert isinstance(plan, RunPlan)
        self.keys[run] = plan.key
        return plan

    def work(self, run: str, stages: tuple[str, ...] = STAGES, training: str | None = None) -> RunPlan:
        """Claim, and finish stages."""
        plan = self.claim(run, training)
        for stage in stages:
            self.record_stage(run, stage)
        return plan

    def succeed(self, run: str, outcome: str = "promoted", metrics: Mapping[str, Any] | None = None) -> None:
        """Finish a training with a judgement of this outcome."""
        self.work(run)
        self.end(run, outcome, metrics)

    def end(self, run: str, outcome: str = "promoted", metrics: Mapping[str, Any] | None = None) -> None:
        """End a training whose stages are finished."""
        plan = read_plan(self.objects, run)
        done = Records(self.objects, plan.key).stages()
        record = run_record(plan, {name: done[name] for name in STAGES}, "")
        decision = decision_document(outcome, self.now)
        record |= {
            "decision": decision,
            "simulated": True,
            "metrics": {DECISION: decision, **(metrics or {})},
        }
        content = seal(record)
        self.objects.put(f"{training_prefix(plan.key)}/record.json", content)
        self.now += timedelta(minutes=10)
        self.operations.succeeded(run, record_sha256=sha256_bytes(content), promoted=outcome == "promoted")

    def succeed_again(self, run: str) -> None:
        """Write the record of a finished training anew."""
        plan = read_plan(self.objects, run)
        done = Records(self.objects, plan.key).stages()
        self.put_sealed(
            f"{training_prefix(plan.key)}/record.json",
            run_record(plan, {name: done[name] for name in STAGES}, ""),
        )

    def fail(
        self, run: str, stage: str = "prepare", failure_class: str = "bad_data", training: str | None = None
    ) -> None:
        """Let a training fail in a stage."""
        plan = self.claim(run, training)
        self.record_failure(run, stage, failure_class)
        self.now += timedelta(minutes=10)
        self.operations.failed(run, failure_class=failure_class, stage=stage, message="it is torn")
        assert plan.key in self.operations.state().claims

    def fail_as(self, identity: Identity, run: str, failure_class: str) -> None:
        """Let a training under the code and parameters of a pipeline fail."""
        self.now += HOUR
        request = ClaimRequest(run=run, code=identity.code, params=identity.params)
        assert isinstance(self.operations.claim(request, lease=LEASE), RunPlan)
        self.operations.failed(run, failure_class=failure_class, stage="prepare", message="it is torn")

    def record_failure(self, run: str, stage: str, failure_class: str) -> None:
        """Record a failed attempt at a stage, five minutes after the claim."""
        Records(self.objects, self.keys[run]).keep_failure(
            FailureRecord(
                key=self.keys[run],
                run=run,
                stage=stage,
                failure_class=failure_class,
                exit_code=65,
                message="it is torn",
                next_step="land it again",
                time=(self.now + timedelta(minutes=5)).isoformat(timespec="milliseconds"),
                image="train",
            )
        )

    def record_stage(self, run: str, stage: str) -> None:
        """Record that a run finished a stage."""
        Records(self.objects, self.keys[run]).keep(self.stage_record(run, stage))

    def stage_record(self, run: str, stage: str) -> StageRecord:
        """Return the record of a stage: minutes after those before it, a minute long or more."""
        before = [MINUTES[name] + 1 for name in STAGES[: STAGES.index(stage)]]
        started = self.now + timedelta(minutes=1 + sum(before))
        ended = started + timedelta(minutes=MINUTES[stage])
        return StageRecord(
            key=self.keys[run],
            run=run,
            stage=stage,
            lock={
                "deps": [
                    {"path": "components/steps", "md5": "9" * 32},
                    {"path": "data/raw", "md5": "0" * 32},
                ],
                "outs": [{"path": f"data/{stage}d", "md5": "1" * 32, "size": 1000}],
            },
            metrics={f"reports/{stage}/metrics.json": {"tiles": 3}},
            started=started.isoformat(timespec="milliseconds"),
            ended=ended.isoformat(timespec="milliseconds"),
            seconds={"pull": 5.0, "run": 50.0, "push": 5.0},
            image="train",
            restored=stage == "prepare",
        )

    def prune(self, run: str) -> None:
        """Remove the records of a training, as housekeeping does."""
        prefixes = (f"{training_prefix(self.keys[run])}/", run_prefix(run))
        for info in [info for prefix in prefixes for info in self.objects.list(prefix)]:
            self.objects.delete(info.key)
        remove_empty_folders(self.objects, training_prefix(self.keys[run]))

    def put_sealed(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a sealed record over another one."""
        self.objects.put(key, seal(record))


def remove_empty_folders(objects: ObjectStore, prefix: str) -> None:
    """Remove the folders that a store on a disk leaves below a prefix without objects."""
    root = getattr(objects, "root", None)
    if root is not None:
        for folder in sorted((root / prefix).rglob("*"), reverse=True):
            folder.rmdir()
        (root / prefix).rmdir()


def decision_document(outcome: str, time: datetime) -> dict[str, Any]:
    """Return a ``decision.json`` on one model."""
    decision = {
        "method": "concord",
        "metric": "iou",
        "time": time.isoformat(),
        "challenger": {
            "value": 0.61, "low": 0.58, "high": 0.64, "confidence": 0.9, "locations": 9, "degenerate": False,
        },
        "simulated": True,
    }  # fmt: skip
    part = {
        "outcome": outcome,
        "reasons": ["the gain is +0.1"],
        "decision": decision,
        "decision_sha256": sha256_json(decision),
    }
    return {"simulated": True, "models": {"stormsight-sar": part}}
