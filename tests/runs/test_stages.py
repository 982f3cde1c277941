"""Runs stage by stage, each in an empty workspace, on folders and on S3."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from components.contract.hashing import seal, sha256_bytes
from components.contract.keys import REMOVALS, run_record_key
from components.lib.objects.content import content_key, folder_files
from components.lib.objects.opening import open_objects
from components.lib.objects.sealed import unseal
from components.lib.operations.events import Failed, Registered
from components.lib.operations.operations import Operations
from components.lib.operations.removals import announced, read_intents
from components.runs.finish import finish
from components.runs.gate import gate
from components.runs.plan import plan
from components.runs.stage import run_stage
from tests.runs.pipeline import STAGES, World, command, through
from tests.runs.test_interruption import until

NEXT_STEPS = {
    "bad_data": "land it again",
    "killed": "raise meta.memory of the stage in dvc.yaml, or lower its batch or workers",
}


def key_of(world: World, run: str) -> str:
    return world.records(run).key


@pytest.mark.parametrize("kind", ["trained", "s3_world"])
def test_the_whole_pipeline_equals_a_plain_repro(
    kind: str, request: pytest.FixtureRequest, plain: str
) -> None:
    world: World = request.getfixturevalue(kind)
    before = sorted(path for path in world.source.rglob("*"))
    if kind == "s3_world":
        through(world, "r1")
    assert finish(world.environment(), "r1") == 0
    key = key_of(world, "r1")
    assert world.objects.get(f"work/{key}/dvc.lock").decode() == plain
    assert gate(world.environment(), "r1") == 0
    assert world.executed == ["prepare", "distill one", "distill two", "evaluate", "promote"]

    record = unseal(world.objects.get(run_record_key(key)))
    assert record["simulated"] is True
    assert record["images"]["evaluate"] == "registry/train@sha256:0"
    assert record["metrics"]["reports/prepare/metrics.json"] == {"tiles": 3}
    assert set(record["data"]) >= {"data/prepared", "models/sar/one", "reports/distill/two/curve.csv"}
    assert record["params"]["evaluate"] == {"params.yaml": {"evaluate": {"threshold": 0.5}}}

    assert sorted(path for path in world.source.rglob("*")) == before, "the code's folder may be read-only"
    assert list(world.workspaces.iterdir()) == []
    assert list((world.root / "home").iterdir()) == []


def test_a_repeated_stage_and_a_repeated_end_change_nothing(trained: World) -> None:
    world = trained
    finish(world.environment(), "r1")
    seen = {info.key: world.objects.get(info.key) for info in world.objects.list()}
    for stage in STAGES:
        assert run_stage(world.environment(), stage, "r1") == 0
    assert finish(world.environment(), "r1") == 0
    assert len(world.executed) == len(STAGES)
    assert {info.key: world.objects.get(info.key) for info in world.objects.list()} == seen
    assert plan(world.environment(), "r2", force=True) == 99, "the set is trained"


def test_a_stage_that_is_finished_already_removes_what_a_killed_attempt_left(trained: World) -> None:
    left = trained.workspaces / "stormsight-workspace-prepare-killed"
    (left / "data").mkdir(parents=True)
    assert run_stage(trained.environment(), "prepare", "r1") == 0
    assert not left.exists()


def test_equal_stages_of_another_key_are_restored_but_the_gate_always_runs(trained: World) -> None:
    world = trained
    finish(world.environment(), "r1")
    world.edit_params(evaluate={"threshold": 0.6})
    through(world, "r2")
    assert key_of(world, "r2") != key_of(world, "r1")
    assert world.executed[len(STAGES) :] == ["evaluate", "promote"]
    stages = world.records("r2").stages()
    assert {name for name, record in stages.items() if record.restored} == {
        "prepare",
        "distill@one",
        "distill@two",
    }
    lock = {run: world.records(run).stages()["prepare"].lock for run in ("r1", "r2")}
    assert lock["r1"] == lock["r2"]
    # Of all the run cache only the entries of equal inputs were looked at, none of the gate is there.
    assert len(list(Path(world.remote, "runs").rglob("*"))) == 3 * 5, "two folders and a file for each entry"


def test_stages_declare_all_that_their_records_name(trained: World) -> None:
    remote, key = open_objects(trained.remote), key_of(trained, "r1")
    declared = {name for names in read_intents(trained.objects, key).values() for name in names}
    named = {out["md5"] for record in trained.records("r1").stages().values() for out in record.lock["outs"]}
    files = {md5 for name in named if name.endswith(".dir") for md5 in folder_files(remote, name).values()}
    assert files
    assert declared == named | files


def test_a_stage_whose_restored_data_go_just_then_pushes_them_anew(trained: World) -> None:
    """The run cache leads to data that no kept training names, and housekeeping is removing them."""
    world, remote = trained, open_objects(trained.remote)
    (prepared,) = [
        out["md5"]
        for out in world.records("r1").stages()["prepare"].lock["outs"]
        if out["path"] == "data/prepared"
    ]
    names = [prepared, *folder_files(remote, prepared).values()]
    world.edit_params(evaluate={"threshold": 0.6})
    plan(world.environment(), "r2", force=True)
    key = key_of(world, "r2")

    def remove() -> None:
        until(lambda: bool(read_intents(world.objects, key)))
        for name in names:
            remote.delete(content_key(name))

    with ThreadPoolExecutor(1) as pool, announced(world.objects, names):
        going = pool.submit(remove)
        going.add_done_callback(lambda _: take_back(world))
        assert run_stage(world.environment(), "prepare", "r2") == 0
        going.result()
    assert world.records("r2").stages()["prepare"].restored
    assert all(remote.exists(content_key(name)) for name in names)


def take_back(world: World) -> None:
    for info in world.objects.list(REMOVALS):
        world.objects.delete(info.key)


def test_a_run_cache_without_its_data_is_no_short_cut(trained: World) -> None:
    world = trained
    shutil.rmtree(Path(world.remote, "files"))
    world.edit_params(evaluate={"threshold": 0.6})
    through(world, "r2", ("prepare",))
    assert world.executed[len(STAGES) :] == ["prepare"]


def test_a_stage_before_the_one_it_needs_says_which(world: World) -> None:
    plan(world.environment(), "r1", force=True)
    code, report = command(world, "stage", "evaluate", "--run", "r1")
    assert code == 66
    assert "prepare has left no record" in report["message"]
    assert report["next_step"] == "run stage prepare first"


def test_data_that_were_pruned_are_missed_by_name(trained: World) -> None:
    world = trained
    world.undo("distill@one")
    shutil.rmtree(Path(world.remote, "files"))
    code, report = command(world, "stage", "distill@one", "--run", "r1")
    assert code == 66
    assert "data/prepared" in report["message"]
    assert "gone from the remote" in report["message"]


def test_a_damaged_or_foreign_record_closes_the_way(trained: World) -> None:
    world = trained
    world.undo(*STAGES[1:])
    key = f"work/{key_of(world, 'r1')}/stages/prepare.json"
    good = world.objects.get(key)
    for content in (good.replace(b'"tiles":3', b'"tiles":4'), b"{}", b"", good[:-20]):
        world.objects.put(key, content)
        for stage in ("prepare", "distill@one"):
            assert command(world, "stage", stage, "--run", "r1")[0] == 65
        assert command(world, "finish", "--run", "r1")[0] == 65
    record = json.loads(good)
    del record["sha256"]
    world.objects.put(key, seal({**record, "stage": "evaluate"}))
    code, report = command(world, "stage", "distill@one", "--run", "r1")
    assert (code, report["class"]) == (65, "bad_data")
    assert "no record of this stage" in report["message"]
    for wrong in ({}, {**record, "lock": None}, {**record, "lock": {"outs": [None]}}, {**record, "run": [1]}):
        world.objects.put(key, seal(wrong))
        code, report = command(world, "finish", "--run", "r1")
        assert (code, report["class"]) == (65, "bad_data")
        assert "stages/prepare.json does not hold the fields" in report["message"]


def test_a_lost_or_damaged_plan_closes_the_way(world: World) -> None:
    assert command(world, "stage", "prepare", "--run", "r1")[0] == 66
    plan(world.environment(), "r1", force=True)
    content = world.objects.get("runs/r1/plan.json")
    world.objects.put("runs/r1/plan.json", content.replace(b'"profile":null', b'"profile":"other"'))
    for arguments in (("stage", "prepare"), ("finish",), ("gate",)):
        assert command(world, *arguments, "--run", "r1")[0] == 65


def test_a_remote_that_does_not_answer_is_unavailable(
    trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = trained
    world.undo("distill@one")
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": "admin",
        "AWS_MAX_ATTEMPTS": "1",
        "STORMSIGHT_REMOTE": "s3://bucket/dvc",
    }.items():
        monkeypatch.setenv(name, value)
    code, report = command(world, "stage", "distill@one", "--run", "r1")
    assert (code, report["class"]) == (69, "source_unavailable")
    assert "dvc pull" in report["message"]


def test_other_code_than_the_plans_is_refused(world: World) -> None:
    plan(world.environment(), "r1", force=True)
    (world.source / "components/steps/new.py").write_text("")
    code, report = command(world, "stage", "prepare", "--run", "r1")
    assert (code, report["class"]) == (78, "misconfigured")
    assert "holds other code" in report["message"]


def test_the_end_with_other_code_than_the_stages_is_refused(trained: World) -> None:
    (trained.source / "components/steps/new.py").write_text("")
    assert command(trained, "finish", "--run", "r1")[0] == 78
    (trained.source / "components/steps/new.py").unlink()
    assert command(trained, "finish", "--run", "r1")[0] == 0


def test_a_stage_that_is_not_there_is_named(world: World) -> None:
    plan(world.environment(), "r1", force=True)
    code, report = command(world, "stage", "destill@one", "--run", "r1")
    assert code == 78
    assert "'destill@one'" in report["message"]
    assert "distill@one" in report["next_step"]


@pytest.mark.parametrize(
    ("how", "code", "name", "message"),
    [
        ("bad_data", 65, "bad_data", "evaluate: strip 7: no tile is left"),
        (
            "killed",
            137,
            "out_of_memory",
            "evaluate: the command was killed by SIGKILL: out of memory, most likely",
        ),
    ],
)
def test_a_failing_command_is_passed_on_and_recorded(
    trained: World, monkeypatch: pytest.MonkeyPatch, how: str, code: int, name: str, message: str
) -> None:
    world = trained
    world.undo("evaluate", "promote")
    shutil.rmtree(Path(world.remote, "runs"))
    monkeypatch.setenv("FAIL_evaluate", how)
    for attempt in (1, 2) if how == "bad_data" else (1,):
        assert command(world, "stage", "evaluate", "--run", "r1") == (
            code,
            {"class": name, "exit_code": code, "message": message, "next_step": NEXT_STEPS[how]},
        )
        assert len(world.records("r1").failures()) == attempt
    found, report = command(world, "finish", "--run", "r1")
    assert (found, report["result"]) == (0, {"outcome": "failed", "stage": "evaluate", "class": name})
    assert command(world, "finish", "--run", "r1") == (found, report)
    outcome = Operations(world.objects).state().claims[key_of(world, "r1")].outcome
    assert isinstance(outcome, Failed)
    assert (outcome.stage, outcome.failure_class, outcome.message) == ("evaluate", name, message)
    assert command(world, "gate", "--run", "r1")[0] == 66
    assert plan(world.environment(), "r2", force=True) == 0


def test_a_run_that_lost_its_claim_stands_down(trained: World) -> None:
    world = trained
    world.undo("distill@two")
    finish(world.environment(), "r1")
    plan(world.environment(), "r2", force=True)
    code, report = command(world, "stage", "distill@two", "--run", "r1")
    assert (code, report["class"]) == (99, "nothing_to_do")
    assert "lost its claim" in report["message"]
    assert command(world, "finish", "--run", "r1")[0] == 99


def test_a_stage_that_left_nothing_fails_the_run_as_infrastructure(trained: World) -> None:
    world = trained
    world.undo("promote")
    report = command(world, "finish", "--run", "r1")[1]
    assert report["result"] == {"outcome": "failed", "stage": "promote", "class": "infrastructure"}
    # Another run may claim it again, and goes on with what is finished.
    through(world, "r2")
    assert command(world, "finish", "--run", "r2")[1]["result"]["outcome"] == "succeeded"
    assert world.executed[len(STAGES) :] == ["promote"]


def test_without_a_claim_there_is_nothing_to_finish(world: World) -> None:
    assert command(world, "finish", "--run", "r1")[0] == 99


def test_registered_acquisitions_reach_the_stage(world: World) -> None:
    entry = json.dumps({"id": "landed", "source": "s3://landing/landed"}).encode()
    world.objects.put("catalogue/landed.json", entry)
    event = Registered(
        acquisition="landed", catalogue_sha256=sha256_bytes(entry), marker_sha256=sha256_bytes(b"marker")
    )
    Operations(world.objects).register(event)
    code, report = command(world, "plan", "--run", "manual__2026-11-20T00:00:00+00:00")
    assert (code, report["result"]["acquisitions"]) == (0, ["landed"])
    code, report = command(world, "stage", "prepare", "--run", "manual__2026-11-20T00:00:00+00:00")
    assert code == 0
    (name,) = world.objects.folders("runs/")
    lock = world.records(name).stages()["prepare"].lock
    assert lock["params"]["params.yaml"]["acquisitions"] == ["committed", "landed"]
    catalogue = next(dep for dep in lock["deps"] if dep["path"] == "components/download")
    assert catalogue["nfiles"] == 2

    world.objects.put("catalogue/landed.json", entry + b"\n")
    assert command(world, "stage", "distill@one", "--run", "manual__2026-11-20T00:00:00+00:00")[0] == 65


def test_the_profile_of_the_plan_holds_for_all_stages(world: World) -> None:
    plan(world.environment(STORMSIGHT_PROFILE="other"), "r1", force=True)
    assert run_stage(world.environment(), "prepare", "r1") == 0
    params = world.records("r1").stages()["prepare"].lock["params"]["params.yaml"]
    assert params["profiles.other.world"] == {"tiles": 9}


def test_a_command_line_without_a_run_is_refused(world: World) -> None:
    assert command(world, "gate", "--run", "")[0] == 78
    assert yaml.safe_load((world.source / "params.yaml").read_text())["profile"] == "small"
