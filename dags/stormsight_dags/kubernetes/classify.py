"""Classification of failures: from the evidence about an ended pod or process to a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from components.contract.failures import (
    NOTHING_TO_DO,
    FailureKind,
    exit_code_of,
    kind_of_exit,
    shown_kind_of_exit,
)
from stormsight_dags.failures import Failure
from stormsight_dags.kubernetes.status import PodEvent, PodStatus, node_lost

IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError"})
"""Waiting reasons of an image that cannot be fetched. ``InvalidImageName`` is a broken deployment instead."""

REFUSED_BY_KUBELET = ("OutOf", "UnexpectedAdmissionError", "NodeAffinity", "Preempting", "NodePorts")
"""Pod reasons (prefixes) of a node that did not admit what the scheduler had sent."""

NODE_EVENTS = frozenset({"NodeNotReady", "TaintManagerEviction"})
NODE_DISRUPTIONS = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})

SETUP_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Failed"})
"""Events (volumes, sandbox) that explain why a pod hangs before its container exists."""

SIGKILL, SIGTERM = 137, 143
CANNOT_RUN = frozenset({"ContainerCannotRun", "StartError"})


@dataclass(frozen=True)
class Evidence:
    """Evidence about one pod whose end is to be classified.

    Attributes:
        stage: Stage or command it ran.
        pod: The pod's name.
        status: How the pod is now; ``None`` if it is gone.
        last_seen: How it was when it was last looked at.
        events: Events that Kubernetes recorded about it.
        log_tail: End of its log.
        cause: Reason for which the watch ended, in words, if not the pod's own end.
        now: The present, seconds since 1970.
    """

    stage: str
    pod: str
    status: PodStatus | None
    last_seen: PodStatus | None = None
    events: tuple[PodEvent, ...] = ()
    log_tail: str = ""
    cause: str = ""
    now: float = 0.0

    @property
    def known(self) -> PodStatus:
        """Latest status that is known."""
        return self.status or self.last_seen or PodStatus()

    @property
    def removed(self) -> bool:
        """``True`` if someone deleted the pod before we did."""
        return self.status is None or self.status.deleted_at is not None

    def event(self, reasons: frozenset[str]) -> PodEvent | None:
        """Return the latest event with one of ``reasons``; an earlier pod's do not count."""
        uid = self.known.uid
        fitting = [e for e in self.events if e.reason in reasons and (not uid or e.uid in ("", uid))]
        return fitting[-1] if fitting else None


def succeeded(evidence: Evidence) -> bool:
    """Return ``True`` if the pod did its work, even if it vanished afterwards."""
    return evidence.known.succeeded


def skipped(evidence: Evidence, *, refusal_skips: bool = False) -> bool:
    """Return ``True`` if the command found nothing to do, or ended with a result after which others are idle.

    Args:
        evidence: Evidence about its pod.
        refusal_skips: Whether a refusal is such a result, as in :func:`is_skip`.
    """
    code = evidence.known.exit_code
    return code is not None and is_skip(code, refusal_skips=refusal_skips)


def is_skip(exit_code: int, *, refusal_skips: bool) -> bool:
    """Return ``True`` if a task is skipped after this exit code of its command.

    Args:
        exit_code: Exit code.
        refusal_skips: Whether a refusal is an ordinary result of this command, after which the task is
            skipped, and not a failure. So it is for the gate of a run, which judges what the run has made.
    """
    return exit_code == NOTHING_TO_DO or (
        refusal_skips and exit_code == exit_code_of(FailureKind.GATE_REFUSED)
    )


def classify(evidence: Evidence) -> Failure:
    """Classify a pod that neither succeeded nor was skipped.

    A statement of Kubernetes about the whole pod comes first, then one of the kernel, then the command's
    exit code; only then is a deletion the cause, since a pod that had already failed may be
    deleted as well.
    """
    failure = next(found for rule in _RULES if (found := rule(evidence)) is not None)
    report = read_report(evidence.known.report)
    message = report.message or failure.message
    return replace(
        failure,
        message=message,
        next_step=report.next_step,
        log_tail=evidence.log_tail or report.text,
        source=f"pod {evidence.pod}",
    )


@dataclass(frozen=True)
class CommandReport:
    """Report that a command left when it ended: fields of its JSON, or loose text.

    Attributes:
        message: Description of the failure.
        next_step: Action for the reader.
        text: The whole of it, where it is no JSON.
        result: Result of a command that succeeded.
        notice: Event that people are told of although the task is skipped; empty for none.
    """

    message: str = ""
    next_step: str = ""
    text: str = ""
    result: object = None
    notice: str = ""


def read_report(text: str) -> CommandReport:
    """Read a termination message; whatever is not the command's JSON is kept as text."""
    try:
        values = json.loads(text)
    except ValueError:
        return CommandReport(text=text)
    if not isinstance(values, dict):
        return CommandReport(text=text)
    return CommandReport(
        message=str(values.get("message") or ""),
        next_step=str(values.get("next_step") or ""),
        result=values.get("result"),
        notice=str(values.get("notice") or ""),
    )


def classify_exit(stage: str, exit_code: int, report: str = "", log_tail: str = "") -> Failure:
    """Classify a local process by its exit code; a negative one is the signal that ended it."""
    code = 128 - exit_code if exit_code < 0 else exit_code
    status = PodStatus(phase="Failed", exit_code=code, report=report)
    failure = classify(Evidence(stage=stage, pod="", status=status, log_tail=log_tail))
    return replace(failure, source=f"process of {stage}")


