"""Failures of stages, and the exception that each kind is raised as.

The orchestrator sees the exception: its class shows in the log, and :mod:`stormsight_dags.budgets` decides by
it. People read its text: stage, kind, reason, next step, tail of the log, and nothing secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from stormsight_dags.redaction import redact

TAIL_LINES = 30
TAIL_CHARACTERS = 6000
TEXT_CHARACTERS = 2000


class FailureKind(StrEnum):
    """Kinds of failure, as far as the next step depends on them."""

    # The cluster's doing.
    EVICTED = "evicted"
    NODE_LOST = "node_lost"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    CLUSTER = "cluster"
    # The work's doing.
    OUT_OF_MEMORY = "out_of_memory"
    DEADLINE = "deadline"
    SOURCE_UNAVAILABLE = "source_unavailable"
    RESOURCE = "resource"
    BAD_DATA = "bad_data"
    MISSING_INPUT = "missing_input"
    GATE_REFUSED = "gate_refused"
    MISCONFIGURED = "misconfigured"
    STARTUP = "startup"
    CODE_ERROR = "code_error"
    UNKNOWN = "unknown"


INFRASTRUCTURE = frozenset(
    {
        FailureKind.EVICTED,
        FailureKind.NODE_LOST,
        FailureKind.IMAGE_PULL,
        FailureKind.UNSCHEDULABLE,
        FailureKind.CLUSTER,
    }
)
"""Kinds that say nothing about the work: they have retries of their own."""

FINAL = frozenset(
    {
        FailureKind.BAD_DATA,
        FailureKind.GATE_REFUSED,
        FailureKind.MISCONFIGURED,
        FailureKind.MISSING_INPUT,
        FailureKind.CODE_ERROR,
    }
)
"""Kinds that another try cannot change: never retried, whatever the parameters say."""

EXIT_KINDS: Mapping[int, FailureKind] = {
    65: FailureKind.BAD_DATA,
    66: FailureKind.MISSING_INPUT,
    69: FailureKind.SOURCE_UNAVAILABLE,
    71: FailureKind.RESOURCE,
    77: FailureKind.GATE_REFUSED,
    78: FailureKind.MISCONFIGURED,
}
"""Exit codes our commands own (``components.contract.errors``)."""

NOTHING_TO_DO = 99
"""Exit code of a command that found nothing to do: the task is skipped."""

NEXT_STEPS: Mapping[FailureKind, str] = {
    FailureKind.EVICTED: "nothing, if a retry follows: training resumes from its checkpoint; if it repeats, "
    "look at priority classes, node pressure and who drains the nodes",
    FailureKind.NODE_LOST: "look at the node (kubectl describe node); the retry runs elsewhere",
    FailureKind.IMAGE_PULL: "compare the image in the deployment file with the registry, and the pull secret",
    FailureKind.UNSCHEDULABLE: "compare the stage's meta in dvc.yaml with the nodes, their taints and the "
    "quota, or add nodes",
    FailureKind.CLUSTER: "look at the Kubernetes API server",
    FailureKind.OUT_OF_MEMORY: "raise meta.memory of the stage in dvc.yaml, or lower its batch or workers",
    FailureKind.DEADLINE: "find out why it takes so long, or raise orchestration.deadline_h in params.yaml",
    FailureKind.SOURCE_UNAVAILABLE: "look at the source (bucket, endpoint, credentials)",
    FailureKind.RESOURCE: "give the pod what it lacks: scratch size, GPU, memory",
    FailureKind.BAD_DATA: "read the message; correct or withdraw the acquisition",
    FailureKind.MISSING_INPUT: "clear the stage that makes the missing input, with everything after it",
    FailureKind.GATE_REFUSED: "read the decision; the champion stays",
    FailureKind.MISCONFIGURED: "correct what the message names",
    FailureKind.STARTUP: "correct the deployment: secrets, service account, command and security context",
    FailureKind.CODE_ERROR: "read the traceback in the log; it is a defect",
    FailureKind.UNKNOWN: "read the task's log and the pod's events",
}


@dataclass(frozen=True)
class Failure:
    """One failure with everything a person needs to know about it.

    Attributes:
        kind: Kind of failure.
        stage: Stage or command that failed.
        reason: Evidence in a few words (``OOMKilled, exit code 137``).
        message: Sentence of the command or of Kubernetes.
        next_step: Advice to the reader; empty for the kind's own.
        log_tail: Last lines of the log.
        source: The pod or the process it happened in.
    """

    kind: FailureKind
    stage: str
    reason: str
    message: str = ""
    next_step: str = ""
    log_tail: str = ""
    source: str = ""

    def text(self) -> str:
        """Return the failure for people: at most a few thousand characters, credentials taken out."""
        lines = [f"stage {self.stage} failed: {self.kind} ({redact(self.reason)})"]
        lines += [f"  {line}" for line in redact(self.message).strip()[:TEXT_CHARACTERS].splitlines()]
        lines.append(f"  next step: {redact(self.next_step or NEXT_STEPS[self.kind])}")
        if tail := tail_of(self.log_tail):
            lines.append(f"  end of the log of {self.source or self.stage}:")
            lines += [f"    | {line}" for line in tail.splitlines()]
        return "\n".join(lines)


def tail_of(log: str) -> str:
    """Return the last lines of ``log``, redacted before it is cut, since a cut can hide a pattern."""
    lines = redact(log).strip().splitlines()[-TAIL_LINES:]
    return "\n".join(lines)[-TAIL_CHARACTERS:]


class StageFailure(Exception):  # noqa: N818 - its subclasses are named for what happened
    """Base of all typed failures of a stage.

    Args:
        failure: The failure.
    """

    kind: ClassVar[FailureKind] = FailureKind.UNKNOWN

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text())
        self.failure = failure


class PodEvicted(StageFailure):
    """The pod was preempted, evicted or deleted, or its process was asked to end."""

    kind = FailureKind.EVICTED


class NodeLost(StageFailure):
    """The pod's node stopped answering."""

    kind = FailureKind.NODE_LOST


