"""Facts of a checkout: what DVC, the stages and MLflow kept, and None where nothing did."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from components.contract.errors import StormsightError
from components.lib.history import checkout
from components.lib.history.checkout import read_checkout
from tests.dashboard.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.repro()
    return made


def test_a_checkout_is_a_run_without_times(world: World) -> None:
    run = read_checkout(world.checkout)
    assert run is not None
    assert (run.run, run.key, run.outcome, run.promoted, run.simulated) == (
        "checkout",
        "",
        "succeeded",
        True,
        True,
    )
    assert (run.code, run.params, run.acquisitions) == ("c" * 64, "d" * 64, ("a1",))
    assert (run.started, run.ended, run.profile) == (None, None, None)
    stage = run.stages["distill@concord"]
    assert (stage.duration, stage.seconds, stage.gpus, stage.cpus) == (None, {"run": 12.5}, None, None)
    assert set(stage.inputs) == {"data/prepared"}, "code is left out"
    assert set(stage.outputs) == {"models/sar/concord", "reports/distill/concord/details.json"}
    model = run.models["stormsight-sar"]
    assert (model.score, model.low, model.high, model.confidence) == (0.16, 0.13, 0.19, 0.9)
    assert run.metrics["reports/distill/concord/details.json"]["seconds"] == 12.5


def test_nothing_was_run(tmp_path: Path) -> None:
    assert read_checkout(tmp_path) is None


def test_the_profile_is_told_only_of_the_parameters_that_were_read(world: World) -> None:
    lock = world.checkout / "dvc.lock"
    document = yaml.safe_load(lock.read_text())
    md5 = hashlib.md5((world.checkout / "params.yaml").read_bytes()).hexdigest()
    document["stages"]["prepare@p00"]["deps"].append({"path": "params.yaml", "md5": md5})
    lock.write_text(yaml.safe_dump(document))
    found = read_checkout(world.checkout)
    assert found is not None
    assert found.profile == "small"
    (world.checkout / "params.yaml").write_text("profile: other\nprofiles: {other: {}}\n")
    found = read_checkout(world.checkout)
    assert found is not None
    assert found.profile is None


@pytest.mark.parametrize(
    "text", ["stages: 3", "stages: {a: []}", "stages: {a: {cmd: c, outs: [{path: 3}]}}", "]", "{}", "\0"]
)
def test_a_damaged_lock_is_told(world: World, text: str) -> None:
    (world.checkout / "dvc.lock").write_text(text)
    with pytest.raises(StormsightError):
        read_checkout(world.checkout)


def test_a_file_that_leaves_the_checkout_is_not_read(world: World) -> None:
    (world.root / "details.json").write_text('{"seconds": 1}')
    lock = {"stages": {"a": {"cmd": "c", "outs": [{"path": "../details.json", "md5": "0"}]}}}
    (world.checkout / "dvc.lock").write_text(yaml.safe_dump(lock))
    run = read_checkout(world.checkout)
    assert run is not None
    assert run.metrics == {}
    assert run.outcome == "not finished", "the gate has judged nothing, and nothing tells of work"


def test_damaged_metrics_are_left_out(world: World) -> None:
    (world.checkout / "reports/distill/concord/details.json").write_text("{")
    run = read_checkout(world.checkout)
    assert run is not None
    assert run.stages["distill@concord"].seconds == {}


def test_a_damaged_decision_is_told_and_not_called_work(world: World) -> None:
    (world.checkout / "reports/promote/decision.json").write_text('{"models": 3')
    with pytest.raises(StormsightError, match=r"decision\.json is not JSON"):
        read_checkout(world.checkout)


def test_times_are_those_of_runs_with_the_same_code_and_parameters(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def tracked(stage: str, start: int, end: int | None, status: str = "FINISHED") -> Any:
        info = SimpleNamespace(start_time=start, end_time=end, status=status)
        return SimpleNamespace(data=SimpleNamespace(tags={"stage": stage}), info=info)

    class Client:
        def search_runs(self, _: list[str], wanted: str, order_by: list[str]) -> list[Any]:
            asked.append(wanted)
            return [
                tracked("distill/concord", 1_000_000, 1_060_000),
                tracked("distill/concord", 1_200_000, None, "RUNNING"),
                tracked("distill/none", 2_000_000, 2_001_000),
            ]

    monkeypatch.setattr(checkout, "is_unmade", lambda _: False)
    monkeypatch.setattr(checkout, "connect", lambda _: SimpleNamespace(client=Client(), experiment_id="1"))
    run = read_checkout(world.checkout)
    assert run is not None
    assert run.stages["distill@concord"].duration == 60
    assert run.stages["promote"].duration is None
    assert run.started is not None
    assert "c" * 64 in asked[0]
    assert "d" * 64 in asked[0]
