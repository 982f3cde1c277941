"""Claim of a run given up by hand: another run may train its set at once."""

from __future__ import annotations

import logging

from components.contract.errors import MissingInputError, ParameterError
from components.contract.failures import NOTHING_TO_DO, FailureKind
from components.lib.cli import report_failure, report_result
from components.lib.operations.decisions import NothingToDo
from components.lib.operations.events import RELEASE
from components.lib.operations.operations import Operations
from components.runs.environment import Environment

LOG = logging.getLogger(__name__)


def release(environment: Environment, run: str, reason: str) -> int:
    """Give up the claim of ``run``: the ledger gains a failure that is not final, with reason and actor.

    A stage of the run that is still at work sees at its next renewal that the claim has ended, and stops.

    Args:
        environment: Settings of the command.
        run: Key-safe name of the run.
        reason: Reason in words.

    Returns:
        0 if the claim was given up, 99 if it had ended, or went to another run, before.

    Raises:
        ParameterError: If no reason is given.
        MissingInputError: If no run of that name ever had a claim.
        BadDataError: If the ledger is broken.
    """
    if not reason.strip():
        raise ParameterError("--reason is empty", next_step="say why: the ledger keeps it")
    operations = Operations(environment.objects)
    state = operations.state()
    claim = state.claim_of(run)
    if claim is None and run not in state.runs:
        held = [held.run for held in state.claims.values() if held.outcome is None]
        raise MissingInputError(
            f"run {run} never had a claim", next_step=f"at work are: {', '.join(held) or 'none'}"
        )
    if claim is None or claim.outcome is not None:
        words = f"run {run} holds no claim any more: it has ended, or another run took over"
        LOG.info("%s", words)
        report_failure(NOTHING_TO_DO, words, "see `python -m components.runs status`")
        return NOTHING_TO_DO
    stands = operations.failed(
        run,
        failure_class=FailureKind.TERMINATED,
        stage=RELEASE,
        message=f"released by hand: {reason.strip()}",
    )
    if isinstance(stands, NothingToDo):  # another run was quicker
        report_failure(NOTHING_TO_DO, stands.reason, stands.next_step)
        return NOTHING_TO_DO
    LOG.info("run %s: its claim of set %s is given up", run, claim.claimed.key[:12])
    report_result({"run": run, "key": claim.claimed.key})
    return 0
