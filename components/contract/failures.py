"""Table of failure classes that commands, the ledger and the DAGs share.

A command ends with the exit code of its class, and writes the class into its report and into the ledger;
Airflow shows the exception named here (``stormsight_dags.failures`` makes them). Whether a failure is
worth another attempt has two answers, in two columns: Airflow repeats a task with unchanged inputs, while the
ledger decides whether a later run may train the same set of acquisitions again. Only what a person has to
correct in data or parameters is final there; whatever may have been bad luck is started again by the clock,
within ``orchestration.redrives`` of ``params.yaml``.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

NOTHING_TO_DO = 99
"""Exit code of a command that found nothing to do: the orchestrator skips what would follow."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a command that SIGTERM ended."""


STALL_WARNING = "STALL WARNING"
"""Words in the log of a stage that will be ended as ``stalled``, by which the orchestrator tells people."""


class Severity(StrEnum):
    """Urgency of a notice: ``critical`` is for whoever is on duty, ``info`` for the record."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class FailureKind(StrEnum):
    """Name of a failure class, as reports, ledger entries and ``params.yaml`` spell it."""

    # Caused by the cluster.
    EVICTED = "evicted"
    NODE_LOST = "node_lost"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    CLUSTER = "cluster"
    # Caused by the work.
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
    CRASHED = "crashed"
    STALLED = "stalled"
    CHAMPION_CHANGED = "champion_changed"
    CLAIM_LOST = "claim_lost"
    REDRIVES_SPENT = "redrives_spent"
    UNKNOWN = "unknown"
    # Never shown by Airflow: it sees a terminated command as evicted, and skips after 99.
    TERMINATED = "terminated"
    NO_RECORD = "infrastructure"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureClass:
    """One row of the table.

    Attributes:
        airflow_name: Exception that Airflow shows; None if it never sees this class.
        exit_code: Exit code of commands that fail this way; None if no command reports the class itself.
        from_cluster: Whether the cluster caused it; it says nothing about the work and has its own retries.
        airflow_may_retry: Whether ``orchestration`` in ``params.yaml`` may grant retries of the task.
        final_for_set: Whether the ledger bars the same acquisitions, code and parameters from being trained
            again. A missing input is not final: Airflow cannot mend it by repeating the task, a new run can.
        severity: Urgency of the notice about it.
        next_step: What the reader should do.
    """

    airflow_name: str | None = None
    exit_code: int | None = None
    from_cluster: bool = False
    airflow_may_retry: bool = False
    final_for_set: bool = False
    severity: Severity = Severity.CRITICAL
    next_step: str


FAILURE_CLASSES: Mapping[FailureKind, FailureClass] = MappingProxyType(
    {
        FailureKind.EVICTED: FailureClass(
            severity=Severity.WARNING,
            airflow_name="PodEvicted",
            from_cluster=True,
            airflow_may_retry=True,
            next_step="nothing, if a retry follows: training resumes from its checkpoint; if it repeats, "
            "look at priority classes, node pressure and who drains the nodes",
        ),
        FailureKind.NODE_LOST: FailureClass(
            severity=Severity.WARNING,
            airflow_name="NodeLost",
            from_cluster=True,
            airflow_may_retry=True,
            next_step="look at the node (kubectl describe node); the retry runs elsewhere",
        ),
        FailureKind.IMAGE_PULL: FailureClass(
            severity=Severity.WARNING,
            airflow_name="ImagePullFailed",
            from_cluster=True,
            airflow_may_retry=True,
            next_step="compare the image in the deployment file with the registry, and the pull secret",
        ),
        FailureKind.UNSCHEDULABLE: FailureClass(
            severity=Severity.WARNING,
            airflow_name="Unschedulable",
            from_cluster=True,
            airflow_may_retry=True,
            next_step="compare the stage's meta in dvc.yaml with the nodes, their taints and the quota, or "
            "add nodes",
        ),
        FailureKind.CLUSTER: FailureClass(
            severity=Severity.WARNING,
            airflow_name="ClusterUnavailable",
            from_cluster=True,
            airflow_may_retry=True,
            next_step="look at the Kubernetes API server",
        ),
        FailureKind.OUT_OF_MEMORY: FailureClass(
            airflow_name="OutOfMemory",
            airflow_may_retry=True,
            next_step="raise meta.memory of the stage in dvc.yaml, or lower its batch or workers",
        ),
        FailureKind.DEADLINE: FailureClass(
            airflow_name="DeadlineExceeded",
            exit_code=81,
            airflow_may_retry=True,
            next_step="find out why it takes so long, or raise orchestration.pod_limit_h in params.yaml",
        ),
        FailureKind.SOURCE_UNAVAILABLE: FailureClass(
            severity=Severity.WARNING,
            airflow_name="SourceUnavailable",
            exit_code=69,
            airflow_may_retry=True,
            next_step="look at the source (bucket, endpoint, credentials)",
        ),
        FailureKind.RESOURCE: FailureClass(
            airflow_name="ResourceLacking",
            exit_code=71,
            airflow_may_retry=True,
            next_step="give the pod what it lacks: scratch size, GPU, memory",
        ),
        FailureKind.BAD_DATA: FailureClass(
            airflow_name="BadData",
            exit_code=65,
            final_for_set=True,
            next_step="read the message; withdraw the acquisition that it names (`python -m "
            "components.acquisitions withdraw ID --reason ...`), or land a corrected one under a new id",
        ),
        FailureKind.MISSING_INPUT: FailureClass(
            airflow_name="MissingInput",
            exit_code=66,
            next_step="clear the stage that makes the missing input, with everything after it",
        ),
        FailureKind.GATE_REFUSED: FailureClass(
            severity=Severity.WARNING,
            airflow_name="GateRefused",
            exit_code=77,
            final_for_set=True,
            next_step="read the refusal (the champion stays); withdraw the acquisition that it names, or "
            "change params.yaml",
        ),
        FailureKind.MISCONFIGURED: FailureClass(
            airflow_name="Misconfigured",
            exit_code=78,
            final_for_set=True,
            next_step="read the message; correct params.yaml or the deployment",
        ),
        FailureKind.STARTUP: FailureClass(
            airflow_name="StartupFailed",
            airflow_may_retry=True,
            next_step="correct the deployment: secrets, service account, command and security context",
        ),
        FailureKind.CODE_ERROR: FailureClass(
            airflow_name="CodeError",
            next_step="read the traceback in the log and correct the code: new code is a new key",
        ),
        FailureKind.CRASHED: FailureClass(
            airflow_name="Crashed",
            airflow_may_retry=True,
            next_step="look for a failing GPU, driver or node (dmesg, nvidia-smi); if it repeats on another "
            "machine, read the log: a library fails",
        ),
        FailureKind.STALLED: FailureClass(
            airflow_name="Stalled",
            exit_code=124,
            airflow_may_retry=True,
            next_step="read the end of the log, and look at the node and at the stores that the stage waits "
            "for; if it was at work, raise orchestration.stall_min in params.yaml",
        ),
        FailureKind.CHAMPION_CHANGED: FailureClass(
            severity=Severity.WARNING,
            airflow_name="ChampionChanged",
            exit_code=75,
            airflow_may_retry=True,
            next_step="nothing, if a retry follows: the challenger is judged against the present champion; "
            "else clear the stage promote",
        ),
        FailureKind.CLAIM_LOST: FailureClass(
            severity=Severity.INFO,
            airflow_name="ClaimLost",
            exit_code=76,
            next_step="look at the run that holds the claim, or read who gave it up and why; nothing is "
            "trained twice",
        ),
        FailureKind.REDRIVES_SPENT: FailureClass(
            airflow_name="RedrivesSpent",
            exit_code=80,
            next_step="find the cause in the last failure; the next scheduled run, or one started by hand, "
            "trains the set again",
        ),
        FailureKind.UNKNOWN: FailureClass(
            airflow_name="StageFailure",
            airflow_may_retry=True,
            next_step="read the task's log and the pod's events",
        ),
        FailureKind.TERMINATED: FailureClass(
            severity=Severity.WARNING, exit_code=TERMINATED, next_step="run the command again"
        ),
        FailureKind.NO_RECORD: FailureClass(
            severity=Severity.WARNING,
            next_step="look for the stage's pod: it never ran, or its machine was lost",
        ),
        FailureKind.NOTHING_TO_DO: FailureClass(
            severity=Severity.INFO, exit_code=NOTHING_TO_DO, next_step="none"
        ),
    }
)
"""Every failure class by its name."""

FROM_CLUSTER = frozenset(kind for kind, row in FAILURE_CLASSES.items() if row.from_cluster)
"""Kinds that say nothing about the work: they have retries of their own."""

NEVER_RETRIED = frozenset(kind for kind, row in FAILURE_CLASSES.items() if not row.airflow_may_retry)
"""Kinds for which Airflow never repeats a task, whatever the parameters say."""

FINAL_FOR_SET = frozenset(kind for kind, row in FAILURE_CLASSES.items() if row.final_for_set)
"""Kinds after which the ledger lets no other run train the same acquisitions, code and parameters."""

_BY_SIGNAL = {
    128 + signal.SIGKILL: FailureKind.OUT_OF_MEMORY,
    **{
        128 + number: FailureKind.CRASHED
        for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)
    },
}
"""Kinds of processes that a signal ended; SIGKILL that nobody sent is the kernel's, short of memory."""

