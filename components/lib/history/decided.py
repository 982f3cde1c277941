"""Facts about the gate's judgement, from the decision in a run's record or in ``decision.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.lib.history.facts import ModelFacts, ModelOutcome
from components.lib.objects.sealed import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """Score of a challenger with its confidence interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    degenerate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """Part of a decision record that is read here."""

    method: str = "unknown"
    metric: str = ""
    challenger: _Score | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Outcome of one model."""

    outcome: ModelOutcome
    reasons: tuple[str, ...] = ()
    decision: dict[str, Any] | None = None
    decision_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """Part of a decision document that is read here: the outcome by registered model."""

    models: dict[str, _Part]


def models_of(document: Mapping[str, Any] | None, *, name: str) -> dict[str, ModelFacts]:
    """Return the judgements in a decision document by registered model; empty without a document.

    Args:
        document: Content of ``decision.json``, or ``decision`` of a run's record.
        name: Name of the document in messages.

    Raises:
        BadDataError: If it is no decision.
    """
    if document is None:
        return {}
    parts = checked(dict(document), _Document, name=name).models
    return {model: _facts(model, part, name) for model, part in sorted(parts.items())}


def _facts(model: str, part: _Part, name: str) -> ModelFacts:
    record = checked(part.decision or {}, _Record, name=f"the decision on {model} in {name}")
    score = record.challenger
    known = score is not None and not score.degenerate
    return ModelFacts(
        model=model,
        outcome=part.outcome,
        method=record.method,
        metric=record.metric,
        score=None if score is None else score.value,
        low=score.low if score is not None and known else None,
        high=score.high if score is not None and known else None,
        confidence=score.confidence if score is not None and known else None,
        simulated=record.simulated,
        reasons=part.reasons,
        decision=part.decision or {},
        decision_sha256=part.decision_sha256,
    )
