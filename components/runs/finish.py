"""End of a run: its lock, its record, its outcome in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from components.contract.failures import NOTHING_TO_DO, FailureKind
from components.contract.hashing import sha256_bytes
from components.contract.keys import DECISION, is_decision, lock_key, run_record_key
from components.lib.cli import report_failure, report_result
from components.lib.history.recorded import output_bytes
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed
from components.lib.operations.decisions import NothingToDo
from components.lib.operations.events import Failed, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan, read_plan
from components.lib.operations.records import FailureRecord, Records, StageRecord, now
from components.runs.environment import Environment
from components.runs.gate import Decision, is_promoted, outcomes, sealed_decision
from components.runs.lineage import tell_lineage
from components.runs.workspace import require_planned_code, workspace

LOG = logging.getLogger(__name__)


def finish(environment: Environment, run: str) -> int:
    """Record how ``run`` ended; repeated, it finds what it recorded.

    Returns:
        0 if an outcome stands, of a failed run too; 99 if the run has no claim.

    Raises:
        BadDataError: If the plan or a record is damaged: nothing is recorded then.
        ParameterError: If all stages are finished, and this is other code than theirs.
    """
    objects = environment.objects
    operations = Operations(objects)
    claim = operations.state().claim_of(run)
    if claim is None:
        report_failure(NOTHING_TO_DO, f"run {run} has no claim", "nothing is recorded for it")
        LOG.info("run %s has no claim: nothing to record", run)
        return NOTHING_TO_DO
    plan = read_plan(objects, run)
    records = Records(objects, plan.key)
    done = records.stages()
    names, lock = _merge(environment, plan, {name: record.lock for name, record in done.items()})
    missing = [name for name in names if name not in done]
    if missing:
        outcome = _fail(operations, plan, records.failures(), missing)
        # A repeated call finds the success that stands, also after the stages' records were pruned.
        decision = sealed_decision(objects, outcome.key)[1] if isinstance(outcome, Succeeded) else None
    else:
        require_planned_code(environment.source, plan)  # the stages' list came from here
        outcome, decision = _succeed(objects, operations, plan, {name: done[name] for name in names}, lock)
    if not isinstance(outcome, NothingToDo):
        tell_lineage(environment, run)
    if isinstance(outcome, Succeeded):
        # Imported only here: pandas and scipy take a while.
        from components.runs.drift import watch_drift  # noqa: PLC0415

        watch_drift(environment, run, outcome.key)
    return _report_outcome(run, outcome, decision)


def _succeed(
    objects: ObjectStore, operations: Operations, plan: RunPlan, done: dict[str, StageRecord], lock: str
) -> tuple[Succeeded | Failed | NothingToDo, Decision | None]:
    objects.put(lock_key(plan.key), lock.encode())
    create_sealed(objects, run_record_key(plan.key), run_record(plan, done, lock))
    # The one that stands, which an earlier attempt may have written.
    sha256, decision = sealed_decision(objects, plan.key)
    outcome = operations.succeeded(plan.run, record_sha256=sha256, promoted=is_promoted(decision))
    return outcome, decision


def run_record(plan: RunPlan, done: dict[str, StageRecord], lock: str) -> dict[str, Any]:
    """Return the record of a training and its results, as JSON values.

    Args:
        plan: The run's.
        done: Records of all stages, in the order of the graph.
        lock: The merged dvc.lock.
    """
    metrics = {path: value for record in done.values() for path, value in record.metrics.items()}
    decision = merged_decisions(metrics)
    return {
        "run": plan.run,
        "key": plan.key,
        "profile": plan.profile,
        "code": plan.code,
        "params_sha256": plan.params,
        "acquisitions": [asdict(item) for item in plan.acquisitions],
        "params": {name: record.lock.get("params", {}) for name, record in done.items()},
        "data": {
            out["path"]: out.get("md5") for record in done.values() for out in record.lock.get("outs", [])
        },
        "bytes": {name: output_bytes(record.lock) for name, record in done.items()},
        "images": {name: record.image for name, record in done.items()},
        "stages": {
            name: {
                "run": record.run,
                "started": record.started,
                "ended": record.ended,
                "seconds": record.seconds,
                "restored": record.restored,
            }
            for name, record in done.items()
        },
        "metrics": metrics,
        "decision": decision,
        "simulated": None if decision is None else decision.get("simulated"),
        "lock_sha256": sha256_bytes(lock.encode()),
        "started": min((record.started for record in done.values()), default=now()),
        "ended": max((record.ended for record in done.values()), default=now()),
    }


def merged_decisions(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the decisions of a run's gates as one, None for a pipeline without a gate.

    Of several change methods, which are all judged as one model, the one that was not refused counts.

    Args:
        metrics: Content of the stages' JSON metrics and decisions, by path.
    """
    first = metrics.get(DECISION)
    others = sorted(path for path in metrics if is_decision(path) and path != DECISION)
    if first is None or not others:
        return first
    simulated, models = first.get("simulated"), dict(first["models"])
    for path in others:
        simulated = simulated or metrics[path]["simulated"]
        for model, part in metrics[path]["models"].items():
            if model not in models or part["outcome"] != "refused":
                models[model] = part
    return {**first, "simulated": simulated, "models": models}


def _fail(
    operations: Operations, plan: RunPlan, failures: list[FailureRecord], missing: list[str]
) -> Succeeded | Failed | NothingToDo:
    """Record the failure that stopped the run: the last one of a stage that is still missing."""
    left = [failure for failure in failures if failure.stage in missing and failure.run == plan.run]
    # A stage behind the failed one never ran; one that was stopped says less than one that failed.
    left.sort(key=lambda failure: (failure.failure_class != FailureKind.TERMINATED, failure.time))
    if left:
        last = left[-1]
        return operations.failed(
            plan.run, failure_class=last.failure_class, stage=last.stage, message=last.message
        )
    return operations.failed(
        plan.run,
        failure_class=FailureKind.NO_RECORD,
        stage=missing[0],
        message=f"{missing[0]} left neither a record nor a failure: it never ran, or its machine was lost",
    )


def _merge(environment: Environment, plan: RunPlan, lock: dict[str, Any]) -> tuple[list[str], str]:
    """Return the addresses of all stages, and dvc.lock as DVC writes it after a whole ``dvc repro``."""
    with workspace(
        environment, stage=None, profile=plan.profile, acquisitions=plan.acquisitions, lock=lock
    ) as folder:
        # Imported only here: DVC takes a while.
        from components.runs.reproduction import merged_lock  # noqa: PLC0415

        return merged_lock(folder)


def _report_outcome(run: str, outcome: Succeeded | Failed | NothingToDo, decision: Decision | None) -> int:
    if isinstance(outcome, NothingToDo):
        report_failure(NOTHING_TO_DO, outcome.reason, outcome.next_step)
        LOG.info("%s: %s", outcome.reason, outcome.next_step)
        return NOTHING_TO_DO
    if isinstance(outcome, Failed):
        LOG.error(
            "run %s failed: stage %s: %s: %s", run, outcome.stage, outcome.failure_class, outcome.message
        )
        report_result({"outcome": "failed", "stage": outcome.stage, "class": outcome.failure_class})
        return 0
    models = outcomes(decision)
    words = ", ".join(f"{model} {found}" for model, found in models.items())
    LOG.info("run %s succeeded: %s", run, words or "the pipeline has no gate")
    promoted = outcome.promoted
    report_result({"outcome": "succeeded", "key": outcome.key, "promoted": promoted, "models": models})
    return 0
