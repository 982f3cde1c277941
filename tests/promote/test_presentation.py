from __future__ import annotations

from typing import Any

from components.promote.presentation import LONGEST, description, tags


def score(value: float, *, degenerate: bool = False) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "confidence": 0.95,
        "degenerate": degenerate,
    }


def decision(**changes: Any) -> dict[str, Any]:
    made = {
        "model": "stormsight-sar",
        "ground": "clean test tiles",
        "method": "concord",
        "outcome": "refused",
        "simulated": True,
        "metric": "iou",
        "reasons": ["the gain is too small"],
        "challenger": score(0.5),
        "by_sensor": {"a": {"challenger": score(0.6)}, "b": {"challenger": score(0.4, degenerate=True)}},
    }
    return {**made, **changes}


def test_the_description_says_method_scores_decision_and_report() -> None:
    text = description(decision(), "0" * 64, {"a": "HH, HV, VH, VV"}, "#/experiments/1/runs/r/artifacts")
    assert text.startswith("Simulated: ")  # MLflow's table shows the beginning as plain text
    assert "Method **concord**, refused: the gain is too small." in text
    assert "| all sensors | 0.500 (95% 0.400 to 0.600) |" in text
    assert "| b | 0.400 (interval unknown) |" in text
    assert "a: HH, HV, VH, VV" in text
    assert f"(#/experiments/1/runs/r/artifacts/decisions/{'0' * 64}.json)" in text
    assert "reports/evaluate/report/index.html" in text


def test_a_real_model_is_not_called_simulated_and_long_reasons_are_cut() -> None:
    text = description(decision(simulated=False, reasons=["x" * 9000]), "0" * 64, {}, None)
    assert "Simulated" not in text
    assert len(text) < LONGEST
    assert "Report:" in text


def test_the_table_of_versions_shows_method_score_and_bands() -> None:
    one = {"a": {"challenger": score(0.6)}}
    shown = tags(decision(by_sensor=one), {"a": "HH, HV"})
    assert shown == {"method": "concord", "bands": "a: HH, HV", "iou": "0.600 (95% 0.500 to 0.700)"}
    assert "iou" not in tags(decision(by_sensor={}, challenger=None), {})
