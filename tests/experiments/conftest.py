from __future__ import annotations

from pathlib import Path

import pytest

from components.experiments import session
from tests.experiments.workspace import Workspace, write_bundles


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_bundles(folder)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace(tmp_path, bundles)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOY_CONTROL", str(made.control))
    monkeypatch.setattr(session, "ROOT", made.root)
    return made
