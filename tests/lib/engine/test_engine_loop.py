from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.engine import loop
from components.lib.engine.checkpoint import FILE_NAME
from components.lib.engine.loop import fit, perturb
from components.lib.engine.task import TrainingTask
from tests.lib.engine import tiny


def start(repository: Path, folder: Path, number: signal.Signals, step: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.lib.engine.tiny", str(folder), str(int(number)), str(step)]
    return subprocess.Popen(command, cwd=repository, text=True, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def interrupted(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Checkpoint folders left by a run killed before step 13 and one asked to stop before step 7."""
    folders = {
        int(number): tmp_path_factory.mktemp(number.name) for number in (signal.SIGKILL, signal.SIGTERM)
    }
    running = [
        start(repository, folders[signal.SIGKILL], signal.SIGKILL, 13),
        start(repository, folders[signal.SIGTERM], signal.SIGTERM, 7),
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert running[0].returncode == -signal.SIGKILL, errors[0]
    assert running[1].returncode == 143, errors[1]
    return folders


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, float]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    task = tiny.seeded_task()
    result = tiny.train(folder, task)
    assert result.resumed_from == 0
    return task.state_dict(), result.history


@pytest.mark.parametrize(("number", "done"), [(signal.SIGKILL, 10), (signal.SIGTERM, 8)])
def test_interrupted_and_resumed_equals_undisturbed_bit_for_bit(
    interrupted: dict[int, Path],
    undisturbed: tuple[dict[str, Any], list[dict[str, float]]],
    number: signal.Signals,
    done: int,
) -> None:
    folder = interrupted[number]
    assert torch.load(folder / FILE_NAME, weights_only=True)["progress"]["step"] == done
    task = tiny.TinyTask()
    logged: list[dict[str, float]] = []
    result = tiny.train(folder, task, on_log=lambda step, record: logged.append({**record, "at": step}))
    state, history = undisturbed
    assert result.resumed_from == done
    assert all(torch.equal(value, state[key]) for key, value in task.state_dict().items())
    assert result.history == history
    assert [record["at"] for record in logged] == [record["step"] for record in history]
    assert not folder.exists(), "the checkpoint goes when the training is done"


def test_training_learns_and_records_means_at_every_log(
    undisturbed: tuple[dict[str, Any], list[dict[str, float]]],
) -> None:
    _, history = undisturbed
    assert [record["step"] for record in history] == [3, 6, 9, 12, 15, 18, 20]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[0].keys() == {"step", "lr", "loss", "ce", "penalty"}
    assert history[0]["loss"] == pytest.approx(history[0]["ce"] + history[0]["penalty"], rel=1e-5)


def test_without_a_terminal_the_progress_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "TOLD_EVERY_S", 0.0)
    with caplog.at_level("INFO"):
        tiny.train(tmp_path, tiny.seeded_task())
    told = [line for line in caplog.messages if " min left" in line]
    assert len(told) == 20
    assert re.search(r": step 20 of 20, loss \d\.\d{4}, 0 min left", told[-1])


def test_other_parameters_ignore_the_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave_checkpoint(tmp_path)
    result = tiny.train(tmp_path, tiny.seeded_task(), lr=0.03)
    assert result.resumed_from == 0
    assert "other parameters" in caplog.text


def test_a_truncated_checkpoint_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave_checkpoint(tmp_path)
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:2000])
    assert tiny.train(tmp_path, tiny.seeded_task()).resumed_from == 0
    assert "cannot be read" in caplog.text


def test_interrupt_from_the_keyboard_leaves_a_checkpoint(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored where the tests run in a script's background
    leave_checkpoint(tmp_path)
    assert torch.load(tmp_path / FILE_NAME, weights_only=True)["progress"]["step"] == 3
    assert signal.getsignal(signal.SIGINT) is before


def leave_checkpoint(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tiny.train(folder, tiny.seeded_task(signal.SIGINT, at=2))


class DivergingTask(tiny.TinyTask):
    def losses(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        losses = super().losses(batch)
        if float(self.rounds) >= sum(range(5)):
            losses["penalty"] = losses["penalty"] * float("nan")
            losses["loss"] = losses["ce"] + losses["penalty"]
        return losses


def test_a_loss_that_is_not_finite_names_the_step_and_what_to_lower(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"step 4 \(terms: loss, penalty\)(.|\n)*lower training.lr"):
        tiny.train(tmp_path, DivergingTask())
    assert not (tmp_path / FILE_NAME).exists(), "a broken state must not be continued"


class MixedTask(TrainingTask):
    """Sees several sensors' arrays, and one that is no image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
        self.seen: list[tuple[torch.Size, torch.dtype]] = []
        self.threads: set[str] = set()

    def losses(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.seen = [(value.shape, value.dtype) for value in batch.values()]
        return {"loss": (self.weight * batch["a"].float().mean() / 255).square().sum()}


def test_mixed_batches_and_frozen_parameters(tmp_path: Path) -> None:
    task = MixedTask()

    def mixed(step: int) -> dict[str, np.ndarray[Any, Any]]:
        task.threads.add(threading.current_thread().name)
        return {
            "a": np.full((2, 8, 8, 4), 200, np.uint8),
            "b": np.zeros((3, 4, 4, 1), np.uint8),
            "rows": np.array([step, step], np.int64),
        }

    fit(task, mixed, tiny.parameters(), 4, name="mixed", checkpoint_dir=tmp_path)
    assert task.seen == [
        (torch.Size([2, 4, 8, 8]), torch.uint8),
        (torch.Size([3, 1, 4, 4]), torch.uint8),
        (torch.Size([2]), torch.int64),
    ]
    assert threading.current_thread().name not in task.threads
    assert task.weight.item() < 1.0
    assert task.frozen.item() == 1.0


def test_an_error_while_making_a_batch_reaches_the_caller(tmp_path: Path) -> None:
    def broken(step: int) -> dict[str, np.ndarray[Any, Any]]:
        if step == 3:
            raise ParameterError("no crop fits", next_step="lower training.crop")
        return tiny.batches(step)

    with pytest.raises(ParameterError, match="no crop fits"):
        fit(tiny.TinyTask(), broken, tiny.parameters(), 6, name="tiny", checkpoint_dir=tmp_path)


def test_a_perturbation_moves_initial_weights_by_a_millionth_and_is_repeatable() -> None:
    start, first, again, other = (tiny.seeded_task() for _ in range(4))
    for task, draw in ((first, 1), (again, 1), (other, 2)):
        perturb(task.trainable_parameters(), draw)
    weight = start.state_dict()["net.0.weight"]
    moved = (first.state_dict()["net.0.weight"] / weight - 1).abs()
    assert 0 < moved.max() < 1e-5
    assert torch.equal(first.state_dict()["net.0.weight"], again.state_dict()["net.0.weight"])
    assert not torch.equal(first.state_dict()["net.0.weight"], other.state_dict()["net.0.weight"])


def test_a_perturbed_training_is_another_one(tmp_path: Path) -> None:
    plain, perturbed = tiny.seeded_task(), tiny.seeded_task()
    tiny.train(tmp_path / "plain", plain)
    tiny.train(tmp_path / "perturbed", perturbed, perturbation=1)
    difference = (plain.state_dict()["net.0.weight"] - perturbed.state_dict()["net.0.weight"]).abs().max()
    assert 0 < difference < 0.1
