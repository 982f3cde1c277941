"""Copies of the files that a check reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.check import __main__ as command
from components.contract.partitions import CATALOGUE
from tests.conftest import ROOT

Check = Callable[..., tuple[int, str]]


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed params.yaml, params.lock, dvc.yaml and catalogue, in which commands run."""
    for name in ("params.yaml", "params.lock", "dvc.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / CATALOGUE, tmp_path / CATALOGUE)
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "STORMSIGHT_ARTIFACTS", "STORMSIGHT_OBJECTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the command; the methods' modules, which import torch, have a test of their own."""
    monkeypatch.setattr(command, "check_methods", lambda *_: None)

    def run(*arguments: str) -> tuple[int, str]:
        code = command.main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def edit(pipeline: Path, *changes: tuple[str, str]) -> None:
    """Replace texts of params.yaml, each of which occurs once."""
    path = pipeline / "params.yaml"
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
