"""Decisions of several gates in the record of one run."""

from __future__ import annotations

from typing import Any

from components.contract.keys import DECISION, is_decision
from components.runs.finish import merged_decisions


def decided(simulated: bool, **outcomes: str) -> dict[str, Any]:
    models = {f"stormsight-{name}": {"outcome": outcome, "reasons": []} for name, outcome in outcomes.items()}
    return {"simulated": simulated, "models": models}


def outcomes(document: dict[str, Any] | None) -> dict[str, str]:
    assert document is not None
    return {model: part["outcome"] for model, part in document["models"].items()}


def of_change(method: str) -> str:
    return f"reports/promote_change/{method}/decision.json"


def test_a_run_without_a_change_branch_has_the_decision_of_the_gate() -> None:
    document = decided(True, sar="promoted")
    assert merged_decisions({DECISION: document, "reports/evaluate/metrics.json": {}}) == document
    assert merged_decisions({"reports/evaluate/metrics.json": {}}) is None


def test_the_change_method_that_was_not_refused_counts() -> None:
    found = merged_decisions(
        {
            of_change("exchange_unet"): decided(True, change="promoted"),
            DECISION: decided(False, sar="refused"),
            of_change("sgsln"): decided(True, change="refused"),
        }
    )
    assert outcomes(found) == {"stormsight-sar": "refused", "stormsight-change": "promoted"}
    assert found is not None
    assert found["simulated"] is True


def test_outputs_of_other_names_hold_no_decision() -> None:
    assert is_decision(of_change("sgsln"))
    for path in ("reports/promote/metrics.json", "reports/promote_change/decision.json", "x/" + DECISION):
        assert not is_decision(path)
