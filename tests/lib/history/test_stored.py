"""History of trainings from a real ledger with records that are whole, at work, pruned and damaged."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import run_record_key, stage_record_key
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import HistoryReader
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore
from tests.lib.history.ledgers import HOUR, Trainings

BEGIN = datetime(2026, 11, 1, 2, 10, tzinfo=UTC)
"""Time at which r2 claims: an hour after r1 had ended."""


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    """Ledger with a finished, a failed and a running training, the oldest first."""
    made = Trainings(FolderObjects(tmp_path / "objects"))
    made.succeed("r1")
    made.fail("r2", stage="distill@one", failure_class="out_of_memory")
    made.work("r3", stages=("prepare",))
    return made


def test_runs_with_stages_failures_and_judgement(trainings: Trainings) -> None:
    history = HistoryReader(trainings.objects).read()
    working, failed, ended = history.runs
    assert [(run.run, run.outcome) for run in history.runs] == [
        ("r3", "at work"),
        ("r2", "failed"),
        ("r1", "succeeded"),
    ]
    assert history.problems == ()
    assert ended.promoted
    assert ended.simulated is True
    assert list(ended.acquisitions) == ["a1"]
    assert [stage.stage for stage in ended.stages.values()] == ["prepare", "distill@one", "promote"]
    assert ended.stages["distill@one"].duration == 60
    assert ended.stages["distill@one"].name == "distill"
    model = ended.models["stormsight-sar"]
    assert (model.outcome, model.method, model.score, model.low, model.high) == (
        "promoted", "concord", 0.61, 0.58, 0.64,
    )  # fmt: skip
    assert (failed.failed_stage, failed.failure_class) == ("distill@one", "out_of_memory")
    assert [failure.stage for failure in failed.failures] == ["distill@one"]
    assert (failed.started, failed.ended) == (BEGIN, BEGIN + timedelta(minutes=10)), "as the ledger says"
    assert working.stages["prepare"].outputs == {"data/prepared": "1" * 32}
    assert working.stages["prepare"].inputs == {"data/raw": "0" * 32}, "code is no input"
    assert (working.ended, ended.kept) == (None, True)


def test_a_second_reading_reads_only_what_changed(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = HistoryReader(trainings.objects)
    first = reader.read()
    trainings.record_stage("r3", "distill@one")
    read: list[str] = []
    get = FolderObjects.get

    def recording(self: FolderObjects, key: str) -> bytes:
        read.append(key)
        return get(self, key)

    monkeypatch.setattr(FolderObjects, "get", recording)
    second = reader.read(first)
    works = {key.split("/")[1] for key in read if key.startswith("work/")}
    assert works == {trainings.keys["r3"]}
    assert set(second.runs[0].stages) == {"prepare", "distill@one"}
    assert second.runs[1:] == first.runs[1:]


def test_a_pruned_training_is_known_by_its_claim(trainings: Trainings) -> None:
    reader = HistoryReader(trainings.objects)
    first = reader.read()
    trainings.prune("r1")
    second = reader.read(first)
    pruned = second.runs[2]
    assert (pruned.run, pruned.outcome, pruned.kept, pruned.promoted) == ("r1", "succeeded", False, True)
    assert not pruned.stages
    assert second.problems == ()
    assert reader.read(second) == second
    assert reader.detailed(pruned) == pruned


def test_both_kinds_of_stores_are_read_alike(store: ObjectStore) -> None:
    made = Trainings(store)
    reader = HistoryReader(store)
    made.succeed("r1")
    made.fail("r2")
    first = reader.read()
    assert [(run.run, run.kept, len(run.failures)) for run in first.runs] == [
        ("r2", True, 1),
        ("r1", True, 0),
    ]
    made.prune("r2")
    second = reader.read(first)
    assert [run.kept for run in second.runs] == [False, True]
    assert second.runs[1] is first.runs[1], "a finished training is not read again"


def test_damaged_records_are_named_and_hide_nothing(trainings: Trainings) -> None:
    key = trainings.keys["r1"]
    trainings.objects.put(run_record_key(key), b"torn")
    history = HistoryReader(trainings.objects).read()
    assert [run.kept for run in history.runs] == [True, True, False]
    (problem,) = history.problems
    assert problem.source == f"work/{key}"
    assert "damaged" in problem.message
    assert problem.next_step
    trainings.succeed_again("r1")
    assert HistoryReader(trainings.objects).read(history).runs[2].kept, "it is read again once restored"


def test_a_record_that_cannot_be_read_now_is_read_later(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = HistoryReader(trainings.objects)
    get = FolderObjects.get

    def refuse(self: FolderObjects, key: str) -> bytes:
        if key.endswith("record.json"):
            raise SourceUnavailableError("it does not answer", next_step="wait")
        return get(self, key)

    with monkeypatch.context() as broken:
        broken.setattr(FolderObjects, "get", refuse)
        first = reader.read()
    assert [problem.message for problem in first.problems] == ["it does not answer"]
    assert reader.read(first).problems == ()


def test_a_broken_ledger_is_an_error(trainings: Trainings) -> None:
    trainings.objects.put("ledger/operations/000000002.json", b"torn")
    with pytest.raises(BadDataError, match="entry 2"):
        HistoryReader(trainings.objects).read()


def test_details_have_inputs_and_outputs(trainings: Trainings) -> None:
    reader = HistoryReader(trainings.objects)
    plain = reader.read().runs[2]
    assert plain.stages["prepare"].outputs == {}
    assert reader.detailed(plain).stages["prepare"].outputs == {"data/prepared": "1" * 32}


def test_runs_that_lost_their_claim_are_told_too(trainings: Trainings) -> None:
    trainings.claim("r4", "r2")
    trainings.record_failure("r4", "distill@one", "crashed")
    trainings.now += 3 * HOUR
    trainings.work("r5", training="r2", stages=("prepare", "distill@one", "promote"))
    trainings.end("r5")
    told = {run.run: run for run in HistoryReader(trainings.objects).read().runs}
    assert (told["r2"].outcome, told["r2"].failure_class, told["r2"].message) == (
        "failed", "out_of_memory", "it is torn",
    )  # fmt: skip
    assert (told["r4"].failure_class, told["r4"].failed_stage) == ("infrastructure", ""), "it fell silent"
    assert [len(told[run].failures) for run in ("r2", "r4", "r5")] == [1, 1, 0]
    assert told["r5"].outcome == "succeeded"
    assert told["r5"].ended == trainings.now


def test_sets_are_those_of_the_ledger(tmp_path: Path) -> None:
    made = Trainings(FolderObjects(tmp_path))
    reader = HistoryReader(made.objects)
    made.succeed("r1")
    first = reader.read()
    made.register("a0")
    made.succeed("r2")
    made.operations.withdraw("a1", "it is torn")
    made.succeed("r3")
    state = made.operations.state()
    runs = reader.read(first).runs
    assert [list(run.acquisitions) for run in runs] == [["a0"], ["a0", "a1"], ["a1"]]
    for run in runs:
        assert list(run.acquisitions) == list(state.acquisitions_of(state.claims[run.key]))
        assert len(run.acquisitions) == len(list(run.acquisitions))


def test_bytes_of_outputs_are_kept(trainings: Trainings) -> None:
    ended = HistoryReader(trainings.objects).read().runs[2]
    assert [stage.output_bytes for stage in ended.stages.values()] == [1000, 1000, 1000]


def test_resources_are_those_of_the_graph(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(graph(gpu=2)))
    (tmp_path / "params.yaml").write_text("profile: small\nprofiles: {small: {}}\n")
    ended = HistoryReader(trainings.objects, GraphRequirements(tmp_path)).read().runs[2]
    assert ended.stages["distill@one"].gpus == 2
    assert ended.stages["promote"].gpus is None, "the graph has no such stage"
    assert ended.gpu_seconds == 120
    assert ended.cpu_seconds == 30
    unknown = HistoryReader(trainings.objects, GraphRequirements(tmp_path / "none")).read().runs[2]
    assert unknown.gpu_seconds == 0


def test_a_stage_record_without_a_time_is_a_problem(trainings: Trainings) -> None:
    record = trainings.stage_record("r3", "prepare")
    place = stage_record_key(trainings.keys["r3"], "prepare")
    trainings.put_sealed(place, {**asdict(record), "started": "yesterday"})
    history = HistoryReader(trainings.objects).read()
    assert "prepare has no time: 'yesterday'" in history.problems[0].message


def test_claims_are_read_newest_first(tmp_path: Path) -> None:
    made = Trainings(FolderObjects(tmp_path), start=datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(3):
        made.succeed(f"r{number}")
    history = HistoryReader(made.objects).read()
    assert [run.run for run in history.runs] == ["r2", "r1", "r0"]
    assert history.runs[-1].started == datetime(2026, 1, 1, 1, tzinfo=UTC)


def graph(*, gpu: int) -> dict[str, Any]:
    """Return a ``dvc.yaml`` with one part of one stage."""
    meta = {"image": "train", "cpu": 0.5, "memory": "1Gi", "gpu": gpu, "retry": "train"}
    definition = {"cmd": "python step.py", "outs": ["model/${item}"], "meta": meta}
    return {"stages": {"distill": {"foreach": ["one"], "do": definition}}}
