from __future__ import annotations

from pathlib import Path

import pytest

from components.experiments import command
from tests.experiments.laboratory import Laboratory, write_bundles


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_bundles(folder)
    return folder


@pytest.fixture
def laboratory(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    made = Laboratory(tmp_path, bundles)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAKE_CONTROL", str(made.control))
    monkeypatch.setattr(command, "ROOT", made.root)
    return made