_BY_EXIT_CODE = {row.exit_code: kind for kind, row in FAILURE_CLASSES.items() if row.exit_code is not None}


def exit_code_of(kind: FailureKind) -> int:
    """Return the exit code that commands failing as ``kind`` end with.

    Raises:
        ValueError: If no command ends this way.
    """
    code = FAILURE_CLASSES[kind].exit_code
    if code is None:
        raise ValueError(f"failure class {kind} owns no exit code")
    return code


def kind_of_exit(exit_code: int) -> FailureKind:
    """Return the kind of a command's end: the owner of its exit code, else by the signal that ended it.

    Any other code but 0 is a ``code_error``.

    >>> str(kind_of_exit(65)), str(kind_of_exit(139)), str(kind_of_exit(2))
    ('bad_data', 'crashed', 'code_error')
    """
    return _BY_EXIT_CODE.get(exit_code) or _BY_SIGNAL.get(exit_code, FailureKind.CODE_ERROR)


def shown_kind_of_exit(exit_code: int) -> FailureKind | None:
    """Return the kind that owns ``exit_code`` if Airflow shows it as an exception, None otherwise."""
    kind = _BY_EXIT_CODE.get(exit_code)
    return kind if kind is not None and FAILURE_CLASSES[kind].airflow_name else None