class ImagePullFailed(StageFailure):
    """The image could not be fetched."""

    kind = FailureKind.IMAGE_PULL


class Unschedulable(StageFailure):
    """No node took the pod in time, or a quota forbids it."""

    kind = FailureKind.UNSCHEDULABLE


class ClusterUnavailable(StageFailure):
    """The Kubernetes API did not answer."""

    kind = FailureKind.CLUSTER


class OutOfMemory(StageFailure):
    """The kernel killed it at its memory limit."""

    kind = FailureKind.OUT_OF_MEMORY


class DeadlineExceeded(StageFailure):
    """It took longer than it may."""

    kind = FailureKind.DEADLINE


class SourceUnavailable(StageFailure):
    """A remote source did not answer (exit code 69)."""

    kind = FailureKind.SOURCE_UNAVAILABLE


class ResourceLacking(StageFailure):
    """Disk, GPU or memory is missing (exit code 71)."""

    kind = FailureKind.RESOURCE


class BadData(StageFailure):
    """Input data break a rule (exit code 65)."""

    kind = FailureKind.BAD_DATA


class MissingInput(StageFailure):
    """A file that an earlier stage should have left is absent (exit code 66)."""

    kind = FailureKind.MISSING_INPUT


class GateRefused(StageFailure):
    """A model or a data set did not pass a gate (exit code 77)."""

    kind = FailureKind.GATE_REFUSED


class Misconfigured(StageFailure):
    """Parameters, deployment or permissions are wrong (exit code 78, or refused by Kubernetes)."""

    kind = FailureKind.MISCONFIGURED


class StartupFailed(StageFailure):
    """The container never started."""

    kind = FailureKind.STARTUP


class CodeError(StageFailure):
    """The command ended with a code that no class owns: our bug."""

    kind = FailureKind.CODE_ERROR


EXCEPTIONS: Mapping[FailureKind, type[StageFailure]] = {
    StageFailure.kind: StageFailure,
    **{cls.kind: cls for cls in StageFailure.__subclasses__()},
}


def exception_for(failure: Failure) -> StageFailure:
    """Return the exception to raise for ``failure``."""
    return EXCEPTIONS[failure.kind](failure)
