"""Values of each subject from real ledgers and records, and sources that fail alone."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from components.contract.errors import SourceUnavailableError
from components.contract.failures import FailureKind
from components.contract.hashing import seal, sha256_json
from components.contract.keys import (
    CHAMPIONS,
    OPERATIONS,
    entry_key,
    map_item_key,
    model_item_key,
    run_record_key,
)
from components.exporter.reading import COLLECTORS, read_all, require_some
from components.exporter.sources import Sources
from components.housekeeping.parameters import Places as HousekeepingPlaces
from components.housekeeping.parameters import Policy
from components.housekeeping.prune import prune
from components.lib.catalogue.documents import encode, sealed
from components.lib.history.cost import CostParameters
from components.lib.history.requirements import GraphRequirements
from components.lib.ledger.chain import Chain
from components.lib.monitoring.trainings import UNKNOWN
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import Objects
from components.lib.operations.parameters import identity_of
from components.lib.registry.ledger import ChampionLedgers
from tests.exporter.reading import Values, sources_of, values_of
from tests.guarded_objects import GuardedObjects
from tests.lib.history.ledgers import HOUR, Trainings, decision_document


def test_runs_and_stages(trainings: Trainings, sources: Sources) -> None:
    trainings.succeed("r1", metrics={"reports/distill/one/metrics.json": {"crops_per_second": 7.5}})
    trainings.fail("r2", stage="distill@one", failure_class="out_of_memory")
    trainings.claim("r3", "r2")
    trainings.now += 3 * HOUR
    trainings.succeed("r4", outcome="refused")
    trainings.work("r5", training="r2", stages=("prepare",))
    values = values_of(sources)
    assert values['stormsight_runs_total{outcome="succeeded"}'] == 2
    assert values['stormsight_runs_total{outcome="failed"}'] == 2
    failures = "stormsight_run_failures_total"
    assert values[f'{failures}{{failure_class="out_of_memory",stage="distill"}}'] == 1
    assert values[f'{failures}{{failure_class="infrastructure",stage="unknown"}}'] == 1, "it fell silent"
    attempts = 'stormsight_stage_failures_total{failure_class="out_of_memory",stage="distill"}'
    assert values[attempts] == 1
    assert values['stormsight_stages_total{restored="true",stage="prepare"}'] == 3
    assert values['stormsight_stage_duration_seconds_sum{stage="distill"}'] == 120
    assert values['stormsight_stage_step_seconds_total{stage="promote",step="pull"}'] == 10
    assert values['stormsight_stage_wait_seconds_sum{stage="prepare"}'] == 180, "a minute after each claim"
    assert values['stormsight_stage_wait_seconds_sum{stage="distill"}'] == 120, "a minute after prepare"
    assert values['stormsight_cpu_seconds_total{stage="distill"}'] == 120, "one core by the graph"
    prices = CostParameters()
    assert values['stormsight_cost_total{currency="EUR",stage="distill"}'] == prices.held(0, 120)
    assert values['stormsight_energy_joules_total{stage="distill"}'] == prices.joules(0, 120)
    assert values['stormsight_bytes_moved_total{stage="prepare"}'] == 3000
    assert values['stormsight_training_tiles_per_second{stage="distill"}'] == 7.5
    assert values['stormsight_gate_decisions_total{model="stormsight-sar",outcome="promoted"}'] == 1
    assert values["stormsight_landing_to_decision_seconds_count"] == 2
    assert (values["stormsight_claims_open"], values["stormsight_claims_taken_over"]) == (1, 1)


def test_the_newest_training_alone_says_that_it_is_failing(trainings: Trainings, sources: Sources) -> None:
    def failing() -> list[str]:
        return [name for name in values_of(sources) if name.startswith("stormsight_run_failing")]

    assert failing() == []
    trainings.fail("r1", stage="distill@one", failure_class="out_of_memory")
    assert failing() == ['stormsight_run_failing{failure_class="out_of_memory",stage="distill"}']
    trainings.now += HOUR
    trainings.fail("r2", stage="prepare", failure_class="bad_data")
    assert failing() == ['stormsight_run_failing{failure_class="bad_data",stage="prepare"}']
    trainings.now += HOUR
    trainings.succeed("r3")
    assert failing() == []


def test_a_counter_never_falls_when_trainings_are_pruned(
    trainings: Trainings, sources: Sources, source: Path, tmp_path: Path
) -> None:
    trainings.succeed("r1")
    trainings.fail("r2", stage="distill@one", failure_class="crashed")
    trainings.succeed("r3", outcome="refused")
    before = counters(values_of(sources))
    trainings.now += timedelta(days=9)
    places = HousekeepingPlaces(trainings.objects, FolderObjects(tmp_path / "remote"), source)
    policy = Policy(keep_runs=1, keep_gb=None, keep_cache_days=1, keep_deliveries_days=2, abandoned_h=12)
    for _ in range(2):
        prune(places, policy, clock=lambda: trainings.now)
    assert not trainings.objects.exists(run_record_key(trainings.keys["r1"]))
    assert counters(values_of(sources)) == before, "the same process"
    fresh = sources_of(trainings.objects, tmp_path, source, lambda: trainings.now)
    assert counters(values_of(fresh)) == before, "a new one"
    trainings.succeed("r4")
    grown = counters(values_of(fresh))
    assert grown['stormsight_runs_total{outcome="succeeded"}'] == 3
    assert all(grown[name] >= value for name, value in before.items())


def counters(values: Values) -> Values:
    """Return the values of counters and histograms."""
    ends = ("_total", "_count", "_sum", "_bucket")
    return {name: value for name, value in values.items() if name.partition("{")[0].endswith(ends)}


def test_claims_and_the_standing_of_what_is_next(
    trainings: Trainings, sources: Sources, source: Path
) -> None:
    identity = identity_of(source, None)
    assert position(values_of(sources)) == "new"
    trainings.work("r1", stages=())
    trainings.now += 80 * HOUR
    values = values_of(sources)
    assert (values["stormsight_claims_open"], values["stormsight_claims_silent"]) == (1, 1)
    alive = values["stormsight_claim_alive_timestamp_seconds"]
    assert alive == (trainings.start + HOUR).timestamp()
    assert values["stormsight_sets_barred"] == 0
    trainings.fail_as(identity, "r2", "bad_data")
    values = values_of(sources)
    assert values["stormsight_claims_taken_over"] == 0
    assert position(values) == "barred"
    assert values["stormsight_sets_barred"] == 1
    trainings.register("a2")
    trainings.fail_as(identity, "r3", "crashed")
    values = values_of(sources)
    assert position(values) == "redrive"
    assert values["stormsight_sets_barred"] == 1


def position(values: Values) -> str:
    """Return the label of the only position that is 1."""
    (found,) = (name for name, value in values.items() if "set_position" in name and value == 1)
    return found.partition('"')[2].partition('"')[0]


def test_data_and_landing_place(trainings: Trainings, sources: Sources, tmp_path: Path) -> None:
    landing = FolderObjects(tmp_path / "landing")
    for name in ("a1", "new-1", "bad-1"):
        landing.put(f"{name}/x.tif", b"x")
    record = {"id": "bad-1", "object_key": "k", "message": "m", "next_step": "n"}
    trainings.objects.put("rejected/bad-1-0.json", seal(record))
    trainings.objects.put("rejected/gone-1-0.json", seal({**record, "id": "gone-1"}))
    trainings.objects.put("rejected/torn.json", b"torn")
    verdict = {"tiles": 8, "quarantined": 3, "rules": {"all_zero": 2, "sar_readable": 1}}
    trainings.succeed("r1", metrics={"reports/validate/metrics.json": verdict})
    trainings.register("a2")
    trainings.operations.withdraw("a2", "it is torn")
    FolderObjects(tmp_path / "backups").put("mlflow-1.dump", b"")
    values = values_of(sources)
    assert values["stormsight_landing_waiting"] == 1
    assert values["stormsight_deliveries_rejected"] == 1, "what the producer took away is no matter any more"
    assert values["stormsight_landing_oldest_timestamp_seconds"] > 0
    assert values["stormsight_tiles_validated"] == 8
    assert values['stormsight_tiles_quarantined{rule="all_zero"}'] == 2
    assert values['stormsight_acquisitions_registered{state="withdrawn"}'] == 1
    assert values["stormsight_acquisition_last_timestamp_seconds"] == trainings.now.timestamp()
    assert values["stormsight_backup_last_timestamp_seconds"] > 0


def test_models_and_their_gate(trainings: Trainings, sources: Sources) -> None:
    trainings.succeed("r1")
    decision = decision_document("promoted", trainings.now - timedelta(minutes=10))
    body = {
        "action": "promote", "model": "stormsight-sar", "version": "3", "previous_version": None,
        "decision": decision["models"]["stormsight-sar"]["decision_sha256"], "reason": "it sees barns",
    }  # fmt: skip
    chain = Chain(trainings.objects, f"{CHAMPIONS}/stormsight-sar", lambda: trainings.now)
    chain.append(None, body)
    trainings.succeed("r2", outcome="awaits approval")
    ledgers = ChampionLedgers(trainings.objects, CHAMPIONS)
    request = {"version": "4", "decided_against": "3", "decision": sha256_json("d"), "reason": "it sees more"}
    ledgers.approvals("stormsight-sar").request(**request)
    values = values_of(sources)
    info = 'method="concord",model="stormsight-sar",simulated="true",version="3"'
    assert values[f"stormsight_champion_info{{{info}}}"] == 1
    label = 'metric="iou",model="stormsight-sar"'
    assert values[f'stormsight_champion_score{{bound="low",{label}}}'] == 0.58
    assert values[f'stormsight_candidate_score{{bound="value",{label}}}'] == 0.61
    assert values['stormsight_approvals_waiting{model="stormsight-sar"}'] == 1
    assert values['stormsight_approval_requested_timestamp_seconds{model="stormsight-sar"}'] > 0
    assert values["stormsight_decision_last_timestamp_seconds"] == trainings.now.timestamp()
    assert values['stormsight_ledger_entries{ledger="champions/stormsight-sar"}'] == 1
    assert values['stormsight_ledger_verified{ledger="approvals/stormsight-sar"}'] == 1


def test_a_champion_of_a_users_own_run_has_the_score_of_its_item(
    trainings: Trainings, sources: Sources
) -> None:
    sha256 = sha256_json("decision")
    body = {
        "action": "promote", "model": "stormsight-optical", "version": "1", "previous_version": None,
        "decision": sha256, "reason": "there was none",
    }  # fmt: skip
    chain = Chain(trainings.objects, f"{CHAMPIONS}/stormsight-optical", lambda: trainings.now)
    chain.append(None, body)
    unknown = 'method="unknown",model="stormsight-optical",simulated="unknown",version="1"'
    assert values_of(sources)[f"stormsight_champion_info{{{unknown}}}"] == 1, "it has no item yet"
    score = {"value": 0.628, "low": 0.594, "high": None, "confidence": 0.95, "ground_blocks": 39}
    properties = {
        "stormsight:simulated": True, "stormsight:method": "optical@deeplabv3plus",
        "stormsight:metrics": {"metric": "iou", "all_sensors": score},
        "stormsight:ledger": {"decision_sha256": "0" * 64},
    }  # fmt: skip
    item = {"type": "Feature", "stac_version": "1.1.0", "assets": {}, "properties": properties}
    trainings.objects.put(model_item_key("stormsight-optical", "1"), encode(sealed(item)))
    assert f"stormsight_champion_info{{{unknown}}}" in values_of(sources), "it is of another decision"
    properties["stormsight:ledger"] = {"decision_sha256": sha256}
    trainings.objects.put(model_item_key("stormsight-optical", "1"), encode(sealed(item)))
    values = values_of(sources)
    info = 'method="optical@deeplabv3plus",model="stormsight-optical",simulated="true",version="1"'
    assert values[f"stormsight_champion_info{{{info}}}"] == 1
    label = 'metric="iou",model="stormsight-optical"'
    assert values[f'stormsight_champion_score{{bound="value",{label}}}'] == 0.628
    assert f'stormsight_champion_score{{bound="high",{label}}}' not in values


def test_maps_and_what_changed(trainings: Trainings, sources: Sources) -> None:
    created = trainings.start + 5 * HOUR
    put_item(
        trainings,
        "m1",
        {"created": created.isoformat(), "stormsight:acquisition": "a1", "stormsight:mapped_km2": 1.5},
    )
    put_item(
        trainings,
        "m2",
        {"created": created.isoformat(), "stormsight:acquisition": "other", "stormsight:mapped_km2": 2.0},
    )
    changes = {"added": 2, "removed": 1, "enlarged": 0, "unobserved": 4}
    put_item(trainings, "m1/changes", {"stormsight:changes": changes})
    trainings.objects.put("maps/items/m3/abc/page.html", b"unfinished")
    values = values_of(sources)
    assert values["stormsight_maps_total"] == 2
    assert values["stormsight_map_area_square_kilometres_total"] == 3.5
    assert values['stormsight_changed_buildings_total{kind="added"}'] == 2
    assert values["stormsight_map_last_timestamp_seconds"] == created.timestamp()
    assert values["stormsight_landing_to_map_seconds_count"] == 1
    assert values["stormsight_landing_to_map_seconds_sum"] == 5 * 3600


def put_item(trainings: Trainings, map_id: str, properties: dict[str, object]) -> None:
    """Publish the item of a map."""
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": map_id, "assets": {}, "links": [],
        "geometry": None, "bbox": [0, 0, 1, 1], "properties": properties,
    }  # fmt: skip
    trainings.objects.put(map_item_key(map_id), encode(sealed(item)))


def test_each_source_fails_alone(
    trainings: Trainings, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings.succeed("r1")
    assert down(values_of(sources)) == set()
    trainings.objects.put("maps/items/m1/item.json", b"torn")
    trainings.objects.put(f"{CHAMPIONS}/stormsight-sar/000000001.json", b"torn")
    trainings.objects.put("pruned.json", b"torn")
    values = values_of(sources)
    assert down(values) == {"maps", "champions", "records"}
    assert values['stormsight_ledger_verified{ledger="champions/stormsight-sar"}'] == 0
    assert not any('ledger="requests"' in name for name in values), "no acquisition has drifted"
    trainings.objects.put("ledger/requests/000000001.json", b"{torn")
    assert values_of(sources)['stormsight_ledger_verified{ledger="requests"}'] == 0
    assert values['stormsight_ledger_verified{ledger="operations"}'] == 1
    assert values['stormsight_runs_total{outcome="succeeded"}'] == 1
    assert "stormsight_maps_total" not in values

    def defect(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(Sources, "read_entries", defect)
    assert "ledgers" in down(values_of(sources)), "a defect blinds one source only"


def test_a_broken_operations_ledger_is_told(trainings: Trainings, sources: Sources) -> None:
    trainings.succeed("r1")
    trainings.objects.put(entry_key(OPERATIONS, 2), b"torn")
    values = values_of(sources)
    assert values['stormsight_ledger_verified{ledger="operations"}'] == 0
    assert {"operations", "records", "pipeline"} <= down(values)
    assert values['stormsight_source_up{source="approvals"}'] == 1


def test_an_unreadable_record_is_counted_and_hides_nothing(trainings: Trainings, sources: Sources) -> None:
    trainings.succeed("r1")
    trainings.succeed("r2")
    trainings.objects.put(run_record_key(trainings.keys["r1"]), b"torn")
    values = values_of(sources)
    assert values["stormsight_records_unreadable"] == 1
    assert values['stormsight_stages_total{restored="true",stage="prepare"}'] == 1


def down(values: Values) -> set[str]:
    """Return the sources that could not be read."""
    return {source for source, _ in COLLECTORS if values[f'stormsight_source_up{{source="{source}"}}'] == 0}


def test_nothing_readable_is_a_failure(
    trainings: Trainings, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SourceUnavailableError("it does not answer", next_step="wait")

    for method in ("get", "list", "folders"):
        monkeypatch.setattr(FolderObjects, method, refuse)
    with pytest.raises(SourceUnavailableError, match="nothing could be read: operations: it does not answer"):
        require_some(read_all(sources))


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_store_that_does_not_answer_is_asked_once(
    trainings: Trainings, sources: Sources, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    trainings.succeed("r1")
    root, answer, asked = trainings.objects.uri, FolderObjects.list, list[str]()
    clock = count(step=seconds)
    monkeypatch.setattr("components.exporter.reading.time.monotonic", lambda: next(clock))

    def refuse(store: FolderObjects, prefix: str = "") -> Objects:
        if store.uri != root:
            return answer(store, prefix)
        asked.append(prefix)
        raise SourceUnavailableError("it does not answer", next_step="wait")

    monkeypatch.setattr(FolderObjects, "list", refuse)
    monkeypatch.setattr(FolderObjects, "get", refuse)
    found = down(values_of(sources))
    assert {"operations", "records", "maps", "drift"} <= found
    assert "backups" not in found
    assert (len(asked) == 1) == (seconds > 0), "one that says no at once is asked for the rest"


def test_the_account_of_the_exporter_is_enough(trainings: Trainings, source: Path, tmp_path: Path) -> None:
    trainings.succeed("r1")
    trainings.fail("r2")
    trainings.work("r3", stages=("prepare",))
    trainings.operations.renew("r3", lease=timedelta(seconds=0))
    put_item(trainings, "m1", {"stormsight:mapped_km2": 1.5})
    trainings.objects.put("rejected/bad-1-0.json", seal({"id": "bad-1"}))
    guarded = GuardedObjects(trainings.objects, "exporter")
    found = sources_of(guarded, tmp_path, source, lambda: trainings.now)
    assert down(values_of(found)) == set()
    assert guarded.refused == set()
    assert {verb for verb, _ in guarded.used} == {"list", "read"}


def test_the_newest_training_fails_or_does_not(trainings: Trainings, sources: Sources) -> None:
    failing = 'stormsight_run_failing{failure_class="bad_data",stage="prepare"}'
    assert failing not in values_of(sources)
    trainings.fail("r1")
    assert values_of(sources)[failing] == 1
    trainings.work("r2", stages=())
    assert values_of(sources)[failing] == 1, "what is at work has not ended"
    trainings.succeed("r3")
    assert not any("run_failing" in name for name in values_of(sources))


def test_labels_are_bounded(trainings: Trainings, sources: Sources) -> None:
    for number in range(5):
        trainings.fail(f"r{number}", stage=f"download@p0{number}", failure_class=f"new_class_{number}")
    name = "stormsight_run_failures_total"
    series = {one: value for one, value in values_of(sources).items() if one.startswith(name)}
    classes, stages = {*FailureKind, UNKNOWN}, {"prepare", "distill", "evaluate", "promote", UNKNOWN}
    assert len(series) == len(classes) * len(stages) + 1
    failed = {one: value for one, value in series.items() if value}
    assert failed == {f'{name}{{failure_class="unknown",stage="download"}}': 5}
    assert GraphRequirements(None).upstream("download@p00", None) is None
