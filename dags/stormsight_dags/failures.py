"""Failures of stages, and the exception that each kind is raised as.

The orchestrator sees the exception: its class shows in the log, and :mod:`stormsight_dags.budgets` decides by
it. People read its text: stage, kind, reason, next step, tail of the log, and nothing secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from components.contract.failures import FAILURE_CLASSES, FailureKind
from components.contract.redaction import redact

TAIL_LINES = 30
TAIL_CHARACTERS = 6000
TEXT_CHARACTERS = 2000


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
        lines.append(f"  next step: {redact(self.next_step or FAILURE_CLASSES[self.kind].next_step)}")
        if tail := tail_of(self.log_tail):
            lines.append(f"  end of the log of {self.source or self.stage}:")
            lines += [f"    | {line}" for line in tail.splitlines()]
        return "\n".join(lines)


def tail_of(log: str) -> str:
    """Return the last lines of ``log``, redacted before it is cut, since a cut can hide a pattern."""
    lines = redact(log).strip().splitlines()[-TAIL_LINES:]
    return "\n".join(lines)[-TAIL_CHARACTERS:]


class StageFailure(Exception):  # noqa: N818 - its subclasses are named after the failure
    """Base of all typed failures of a stage; by itself, a failure of unknown kind.

    Args:
        failure: The failure.
    """

    kind: ClassVar[FailureKind] = FailureKind.UNKNOWN

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text())
        self.failure = failure


def _exception_class(kind: FailureKind, name: str) -> type[StageFailure]:
    values = {"kind": kind, "__module__": __name__, "__doc__": f"Failure of kind ``{kind}``."}
    return type(name, (StageFailure,), values)


EXCEPTIONS: Mapping[FailureKind, type[StageFailure]] = {
    kind: StageFailure if kind is StageFailure.kind else _exception_class(kind, row.airflow_name)
    for kind, row in FAILURE_CLASSES.items()
    if row.airflow_name is not None
}
"""Exception of each kind that the orchestrator can see, named as in the table of failure classes."""


def exception_for(failure: Failure) -> StageFailure:
    """Return the exception to raise for ``failure``."""
    return EXCEPTIONS[failure.kind](failure)
