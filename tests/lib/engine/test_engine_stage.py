"""Checks before a training starts."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from torch import nn

from components.contract.errors import ResourceError
from components.lib.engine import run as training_run
from components.lib.engine.run import train_and_publish
from components.lib.engine.stage import StageRun
from components.lib.tracking.parameters import TrackingParameters


def training(*_: object) -> None:
    raise AssertionError("the training started")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageRun:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_run, "_fit", training)
    fake = SimpleNamespace(name="sar/none", net=nn.Linear(1000, 1000), model_folder=Path("models/sar/none"))
    return cast("StageRun", fake)


def test_a_disk_too_small_for_the_checkpoints_is_told_before_the_training(
    run: StageRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=10_000_000)
    monkeypatch.setattr("components.lib.files.shutil.disk_usage", lambda _: free)
    with pytest.raises(ResourceError, match=r"var/checkpoints/sar/none: 0\.03 GB are needed, 0\.01 GB"):
        train_and_publish(run, TrackingParameters(uri="none"))


def test_a_read_only_disk_is_told_before_the_training(run: StageRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(ResourceError, match="models/sar cannot be written: Read-only file system"):
        train_and_publish(run, TrackingParameters(uri="none"))
