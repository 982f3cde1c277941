"""Gate of a run: open only if sealed records say that the served model was promoted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from components.contract.errors import BadDataError, GateRefusedError, MissingInputError
from components.contract.failures import NOTHING_TO_DO
from components.contract.hashing import seal, sha256_bytes
from components.contract.keys import run_record_key
from components.contract.notices import AWAITS_APPROVAL
from components.lib.cli import report_failure, report_result
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked, unseal
from components.lib.operations.events import Failed, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.plan import read_plan
from components.runs.environment import Environment

LOG = logging.getLogger(__name__)

APPROVE = "run `python -m components.promote approve`"

PRODUCTS = ("stormsight-sar", "stormsight-roads-sar")
"""Models that a run is for, one by its task; the teacher only helps to train it."""


def gate(environment: Environment, run: str) -> int:
    """Require that the run's sealed decision promoted the served model.

    Returns:
        0 if it did, 99 if it waits for a person's approval.

    Raises:
        GateRefusedError: If it was refused, saying why.
        MissingInputError: If the run has no plan or no record: it did not end, or failed.
        BadDataError: If the plan or the record is damaged, of another run, or not the one in the ledger.
    """
    objects = environment.objects
    plan = read_plan(objects, run)
    claim = Operations(objects).state().claims.get(plan.key)
    outcome = None if claim is None else claim.outcome
    if isinstance(outcome, Failed):
        raise MissingInputError(
            f"run {run} has no result: run {outcome.run} failed in {outcome.stage}: {outcome.failure_class}: "
            f"{outcome.message}",
            next_step="see `python -m components.runs status`",
        )
    if outcome is None:
        raise MissingInputError(
            f"run {run} has no result yet",
            next_step="run its stages, then `python -m components.runs finish`",
        )
    sha256, decision = sealed_decision(objects, plan.key)
    if not isinstance(outcome, Succeeded) or outcome.record_sha256 != sha256:
        raise BadDataError(
            f"the record of run {run} is not the one that the ledger names",
            next_step="run `python -m components.runs finish` for it, then verify the ledger",
        )
    promoted = is_promoted(decision)
    why = reasons(decision) if decision is not None else "the pipeline has no gate"
    if decision is not None and decision.models[product_of(decision)].outcome == AWAITS_APPROVAL:
        LOG.info("run %s: %s", run, why)
        report_failure(NOTHING_TO_DO, f"run {run}: {why}", f"{APPROVE}, or reject", notice=AWAITS_APPROVAL)
        return NOTHING_TO_DO
    if not promoted:
        product = PRODUCTS[0] if decision is None else product_of(decision)
        raise GateRefusedError(
            f"run {run}: {why}", next_step=f"the champion of {product} stays; read the decision's record"
        )
    LOG.info("run %s: %s", run, why)
    report_result({"key": plan.key, "promoted": True, "models": outcomes(decision)})
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutcome:
    """Part of a decision that is read here: how one model fared, and why.

    Attributes:
        outcome: ``promoted``, ``refused``, or ``awaits approval`` of a person.
        reasons: Reasons in words.
        decision_sha256: SHA-256 by which the champions' ledgers name the decision.
    """

    outcome: Literal["promoted", "refused", "awaits approval"]
    reasons: list[str]
    decision_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Part of ``decision.json`` that is read here.

    Attributes:
        models: By registered model.
    """

    models: dict[str, ModelOutcome]


def sealed_decision(objects: ObjectStore, key: str) -> tuple[str, Decision | None]:
    """Return the SHA-256 of a finished training's record, and its decision; None for one without a gate.

    Raises:
        MissingInputError: If there is no record: the training did not end.
        BadDataError: If it is damaged, or holds no decision.
    """
    name = run_record_key(key)
    record = unseal(objects.get(name), name=f"{objects.uri}/{name}")
    found = record.get("decision")
    decision = None if found is None else checked(found, Decision, name=f"the decision in {name}")
    return sha256_bytes(seal(record)), decision


def is_promoted(decision: Decision | None) -> bool:
    """Return whether the served model has a new champion.

    Args:
        decision: None for a pipeline without a gate.

    Raises:
        BadDataError: If it does not say so either way.
    """
    if decision is None:
        return False
    return decision.models[product_of(decision)].outcome == "promoted"


def product_of(decision: Decision) -> str:
    """Return the model that the run was for: of buildings, or of roads.

    Raises:
        BadDataError: If the decision is on neither.
    """
    for product in PRODUCTS:
        if product in decision.models:
            return product
    raise BadDataError(
        f"the decision does not say whether {PRODUCTS[0]} was promoted",
        next_step="something else than the promote stage wrote it: run that stage again",
    )


def outcomes(decision: Decision | None) -> dict[str, str]:
    """Return the outcome of each registered model, by its name; empty for a pipeline without a gate."""
    return {} if decision is None else {name: part.outcome for name, part in sorted(decision.models.items())}


def reasons(decision: Decision) -> str:
    """Return the reasons of the decision, in words, for every model."""
    parts = [
        f"{name} {part.outcome}: {'; '.join(part.reasons)}" for name, part in sorted(decision.models.items())
    ]
    return " | ".join(parts)
