"""Planning of a run: its claim and its sealed plan, and what a run would find."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from components.contract.errors import RedrivesSpentError
from components.contract.failures import NOTHING_TO_DO
from components.contract.keys import notice_key
from components.contract.notices import BARRED
from components.lib.cli import report_failure, report_result
from components.lib.objects.conditional import require_conditional_writes
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed
from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.liveness import with_signs
from components.lib.operations.operations import Operations
from components.lib.operations.parameters import identity_of
from components.lib.operations.records import FailureRecord, Records
from components.lib.operations.removals import wait_for_removals
from components.lib.operations.standing import Position, Standing, standing_of
from components.lib.operations.state import State
from components.runs.checking import require_champions, require_checked
from components.runs.environment import Environment
from components.runs.parameters import RunsParameters, load_runs_parameters

LOG = logging.getLogger(__name__)


def plan(
    environment: Environment, run: str, *, force: bool = False, chosen: Sequence[str] | None = None
) -> int:
    """Claim all pending acquisitions for ``run``, or those that are chosen, and seal its plan.

    A set that failed for good is told to people once a day; whatever else there is not to do is no news.

    Args:
        environment: Settings of the command.
        run: Key-safe name of the run.
        force: Train though the same set failed for good, or though nothing is registered.
        chosen: Acquisitions to train with; None for all that are pending.

    Returns:
        0 to go on, 99 if there is nothing to do.

    Raises:
        ParameterError: If params.yaml is malformed, has no such profile, or holds a wrong parameter; or if an
            acquisition that was chosen is unknown or withdrawn.
        BadDataError: If the ledger is broken, or a champion's ledger, alias and files disagree.
        MissingInputError: If a champion's files are gone.
        UnconditionalStoreError: If the store ignores conditional writes.
        SourceUnavailableError: If a store or MLflow does not answer.
    """
    require_conditional_writes(environment.objects)
    identity = identity_of(environment.source, environment.profile)
    require_checked(environment.source, environment.profile)
    require_champions(environment)
    request = ClaimRequest(
        run=run,
        code=identity.code,
        params=identity.params,
        profile=environment.profile,
        chosen=None if chosen is None else tuple(chosen),
    )
    found = Operations(environment.objects).claim(request, lease=_parameters(environment).lease, force=force)
    if isinstance(found, NothingToDo):
        LOG.info("nothing to do: %s; %s", found.reason, found.next_step)
        report_failure(
            NOTHING_TO_DO,
            found.reason,
            found.next_step,
            notice=BARRED if _is_news(environment.objects, found) else "",
        )
        return NOTHING_TO_DO
    # Of an old attempt at this set: its stages must not be found finished by what is being removed.
    wait_for_removals(environment.objects, {found.key})
    names = [item.id for item in found.acquisitions]
    LOG.info("run %s trains key %s: %s", found.run, found.key[:12], ", ".join(names) or "no acquisition")
    report_result({"key": found.key, "acquisitions": names})
    return 0


def standing(environment: Environment, state: State, chosen: Sequence[str] | None = None) -> Standing:
    """Return the standing of the set that a run planned now would train; nothing is written.

    Args:
        environment: Settings of the command.
        state: Present state of the operations.
        chosen: Acquisitions that the run would be planned with; None for all that are pending.

    Raises:
        ParameterError: If params.yaml is malformed, or has no such profile; or if an acquisition that was
            chosen is unknown or withdrawn.
    """
    identity = identity_of(environment.source, environment.profile)
    parameters = _parameters(environment)
    now = datetime.now(UTC)
    return standing_of(
        state,
        identity.code,
        identity.params,
        now=now,
        lease=parameters.lease,
        redrives=parameters.redrives,
        chosen=chosen,
        with_signs=lambda state, keys: with_signs(state, environment.objects, now, keys),
    )


def last_failures(objects: ObjectStore, key: str) -> list[FailureRecord]:
    """Return the last failure of each stage of a training that has not finished since, by stage."""
    records = Records(objects, key)
    done = records.stages()
    latest = {record.stage: record for record in records.failures()}
    return [record for stage, record in sorted(latest.items()) if stage not in done]


def describe_plan(environment: Environment, chosen: Sequence[str] | None = None) -> tuple[str, bool]:
    """Describe what ``plan`` would do, and why; nothing is claimed.

    Args:
        environment: Settings of the command.
        chosen: Acquisitions that it would be planned with; None for all that are pending.

    Returns:
        Text with the standing of the set and the last failure of each stage, and whether a run would train.
    """
    found = standing(environment, Operations(environment.objects).state(), chosen)
    failures = [f"  {record.text()}" for record in last_failures(environment.objects, found.key)]
    trains = found.position in {Position.NEW, Position.REDRIVE, Position.SPENT}
    return "\n".join([found.text(), *failures]), trains


def redrive(environment: Environment) -> int:
    """Tell whether a training that failed by bad luck, or fell silent, is to be started again.

    Returns:
        0 if it is, 99 if nothing is to be started by the clock.

    Raises:
        RedrivesSpentError: If the redrives of its failure's class are spent; once for each such failure.
        ParameterError: If params.yaml is malformed, or has no such profile.
        BadDataError: If the ledger is broken.
    """
    found = standing(environment, Operations(environment.objects).state())
    LOG.info("%s", found.text())
    if found.position is Position.REDRIVE:
        report_result({"key": found.key, "reason": found.reason})
        return 0
    if found.position is Position.SPENT and found.claim is not None:
        name = f"redrives-spent-{found.claim.run}"
        if _given_first(environment.objects, found.key, name, found.reason):
            raise RedrivesSpentError(found.reason, next_step=found.next_step)
    report_failure(NOTHING_TO_DO, found.reason, found.next_step)
    return NOTHING_TO_DO


def _is_news(objects: ObjectStore, found: NothingToDo) -> bool:
    """Return whether a set is barred, and nobody was told today."""
    today = f"barred-{datetime.now(UTC):%F}"
    return found.barred is not None and _given_first(objects, found.barred, today, found.reason)


def _given_first(objects: ObjectStore, key: str, name: str, reason: str) -> bool:
    return create_sealed(objects, notice_key(key, name), {"reason": reason})


def _parameters(environment: Environment) -> RunsParameters:
    return load_runs_parameters(environment.source / "params.yaml")
