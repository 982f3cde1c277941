"""Metrics of drift: comparisons by outcome, and the requests that name a present champion."""

from __future__ import annotations

from components.contract.drift import comparison_key
from components.contract.keys import CHAMPIONS
from components.exporter.sources import Sources
from components.lib.drift.records import keep_comparison, refusal
from components.lib.ledger.chain import Chain
from components.lib.operations.requests import RetrainingRequests
from tests.exporter.reading import Values, values_of
from tests.exporter.test_exporter_reading import down
from tests.lib.drift.comparisons import comparison
from tests.lib.history.ledgers import Trainings

MODEL = "stormsight-sar"


def outcomes(values: Values) -> list[float]:
    name = "stormsight_drift_comparisons_total"
    return [values[f'{name}{{outcome="{outcome}"}}'] for outcome in ("drifted", "same", "refused")]


def promote(trainings: Trainings, version: str, previous: str | None) -> None:
    body = {
        "action": "promote", "model": MODEL, "version": version, "previous_version": previous,
        "decision": version * 64, "reason": "it sees barns",
    }  # fmt: skip
    chain = Chain(trainings.objects, f"{CHAMPIONS}/{MODEL}", lambda: trainings.now)
    known = chain.entries()
    chain.append(known[-1] if known else None, body)


def test_comparisons_are_counted_by_outcome(trainings: Trainings, sources: Sources) -> None:
    assert outcomes(values_of(sources)) == [0, 0, 0]
    keep_comparison(trainings.objects, MODEL, "1", comparison("a1", drifted=True))
    keep_comparison(trainings.objects, MODEL, "1", comparison("a2", drifted=False))
    assert outcomes(values_of(sources)) == [1, 1, 0]
    reference = {"model": MODEL, "version": "1", "sha256": "0" * 64}
    refused = refusal("a3", "", "too few locations", simulated=False, reference=reference)
    assert keep_comparison(trainings.objects, MODEL, "1", refused)
    assert not keep_comparison(trainings.objects, MODEL, "1", comparison("a3", drifted=True)), "once"
    assert outcomes(values_of(sources)) == [1, 1, 1]
    trainings.objects.put(comparison_key(MODEL, "4", "a1"), b"torn")
    keep_comparison(trainings.objects, MODEL, "4", comparison("a2", drifted=True))
    values = values_of(sources)
    assert down(values) == {"drift"}
    assert comparison_key(MODEL, "4", "a2") in sources.compared, "it is not read again at each interval"
    assert not any(name.startswith("stormsight_drift") for name in values)


def test_requests_are_open_until_another_champion_serves_or_a_withdrawal(
    trainings: Trainings, sources: Sources
) -> None:
    name = f'stormsight_retraining_requests_open{{model="{MODEL}"}}'
    assert name not in values_of(sources), "there is no champion"
    promote(trainings, "3", None)
    assert values_of(sources)[name] == 0
    requests = RetrainingRequests(trainings.objects)
    for acquisition in ("a1", "a2", "a2"):
        requests.request(
            acquisition=acquisition, model=MODEL, version="3", reference_sha256="0" * 64, p_value=0.01,
            shifted=("sar_mean_HH",),
        )  # fmt: skip
    assert values_of(sources)[name] == 2
    trainings.register("a2")
    trainings.operations.withdraw("a2", "its gain is off")
    assert values_of(sources)[name] == 1
    promote(trainings, "4", "3")
    assert values_of(sources)[name] == 0
