"""Gate of a run: open only if sealed records say that the served model was promoted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from components.contract.errors import BadDataError, GateRefusedError
from components.contract.hashing import sha256_bytes
from components.contract.keys import run_record_key
from components.lib.cli import report_result
from components.lib.objects.sealed import read_sealed, seal
from components.lib.operations.events import Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.plan import read_plan
from components.runs.environment import Environment

LOG = logging.getLogger(__name__)

PRODUCT = "stormsight-sar"
"""Model that is served; the teacher only helps to train it."""


def gate(environment: Environment, run: str) -> int:
    """Require that the run's sealed decision promoted the served model.

    Returns:
        0 if it did.

    Raises:
        GateRefusedError: If it was refused, saying why.
        MissingInputError: If the run has no plan or no record: it did not end.
        BadDataError: If the plan or the record is damaged, of another run, or not the one in the ledger.
    """
    objects = environment.objects
    plan = read_plan(objects, run)
    record = read_sealed(objects, run_record_key(plan.key))
    claim = Operations(objects).state().claims.get(plan.key)
    outcome = None if claim is None else claim.outcome
    if not isinstance(outcome, Succeeded) or outcome.record_sha256 != sha256_bytes(seal(record)):
        raise BadDataError(
            f"the record of run {run} is not the one that the ledger names",
            next_step="run `python -m components.runs finish` for it, then verify the ledger",
        )
    decision = record["decision"]
    promoted = is_promoted(decision)
    why = reasons(decision) if decision is not None else "the pipeline has no gate"
    if not promoted:
        raise GateRefusedError(
            f"run {run}: {why}", next_step="the champion stays; read the decision's record"
        )
    LOG.info("run %s: %s", run, why)
    report_result({"key": plan.key, "promoted": True})
    return 0


def is_promoted(decision: Mapping[str, Any] | None) -> bool:
    """Return whether the served model has a new champion.

    Args:
        decision: Content of ``decision.json``, None for a pipeline without a gate.

    Raises:
        BadDataError: If it does not say so either way.
    """
    if decision is None:
        return False
    try:
        outcome = decision["models"][PRODUCT]["outcome"]
    except (KeyError, TypeError):
        outcome = None
    if outcome not in ("promoted", "refused"):
        raise BadDataError(
            f"the decision does not say whether {PRODUCT} was promoted",
            next_step="something else than the promote stage wrote it: run that stage again",
        )
    return bool(outcome == "promoted")


def reasons(decision: Mapping[str, Any]) -> str:
    """Return the reasons of the decision, in words, for every model."""
    parts = [
        f"{name} {part['outcome']}: {'; '.join(part['reasons'])}"
        for name, part in sorted(decision["models"].items())
    ]
    return " | ".join(parts)
