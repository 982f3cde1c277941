"""Execution of one stage, from the sealed plan to the sealed record, sharing no disk with other stages."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from components.contract.documents import read_yaml
from components.contract.errors import StormsightError
from components.contract.failures import (
    FAILURE_CLASSES,
    NOTHING_TO_DO,
    TERMINATED,
    FailureKind,
    exit_code_of,
    kind_of_exit,
)
from components.contract.graph.load import load_stage
from components.contract.keys import LOCK, is_key
from components.contract.processes import StopRequest
from components.contract.redaction import redact
from components.contract.strict_yaml import DVC_LOCK
from components.contract.temporary import remove_left
from components.lib.cli import report_failure, report_result
from components.lib.files import read_json
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.events import Failed
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan, read_plan
from components.lib.operations.records import FailureRecord, Records, StageRecord, now
from components.lib.operations.removals import wait_for_removals
from components.runs.checkpoints import FOLDER, CheckpointMirror
from components.runs.environment import Environment
from components.runs.parameters import load_runs_parameters
from components.runs.supervision import supervise
from components.runs.worker import RESULT, describe_exit, next_step_of
from components.runs.workspace import PREFIX, STATE, require_planned_code, workspace

LOG = logging.getLogger(__name__)

RENEWALS = 4
"""Checks within one lease whether the run still holds its claim; a lost one ends the stage at the next."""

_WORKER_REPORT = "worker.json"


class ClaimLostError(Exception):
    """Signal that the run lost its claim while a stage was at work; its text is the reason."""


def run_stage(environment: Environment, address: str, run: str) -> int:
    """Run one stage of a planned run; a stage that is finished already is not run again.

    Args:
        environment: Settings of the command.
        address: Address of the stage in dvc.yaml.
        run: Key-safe name of the run.

    Returns:
        Exit code: 0 if the stage's record stands, the command's own if it failed, 143 if this was stopped,
        124 if it stalled, 81 if it took longer than ``pod_limit_h``, 99 if the claim was lost already, 76 if
        it was lost meanwhile: to another run, or because a person gave it up or withdrew an acquisition. In
        the last two cases nothing is written, and nothing of another run's is removed.

    Raises:
        MissingInputError: If the run was never planned.
        BadDataError: If the plan or a record is damaged.
        ParameterError: If this is other code than the plan's.
    """
    begun = time.monotonic()
    stop = StopRequest()
    with stop.watching():
        objects = environment.objects
        plan = read_plan(objects, run)
        if "/" in address or not is_key(address):  # no part of a record's key; the graph says what there is
            load_stage(environment.source / "dvc.yaml", environment.source / "params.yaml", address)
        records = Records(objects, plan.key)
        finished = records.stage(address)
        if finished is not None:
            LOG.info("%s: finished already, by run %s at %s", address, finished.run, finished.ended)
            report_result({"key": plan.key, "stage": address, "executed": False})
            with suppress(OSError):  # of an attempt that was killed after it had finished the stage
                remove_left(environment.workspaces, PREFIX)
            return 0
        attempt = _Attempt(environment, objects, plan, records, address, stop, begun)
        try:
            return attempt.run()
        except StormsightError as error:
            attempt.keep_failure(error.exit_code, error.message, error.next_step)
            raise


@dataclass(frozen=True, slots=True)
class _Attempt:
    environment: Environment
    objects: ObjectStore
    plan: RunPlan
    records: Records
    address: str
    stop: StopRequest
    begun: float

    def run(self) -> int:
        require_planned_code(self.environment.source, self.plan)
        parameters = load_runs_parameters(self.environment.source / "params.yaml")
        claim = _ClaimWatch(Operations(self.objects), self.plan.run, parameters.lease)
        if reason := claim.loss():
            return self._stand_down(NOTHING_TO_DO, reason)
        wait_for_removals(self.objects, {self.plan.key})
        started = now()
        lock = {name: record.lock for name, record in self.records.stages().items()}
        with workspace(
            self.environment,
            stage=self.address,
            profile=self.plan.profile,
            acquisitions=self.plan.acquisitions,
            lock=lock,
        ) as folder:
            mirror = CheckpointMirror(
                self.objects,
                self.records.checkpoints(self.address),
                folder / FOLDER,
                folder / STATE / "snapshots",
            )
            mirror.restore()
            if self.stop.received:
                return self._failed(TERMINATED, folder)
            try:
                with mirror.watching():
                    code = supervise(
                        folder,
                        self.address,
                        environment=self.environment.of_stage(folder, self.plan),
                        report=folder / STATE / _WORKER_REPORT,
                        stop=self.stop,
                        stall_min=parameters.stall_min,
                        deadline=self.begun + parameters.pod_limit_h * 3600,
                        on_tick=lambda: self._renew(claim, mirror),
                    )
                # Before the record and before the checkpoints go: both may be the other run's by now.
                if reason := claim.loss():
                    raise ClaimLostError(reason)
            except ClaimLostError as error:
                return self._stand_down(exit_code_of(FailureKind.CLAIM_LOST), str(error))
            if code != 0:
                try:
                    mirror.sync()
                except StormsightError as error:  # in the record stands why the stage failed
                    LOG.warning("the last checkpoint was not sent: %s", error.message)
                return self._failed(code, folder)
            self._keep(folder, started)
        mirror.discard()
        return 0

    def _renew(self, claim: _ClaimWatch, mirror: CheckpointMirror) -> None:
        """Renew the claim when it is time to.

        Raises:
            ClaimLostError: If it is lost; no checkpoint is sent any more then.
        """
        if reason := claim.loss_when_due():
            mirror.abandon()
            raise ClaimLostError(reason)

    def keep_failure(self, exit_code: int, message: str, next_step: str) -> None:
        """Leave a failure where ``finish`` finds it; not to be able to must not hide the failure itself."""
        record = FailureRecord(
            key=self.plan.key,
            run=self.plan.run,
            stage=self.address,
            failure_class=kind_of_exit(exit_code),
            exit_code=exit_code,
            message=redact(message),
            next_step=redact(next_step),
            time=now(),
            image=self.environment.image,
        )
        try:
            self.records.keep_failure(record)
        except StormsightError as error:
            LOG.warning("the failure was not recorded: %s", error.message)

    def _failed(self, code: int, folder: Path) -> int:
        path = folder / STATE / _WORKER_REPORT
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        message = str(report.get("message") or f"{self.address}: {describe_exit(code)}")
        next_step = str(report.get("next_step") or next_step_of(code))
        if code == TERMINATED:
            message, next_step = f"{self.address}: stopped by SIGTERM", "run the stage again: it goes on"
        if code == exit_code_of(FailureKind.STALLED):
            message = f"{self.address}: no step, no log line and no byte for a long time: it was killed"
        if code == exit_code_of(FailureKind.DEADLINE):
            message = f"{self.address}: it took longer than orchestration.pod_limit_h: it was ended"
            next_step = next_step_of(code)
        report_failure(code, message, next_step)
        self.keep_failure(code, message, next_step)
        LOG.error("%s: %s", kind_of_exit(code), message)
        return code

    def _keep(self, folder: Path, started: str) -> None:
        result: dict[str, Any] = read_json(folder / STATE / RESULT, made_by=self.address)
        lock = read_yaml(folder / LOCK, plain=False, limits=DVC_LOCK)["stages"][self.address]
        record = StageRecord(
            key=self.plan.key,
            run=self.plan.run,
            stage=self.address,
            lock=lock,
            metrics=result["metrics"],
            started=started,
            ended=now(),
            seconds={**result["seconds"], "whole": round(time.monotonic() - self.begun, 3)},
            image=self.environment.image,
            restored=result["restored"],
        )
        stands = self.records.keep(record)
        LOG.info(
            "%s: %s in %.1f s",
            self.address,
            "restored" if record.restored else "run",
            record.seconds["whole"],
        )
        report_result(
            {
                "key": self.plan.key,
                "stage": self.address,
                "executed": stands == record and not record.restored,
                "seconds": record.seconds,
            }
        )

    def _stand_down(self, exit_code: int, reason: str) -> int:
        message = f"run {self.plan.run} lost its claim: {reason}"
        report_failure(exit_code, message, FAILURE_CLASSES[FailureKind.CLAIM_LOST].next_step)
        LOG.warning(message)
        return exit_code


class _ClaimWatch:
    """Renewal of the run's claim while a stage works."""

    def __init__(self, operations: Operations, run: str, lease: timedelta) -> None:
        self._operations = operations
        self._run = run
        self._lease = lease
        self._due = 0.0
        self._set_due()

    def loss(self) -> str | None:
        """Renew the claim; return why it is lost, None if it is held."""
        if self._operations.renew(self._run, lease=self._lease):
            return None
        claim = self._operations.state().claim_of(self._run)
        if claim is None:
            return "another run trains this set"
        # A failed run's stage may be repeated: it holds its claim until another run takes it, or a person
        # ends it.
        outcome = claim.outcome
        return outcome.message if isinstance(outcome, Failed) and outcome.given_up else None

    def loss_when_due(self) -> str | None:
        """Renew when it is time to; a store that does not answer now may answer the next time.

        Returns:
            Reason why the claim is lost; None if it is held.
        """
        if time.monotonic() < self._due:
            return None
        self._set_due()
        try:
            return self.loss()
        except StormsightError as error:
            LOG.warning("the claim was not renewed: %s", error.message)
            return None

    def _set_due(self) -> None:
        self._due = time.monotonic() + self._lease.total_seconds() / RENEWALS
