"""Facts from the sealed records of one training: its stages, its failures, its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from components.contract.documents import shown
from components.contract.errors import BadDataError
from components.contract.keys import run_record_key
from components.lib.history.facts import FailureFacts, StageFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import read_sealed
from components.lib.operations.records import FailureRecord, StageRecord

CODE = "components/"
"""Folder of the code among the inputs of stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStage:
    """Stage of a finished training, as its record tells it; see :class:`StageFacts`."""

    run: str
    started: AwareDatetime
    ended: AwareDatetime
    seconds: dict[str, float]
    restored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Record of a finished training, as far as facts are made of it.

    Attributes:
        images: Image by stage.
        stages: Finished stages by address.
        metrics: Content of the stages' JSON metrics by path.
        bytes: Bytes of each stage's outputs; empty in records of former code.
        decision: Decision of the gate; None for a pipeline without one.
        simulated: Whether its numbers are of the simulated world; None without a decision.
        started: Start of the first stage.
        ended: End of the last stage.
    """

    images: dict[str, str]
    stages: dict[str, RecordedStage]
    metrics: dict[str, Any]
    decision: dict[str, Any] | None
    simulated: bool | None
    started: AwareDatetime
    ended: AwareDatetime
    bytes: dict[str, int] = field(default_factory=dict)

    def stage_facts(self, requirements: GraphRequirements, profile: str | None) -> dict[str, StageFacts]:
        """Return its stages by address, in the order of their ends."""
        found = {}
        for address, stage in sorted(self.stages.items(), key=lambda item: (item[1].ended, item[0])):
            asked = requirements.of(address, profile)
            found[address] = StageFacts(
                stage=address,
                run=stage.run,
                started=stage.started,
                ended=stage.ended,
                seconds=stage.seconds,
                image=self.images.get(address, ""),
                restored=stage.restored,
                gpus=None if asked is None else asked.gpu,
                cpus=None if asked is None else asked.cpu,
                output_bytes=self.bytes.get(address),
            )
        return found


def read_run_record(objects: ObjectStore, key: str) -> RunRecord:
    """Read the record of a finished training.

    Raises:
        MissingInputError: If there is none: the training did not end, or was pruned.
        BadDataError: If it is damaged.
    """
    return read_sealed(objects, run_record_key(key), RunRecord)


def facts_of_stages(
    records: Iterable[StageRecord], requirements: GraphRequirements, profile: str | None
) -> dict[str, StageFacts]:
    """Return finished stages by address, in the order of their ends, with inputs and outputs.

    Raises:
        BadDataError: If a record has no times.
    """
    found = [_of_stage(record, requirements, profile) for record in records]
    found.sort(key=lambda facts: (facts.ended is None, facts.ended, facts.stage))
    return {facts.stage: facts for facts in found}


def facts_of_failures(records: Iterable[FailureRecord]) -> tuple[FailureFacts, ...]:
    """Return failed attempts, oldest first.

    Raises:
        BadDataError: If a record has no time.
    """
    found = [
        FailureFacts(
            stage=record.stage,
            run=record.run,
            failure_class=record.failure_class,
            time=time_of(record.time, f"the failure of {record.stage}"),
            message=record.message,
            next_step=record.next_step,
        )
        for record in records
    ]
    return tuple(sorted(found, key=lambda facts: facts.time))


def output_bytes(lock: Mapping[str, Any]) -> int:
    """Return the bytes of a stage's outputs, as its entry of dvc.lock states them."""
    return sum(size for item in lock.get("outs", []) if isinstance(size := item.get("size"), int))


def time_of(text: str, subject: str) -> datetime:
    """Return the time in a record.

    Args:
        text: ISO 8601 with a zone.
        subject: Record that states it, for the message.

    Raises:
        BadDataError: If it is no time, or has no zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise BadDataError(
            f"the record of {subject} has no time: {shown(text)}",
            next_step="find out who wrote to the object store",
        )
    return time


def _of_stage(record: StageRecord, requirements: GraphRequirements, profile: str | None) -> StageFacts:
    asked = requirements.of(record.stage, profile)
    inputs = {path: md5 for path, md5 in _md5(record, "deps").items() if not path.startswith(CODE)}
    return StageFacts(
        stage=record.stage,
        run=record.run,
        started=time_of(record.started, record.stage),
        ended=time_of(record.ended, record.stage),
        seconds=record.seconds,
        image=record.image,
        restored=record.restored,
        gpus=None if asked is None else asked.gpu,
        cpus=None if asked is None else asked.cpu,
        outputs=_md5(record, "outs"),
        inputs=inputs,
        output_bytes=output_bytes(record.lock),
    )


def _md5(record: StageRecord, part: str) -> dict[str, str]:
    return {item["path"]: str(item["md5"]) for item in record.lock.get(part, []) if item.get("md5")}
