"""Two processes that share each batch train as one that has it whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.engine.batchnorm import global_statistics
from components.lib.engine.progress import Progress
from components.lib.engine.ranks import Ranks, ranks
from tests.lib.engine import shared_batch

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def torchrun(repository: Path, folder: Path, *, stop_at: int, dropout: float = 0.0) -> None:
    folder.mkdir()
    command = [*TORCHRUN, "-m", "tests.lib.engine.shared_batch", str(folder), str(stop_at), str(dropout)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def curve(folder: Path, rank: int = 0) -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads((folder / f"curve.{rank}.json").read_text())
    return found


def test_two_processes_draw_the_loss_curve_of_one_even_when_stopped(repository: Path, tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    shared_batch.train(alone)
    torchrun(repository, shared, stop_at=2)
    for rank in (0, 1):
        assert (shared / f"stopped.{rank}").read_text() == "143", "stopped together, one alone being asked to"
    one, first, second = curve(alone), curve(shared), curve(shared, rank=1)
    assert [record["step"] for record in one] == [2, 4, 6]
    for expected, found, other in zip(one, first, second, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
        assert other == found, "every process knows the losses of the whole batch"
    weights = torch.load(alone / "weights.0.pt", weights_only=True)
    for rank in (0, 1):
        state = torch.load(shared / f"weights.{rank}.pt", weights_only=True)
        for name, value in state.items():
            assert torch.allclose(value, weights[name], rtol=1e-4, atol=1e-5), name
    # Stopped after the log at step 4, and continued there: what was restored is told again, all of it once.
    assert (shared / "logged.txt").read_text().split() == ["2", "4", "2", "4", "6"]
    assert not (shared / "checkpoint").exists()


def test_a_run_that_goes_on_draws_the_dropout_of_an_unbroken_one(repository: Path, tmp_path: Path) -> None:
    unbroken, stopped = tmp_path / "unbroken", tmp_path / "stopped"
    torchrun(repository, unbroken, stop_at=-1, dropout=0.5)
    torchrun(repository, stopped, stop_at=2, dropout=0.5)
    assert (stopped / "stopped.1").exists()
    assert not (unbroken / "stopped.1").exists()
    assert curve(stopped) == curve(unbroken)


def test_a_share_is_a_slice_of_every_layer() -> None:
    arrays: dict[str, Any] = {"sar": np.arange(12).reshape(6, 2), "scales": torch.arange(6)}
    shares = [Ranks(world=3, rank=rank).share_of(arrays) for rank in range(3)]
    for name, whole in arrays.items():
        assert np.array_equal(np.concatenate([share[name] for share in shares]), whole)
    assert Ranks().share_of(arrays) is arrays


def test_a_batch_that_cannot_be_shared_names_the_parameter() -> None:
    with pytest.raises(ParameterError, match=r"training.batch: 8 crops .* 3 processes(.|\n)*multiple of 3"):
        Ranks(world=3).check_batch(8)
    with pytest.raises(ParameterError, match=r"layer target_sar: 4 crops"):
        Ranks(world=3).share_of({"target_sar": np.zeros((4, 2))})


def test_who_this_process_is_comes_from_torchrun_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": 4, "RANK": 3, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert ranks() == Ranks(), "an orchestrator may set such names for its own purposes"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "id")
    assert ranks() == Ranks(world=4, rank=3, local=1, local_world=2)
    assert not ranks().is_main


def test_a_lone_process_normalises_as_torch_does_and_waits_once_per_record() -> None:
    x = torch.randn(2, 3, 4, 4)
    norm = torch.nn.BatchNorm2d(3)
    with global_statistics(1):
        found = norm(x)
    assert torch.equal(found, torch.nn.BatchNorm2d(3)(x))
    progress = Progress()
    progress.add({"loss": torch.tensor(2.0), "ce": torch.tensor(1.0)})
    progress.add({"loss": torch.tensor(4.0), "ce": torch.tensor(1.0)})
    assert progress.log(0.1) == {"step": 2, "lr": 0.1, "loss": 3.0, "ce": 1.0}
