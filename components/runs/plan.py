"""Planning of a run: its claim and its sealed plan."""

from __future__ import annotations

import logging
from datetime import timedelta

from components.contract.failures import NOTHING_TO_DO
from components.lib.cli import report_failure, report_result
from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.operations import Operations
from components.runs.checking import require_champions, require_checked
from components.runs.environment import Environment
from components.runs.parameters import load_runs_parameters
from components.runs.workspace import identity_of

LOG = logging.getLogger(__name__)


def plan(environment: Environment, run: str, *, force: bool = False) -> int:
    """Claim all pending acquisitions for ``run`` and seal its plan.

    Args:
        environment: Settings of the command.
        run: Key-safe name of the run.
        force: Train though the same set failed for good, or though nothing is registered.

    Returns:
        0 to go on, 99 if there is nothing to do.

    Raises:
        ParameterError: If params.yaml is malformed, has no such profile, or holds a wrong parameter.
        BadDataError: If the ledger is broken, or a champion's ledger, alias and files disagree.
        MissingInputError: If a champion's files are gone.
        SourceUnavailableError: If a store or MLflow does not answer.
    """
    identity = identity_of(environment.source, environment.profile)
    require_checked(environment.source, environment.profile)
    require_champions(environment)
    request = ClaimRequest(run=run, code=identity.code, params=identity.params, profile=environment.profile)
    lease = timedelta(hours=load_runs_parameters(environment.source / "params.yaml").lease_h)
    found = Operations(environment.objects).claim(request, lease=lease, force=force)
    if isinstance(found, NothingToDo):
        LOG.info("nothing to do: %s; %s", found.reason, found.next_step)
        report_failure(NOTHING_TO_DO, found.reason, found.next_step)
        return NOTHING_TO_DO
    names = [item.id for item in found.acquisitions]
    LOG.info("run %s trains key %s: %s", found.run, found.key[:12], ", ".join(names) or "no acquisition")
    report_result({"key": found.key, "acquisitions": names})
    return 0