def _failure(evidence: Evidence, kind: FailureKind, reason: str, message: str = "") -> Failure:
    code = evidence.known.exit_code
    words = [reason] if reason else []
    words += [f"exit code {code}"] if code is not None else []
    return Failure(kind, evidence.stage, ", ".join(words) or "no reason given", message)


def _pod_reason(evidence: Evidence) -> Failure | None:
    status = evidence.known
    if status.reason == "DeadlineExceeded":
        return _failure(evidence, FailureKind.DEADLINE, status.reason, status.message)
    if status.reason in {"Evicted", "Shutdown", "NodeShutdown", "Terminated"}:
        return _failure(evidence, FailureKind.EVICTED, status.reason, status.message)
    if status.reason.startswith(REFUSED_BY_KUBELET):
        return _failure(evidence, FailureKind.UNSCHEDULABLE, status.reason, status.message)
    return None


def _out_of_memory(evidence: Evidence) -> Failure | None:
    if evidence.known.exit_reason != "OOMKilled":
        return None
    return _failure(evidence, FailureKind.OUT_OF_MEMORY, "OOMKilled", "killed at its memory limit")


def _exit_code(evidence: Evidence) -> Failure | None:
    """Recognise a command that ended by itself, with a code that a class owns."""
    kind = shown_kind_of_exit(evidence.known.exit_code or 0)
    return _failure(evidence, kind, "") if kind else None


def _node_lost(evidence: Evidence) -> Failure | None:
    status = evidence.known
    if evidence.status is not None and node_lost(evidence.status, evidence.now):
        why = status.reason or "the node does not answer"
        return _failure(evidence, FailureKind.NODE_LOST, why, f"node {status.node} does not answer any more")
    if status.ended and status.exit_code is not None:
        return None
    if status.disrupted in NODE_DISRUPTIONS:
        return _failure(evidence, FailureKind.NODE_LOST, status.disrupted, f"node {status.node} was lost")
    event = evidence.event(NODE_EVENTS) if evidence.removed else None
    return _failure(evidence, FailureKind.NODE_LOST, event.reason, event.message) if event else None


def _removed(evidence: Evidence) -> Failure | None:
    status = evidence.known
    by_signal = status.exit_code == SIGTERM
    if not (evidence.removed or status.disrupted or by_signal):
        return None
    event = evidence.event(frozenset({"Preempted", "Evicted"}))
    why = status.disrupted or (event.reason if event else "")
    if not why:
        why = "the pod was deleted" if evidence.removed else "the process was asked to end (SIGTERM)"
    return _failure(evidence, FailureKind.EVICTED, why, event.message if event else status.message)


def _killed(evidence: Evidence) -> Failure | None:
    """Recognise the out-of-memory killer where the runtime lost its name: SIGKILL without a deletion."""
    if evidence.known.exit_code != SIGKILL:
        return None
    message = "killed by SIGKILL while nobody had deleted it: most likely the memory limit"
    return _failure(evidence, FailureKind.OUT_OF_MEMORY, evidence.known.exit_reason or "SIGKILL", message)


def _cannot_run(evidence: Evidence) -> Failure | None:
    status = evidence.known
    if status.exit_reason not in CANNOT_RUN:
        return None
    return _failure(evidence, FailureKind.STARTUP, status.exit_reason, status.report)


def _never_started(evidence: Evidence) -> Failure | None:
    status = evidence.known
    if status.exit_code is not None or status.phase != "Pending":
        return None
    if status.unscheduled:
        return _failure(evidence, FailureKind.UNSCHEDULABLE, "no node in time", status.unscheduled)
    kind = FailureKind.IMAGE_PULL if status.waiting in IMAGE_REASONS else FailureKind.STARTUP
    message = status.waiting_message or _setup_event(evidence) or evidence.cause
    return _failure(evidence, kind, status.waiting or "Pending", message)


def _setup_event(evidence: Evidence) -> str:
    event = evidence.event(SETUP_EVENTS)
    return f"{event.reason}: {event.message}" if event else ""


def _timed_out(evidence: Evidence) -> Failure | None:
    """Recognise a pod that still runs, while the orchestrator's own time limit ended the watch."""
    if evidence.known.phase != "Running" or not evidence.cause:
        return None
    return _failure(evidence, FailureKind.DEADLINE, "execution_timeout", evidence.cause)


def _anything_else(evidence: Evidence) -> Failure:
    code = evidence.known.exit_code
    if code:
        return _failure(evidence, kind_of_exit(code), evidence.known.exit_reason)
    reason = evidence.known.reason or evidence.known.phase
    return _failure(evidence, FailureKind.UNKNOWN, reason, evidence.known.message or evidence.cause)


_RULES: tuple[Callable[[Evidence], Failure | None], ...] = (
    _pod_reason,
    _out_of_memory,
    _exit_code,
    _node_lost,
    _removed,
    _killed,
    _cannot_run,
    _never_started,
    _timed_out,
    _anything_else,
)


def classify_refusal(stage: str, status: int | None, text: str) -> Failure:
    """Classify an error answer of the Kubernetes API, for instance to the creation of a pod.

    Args:
        stage: Stage or command.
        status: HTTP status; ``None`` if there was no answer.
        text: The API's sentence; never a whole object.
    """
    if status is None or status in {408, 429} or status >= 500:
        return Failure(FailureKind.CLUSTER, stage, f"HTTP {status or 'no answer'}", text)
    if status == 403 and "exceeded quota" in text:
        return Failure(FailureKind.UNSCHEDULABLE, stage, "exceeded quota", text)
    return Failure(FailureKind.MISCONFIGURED, stage, f"refused by Kubernetes, HTTP {status}", text)
