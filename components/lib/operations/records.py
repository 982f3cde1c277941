"""Records of a training's stages and failures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict

from components.contract import keys
from components.contract.errors import BadDataError
from components.lib.objects.protocol import ObjectStore, get_many
from components.lib.objects.sealed import create_sealed, parse_sealed, read_sealed


def _lock_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Check the parts of a dvc.lock entry that are read here."""
    for name in ("deps", "outs"):
        items = entry.get(name, [])
        if not isinstance(items, list) or not all(
            isinstance(item, dict) and isinstance(item.get("path"), str) for item in items
        ):
            raise ValueError(f"{name} of the lock entry is no list of paths")
    if not isinstance(entry.get("params", {}), dict):
        raise ValueError("params of the lock entry is no mapping")
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """Record of a finished stage.

    Attributes:
        key: Key of the training.
        run: Run whose stage made it; other runs of the same key find it.
        stage: Address of the stage.
        lock: The stage's entry of dvc.lock.
        metrics: Content of the stage's JSON metrics, and of the gate's decision, by path.
        started: Start, UTC, ISO 8601.
        ended: End, UTC, ISO 8601.
        seconds: Duration by step (pull, run, push) and as a whole.
        image: Image that the stage ran in.
        restored: Whether the run cache had the results.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str
    run: str
    stage: str
    lock: Annotated[dict[str, Any], AfterValidator(_lock_entry)]
    metrics: dict[str, Any]
    started: str
    ended: str
    seconds: dict[str, float]
    image: str
    restored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """Record of a failed attempt at a stage.

    Attributes:
        key: Key of the training.
        run: Run whose stage it was.
        stage: Address of the stage.
        failure_class: ``bad_data``, ``terminated``, ...
        exit_code: Exit code of the command.
        message: Description of the failure.
        next_step: Action for the reader.
        time: Time of the failure, UTC, ISO 8601.
        image: Image that the stage ran in.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str
    run: str
    stage: str
    failure_class: str
    exit_code: int
    message: str
    next_step: str
    time: str
    image: str

    def text(self) -> str:
        """Return the failure for people, as the last one of its stage."""
        subject = f"last failure of {self.stage}: {self.failure_class} at {self.time}"
        return f"{subject}, run {self.run}: {self.message}"


class Records:
    """Records of one key: ``work/<key>/...``."""

    def __init__(self, objects: ObjectStore, key: str) -> None:
        self._objects = objects
        self.key = key
        self.prefix = keys.training_prefix(key)

    def checkpoints(self, stage: str) -> str:
        """Return the prefix of a stage's checkpoints."""
        return keys.stage_checkpoints_prefix(self.key, stage)

    def stage(self, stage: str) -> StageRecord | None:
        """Return the record of a stage, None if it is not finished.

        Raises:
            BadDataError: If it is damaged, or of another stage.
        """
        key = self._stage_key(stage)
        if not self._objects.exists(key):
            return None
        return self._parsed(stage, self._objects.get(key))

    def stages(self) -> dict[str, StageRecord]:
        """Return all records there are, by stage.

        Raises:
            BadDataError: If one is damaged: nothing is built on the others either.
        """
        found = self._objects.list(keys.stage_records_prefix(self.key))
        names = [keys.recorded_stage(info.key) for info in found]
        contents = get_many(self._objects, [self._stage_key(name) for name in names])
        return {name: self._parsed(name, content) for name, content in zip(names, contents, strict=True)}

    def keep(self, record: StageRecord) -> StageRecord:
        """Write a stage's record unless there is one, and return the one that stands.

        Raises:
            BadDataError: If the one that stands is damaged.
        """
        key = self._stage_key(record.stage)
        if create_sealed(self._objects, key, asdict(record)):
            return record
        return self._parsed(record.stage, self._objects.get(key))

    def keep_failure(self, record: FailureRecord) -> None:
        """Write a failure beside the earlier ones of its stage."""
        number = 1 + len(self._objects.list(keys.failures_prefix(self.key, record.stage)))
        while not create_sealed(
            self._objects, keys.failure_key(self.key, record.stage, number), asdict(record)
        ):
            number += 1

    def failures(self) -> list[FailureRecord]:
        """Return all failures, oldest first; damaged ones are left out, for they only explain."""
        found = []
        for info in self._objects.list(keys.failures_prefix(self.key)):
            try:
                found.append(read_sealed(self._objects, info.key, FailureRecord))
            except BadDataError:
                continue
        return sorted(found, key=lambda record: record.time)

    def _stage_key(self, stage: str) -> str:
        return keys.stage_record_key(self.key, stage)

    def _parsed(self, stage: str, content: bytes) -> StageRecord:
        name = f"{self._objects.uri}/{self._stage_key(stage)}"
        parsed = parse_sealed(content, StageRecord, name=name)
        if (parsed.key, parsed.stage) != (self.key, stage):
            raise _not_ours(name)
        return parsed


def now() -> str:
    """Return the present time, UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _not_ours(name: str) -> BadDataError:
    return BadDataError(
        f"{name} is no record of this stage",
        next_step="find out who wrote to the object store; remove the object and run the stage again",
    )
