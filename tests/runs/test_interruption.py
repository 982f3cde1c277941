"""Interrupted stages: evicted, lost or started twice, a training goes on elsewhere with the same result."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import torch
import yaml

from components.contract.errors import SourceUnavailableError
from components.lib.cli import REPORT
from components.lib.objects.sealed import unseal
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Failed
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan, read_plan
from components.runs import supervision
from components.runs.checkpoints import CheckpointMirror
from components.runs.finish import finish
from components.runs.plan import plan
from components.runs.stage import run_stage
from components.runs.supervision import StopForwarding, command_processes, supervise
from tests.lib.engine.tiny import seeded_task, train
from tests.runs.pipeline import TRAINING, World, through

TIMEOUT_S = 240


def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.fixture
def training(world: World) -> World:
    """Deployment whose only stage trains with the real engine, planned as r1."""
    (world.source / "dvc.yaml").write_text(yaml.safe_dump({"stages": TRAINING}))
    plan(world.environment(), "r1", force=True)
    return world


def sent_checkpoint(world: World) -> dict[str, Any] | None:
    """Return the checkpoint that another machine would find."""
    records = world.records("r1")
    prefix = records.checkpoints("train")
    if not world.objects.exists(f"{prefix}/manifest.json"):
        return None
    (sha256,) = unseal(world.objects.get(f"{prefix}/manifest.json"))["files"].values()
    state: dict[str, Any] = torch.load(io.BytesIO(world.objects.get(f"{prefix}/{sha256}")), weights_only=True)
    return state


def sent_step(world: World) -> int:
    state = sent_checkpoint(world)
    return -1 if state is None else int(state["progress"]["step"])


def weights(world: World) -> dict[str, torch.Tensor]:
    (out,) = world.records("r1").stages()["train"].lock["outs"]
    md5 = str(out["md5"])
    listing = json.loads(Path(world.remote, "files/md5", md5[:2], md5[2:]).read_text())
    (name,) = [item["md5"] for item in listing]
    state: dict[str, torch.Tensor] = torch.load(
        Path(world.remote, "files/md5", name[:2], name[2:]), weights_only=True
    )
    return state


@pytest.mark.timeout(300)
def test_evicted_and_then_lost_a_training_ends_as_if_undisturbed(training: World, tmp_path: Path) -> None:
    held, resumed, report = tmp_path / "held", tmp_path / "resumed", tmp_path / "report"
    variables = {"HELD": str(held), "RESUMED": str(resumed), REPORT: str(report)}

    # Evicted before step 7, asked twice, by a signal to the whole group as well.
    stage = training.start("stage", "train", "--run", "r1", HOLD_AT="7", HOLD="stop", **variables)
    until(held.exists)
    stage.send_signal(signal.SIGTERM)
    stage.send_signal(signal.SIGTERM)
    assert stage.wait(TIMEOUT_S) == 143
    assert json.loads(report.read_text())["class"] == "terminated"
    assert sent_step(training) == 8
    assert list(training.workspaces.iterdir()) == []
    (failure,) = training.records("r1").failures()
    assert (failure.failure_class, failure.exit_code) == ("terminated", 143)

    # On another machine it goes on, which is lost in step 13: the checkpoint of step 10 was sent.
    held.unlink()
    stage = training.start("stage", "train", "--run", "r1", HOLD_AT="13", HOLD="forever", **variables)
    until(held.exists)
    until(lambda: sent_step(training) == 10)
    stage.kill()
    stage.wait()
    until(lambda: not psutil.pid_exists(int(held.read_text())))

    stage = training.start("stage", "train", "--run", "r1", **variables)
    assert stage.wait(TIMEOUT_S) == 0
    assert resumed.read_text() == "10\n"
    assert list(training.workspaces.iterdir()) == [], "what the lost one left is removed, too"
    undisturbed = seeded_task()
    train(tmp_path / "undisturbed", undisturbed)
    found = weights(training)
    assert found.keys() == undisturbed.state_dict().keys()
    assert all(torch.equal(value, found[name]) for name, value in undisturbed.state_dict().items())
    assert sent_checkpoint(training) is None, "what is finished needs no checkpoint"


def take_over(world: World, run: str) -> None:
    """Claim the training of r1 for another run, as if r1 had said nothing for longer than its lease."""
    later = Operations(world.objects, lambda: datetime.now(UTC) + timedelta(days=1))
    known = read_plan(world.objects, "r1")
    found = later.claim(
        ClaimRequest(run=run, code=known.code, params=known.params), lease=timedelta(hours=1), force=True
    )
    assert isinstance(found, RunPlan)


def test_a_training_that_loses_its_claim_stops_and_touches_nothing(training: World, tmp_path: Path) -> None:
    held, report = tmp_path / "held", tmp_path / "report"
    training.edit_params(orchestration={"lease_h": 4 / 3600, "stall_min": None})  # looks once a second
    variables = {"HELD": str(held), "RESUMED": str(tmp_path / "resumed"), REPORT: str(report)}
    stage = training.start("stage", "train", "--run", "r1", HOLD_AT="7", HOLD="forever", **variables)
    until(held.exists)
    until(lambda: sent_step(training) == 5)
    trainer = int(held.read_text())
    take_over(training, "r2")
    seen = {info.key: training.objects.get(info.key) for info in training.objects.list("work/")}

    assert stage.wait(TIMEOUT_S) == 76
    assert json.loads(report.read_text())["class"] == "claim_lost"
    assert "another run trains this set" in json.loads(report.read_text())["message"]
    until(lambda: not psutil.pid_exists(trainer))
    assert {info.key: training.objects.get(info.key) for info in training.objects.list("work/")} == seen
    assert list(training.workspaces.iterdir()) == []
    # The other run goes on from the checkpoint that was left to it.
    stage = training.start("stage", "train", "--run", "r2", **variables)
    assert stage.wait(TIMEOUT_S) == 0
    assert Path(variables["RESUMED"]).read_text() == "5\n"


def test_a_training_that_ends_after_its_claim_was_lost_keeps_no_record(
    training: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESUMED", str(tmp_path / "resumed"))

    def supervised(*arguments: Any, **named: Any) -> int:
        take_over(training, "r2")
        training.objects.put(f"{training.records('r1').checkpoints('train')}/manifest.json", b"of run r2")
        return 0

    monkeypatch.setattr("components.runs.stage.supervise", supervised)
    assert run_stage(training.environment(), "train", "r1") == 76
    assert training.records("r1").stages() == {}
    assert training.records("r1").failures() == []
    assert training.objects.get(f"{training.records('r2').checkpoints('train')}/manifest.json")


def test_a_stage_that_hangs_is_killed_as_its_own_class(
    training: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"

    class Watch:
        """Progress that ends when the training is held: no test waits for minutes."""

        def __init__(self, worker: int, address: str, limit_s: float) -> None:
            assert (address, limit_s) == ("train", 3600)

        def stalled(self) -> bool:
            return held.exists() and sent_step(training) == 5

    monkeypatch.setattr(supervision, "ProgressWatch", Watch)
    variables = {"HELD": held, "RESUMED": tmp_path / "resumed", "HOLD_AT": "7", "HOLD": "forever"}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    assert run_stage(training.environment(), "train", "r1") == 124
    (failure,) = training.records("r1").failures()
    assert failure.failure_class == "stalled"
    assert "no step, no log line and no byte" in failure.message
    until(lambda: not psutil.pid_exists(int(held.read_text())))
    assert sent_step(training) == 5, "the next try goes on from here"


def test_a_stage_past_its_deadline_is_ended_as_its_own_class(
    training: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.edit_params(orchestration={"pod_limit_h": 1 / 3600})
    files = {"HELD": tmp_path / "held", "RESUMED": tmp_path / "resumed"}
    for name, value in {**files, "HOLD_AT": "7", "HOLD": "forever"}.items():
        monkeypatch.setenv(name, str(value))
    assert run_stage(training.environment(), "train", "r1") == 81
    assert finish(training.environment(), "r1") == 0
    outcome = Operations(training.objects).state().claims[read_plan(training.objects, "r1").key].outcome
    assert isinstance(outcome, Failed)
    assert (outcome.failure_class, outcome.stage) == ("deadline", "train")
    assert "pod_limit_h" in outcome.message


class Later(float):
    """Time of a deadline that comes as soon as a condition holds."""

    condition: Callable[[], bool]
    since: float | None = None

    def __rsub__(self, now: float) -> float:
        if self.since is None and self.condition():
            self.since = now
        return -1.0 if self.since is None else now - self.since


def test_a_command_that_ignores_its_deadline_is_killed_and_recorded(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"
    monkeypatch.setenv("HELD", str(held))
    monkeypatch.setenv("FAIL_prepare", "deaf")

    def until_held(*arguments: Any, **options: Any) -> int:
        deadline = Later()
        deadline.condition = held.exists
        return supervise(*arguments, **{**options, "deadline": deadline})

    def full(_: CheckpointMirror) -> bool:
        raise SourceUnavailableError("the store is full", next_step="make room")

    monkeypatch.setattr("components.runs.stage.supervise", until_held)
    monkeypatch.setattr(supervision, "LAST_S", 0.5)
    monkeypatch.setattr(CheckpointMirror, "sync", full)
    plan(world.environment(), "r1", force=True)
    assert run_stage(world.environment(), "prepare", "r1") == 81
    (failure,) = world.records("r1").failures()
    assert (failure.failure_class, failure.exit_code) == ("deadline", 81), "not that of the checkpoint"
    assert "pod_limit_h" in failure.message
    until(lambda: not psutil.pid_exists(int(held.read_text())))


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """Server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_asked_to_stop_before_the_command_it_leaves_at_once(
    world: World, silent_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(world.environment(), "r1", force=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", silent_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "admin")
    stage = world.start("stage", "prepare", "--run", "r1", STORMSIGHT_REMOTE="s3://bucket/dvc")
    until(lambda: any(path.read_text() == "pull" for path in world.workspaces.glob("*/.stormsight/phase")))
    stage.send_signal(signal.SIGTERM)
    assert stage.wait(TIMEOUT_S) == 143
    assert world.executed == []


def test_stages_side_by_side_and_the_same_stage_twice(world: World) -> None:
    through(world, "r1", ("prepare",))
    names = ["distill@one", "distill@two", "distill@two"]
    running = [world.start("stage", name, "--run", "r1") for name in names]
    assert [process.wait(TIMEOUT_S) for process in running] == [0, 0, 0]
    assert set(world.records("r1").stages()) == {"prepare", "distill@one", "distill@two"}


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Stand in for DVC: a process whose shell runs a stage's command, which has a child of its own."""
    python = sys.executable
    dvc, stage = tmp_path / "dvc.py", tmp_path / "stage.py"
    stage.write_text(
        f"import subprocess\nsubprocess.run([{python!r}, '-c', 'import time; time.sleep(99)'])\n"
    )
    dvc.write_text(
        "import os, subprocess\n"
        f"shell = 'true; {python} {stage}; true'\n"
        "subprocess.run(['/bin/sh', '-c', shell], env={**os.environ, 'DVC_STAGE': 'train'})\n"
    )
    process = subprocess.Popen([python, str(dvc)], start_new_session=True)
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_command_is_found_below_dvc_and_its_shell(command: subprocess.Popen[bytes]) -> None:
    until(lambda: len(psutil.Process(command.pid).children(recursive=True)) == 3)
    until(lambda: len(command_processes(command.pid, "train")) == 1)
    (found,) = command_processes(command.pid, "train")
    assert psutil.Process(found).ppid() == psutil.Process(command.pid).children()[0].pid
    assert command_processes(command.pid, "another") == []


def test_what_is_being_pushed_is_not_interrupted(command: subprocess.Popen[bytes], tmp_path: Path) -> None:
    phase = tmp_path / "phase"
    until(lambda: len(command_processes(command.pid, "train")) == 1)
    (found,) = command_processes(command.pid, "train")
    forwarding = StopForwarding(command.pid, "train", phase)
    phase.write_text("push")
    forwarding.send()
    assert psutil.pid_exists(found)
    assert command.poll() is None
    phase.write_text("run")
    forwarding.send()
    until(lambda: not psutil.pid_exists(found))
    assert command.wait(TIMEOUT_S) == 0, "what runs the command lived to see it end"


def test_a_worker_that_hangs_before_the_command_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LEAVE_S", 0.2)
    ready = tmp_path / "ready"
    # SIGTERM ends its main thread; the interpreter then waits for a thread that nothing ends.
    hanging = (
        "import pathlib, signal, sys, threading, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "threading.Thread(target=time.sleep, args=(999,)).start()\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(999)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", hanging], start_new_session=True)
    until(ready.exists)
    forwarding = StopForwarding(worker.pid, "train", tmp_path / "phase")

    def gone() -> bool:
        forwarding.send()
        return worker.poll() is not None

    until(gone)
    assert forwarding.killed
    assert worker.returncode == -signal.SIGKILL
