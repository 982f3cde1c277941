from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from components.lib.config.loader import load_parameters
from components.lib.store.store import Store
from components.prepare.parameters import PrepareParameters
from tests.prepare.tiny_raw import Acquisition, Folders


def command(repository: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    return subprocess.run(
        [sys.executable, "-m", "components.prepare", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_repositorys_parameters_fit_the_stage(repository: Path) -> None:
    parameters = load_parameters("prepare", PrepareParameters, repository / "params.yaml")

    assert parameters.min_area_m2 == 20.0
    assert parameters.split.groups == 5


def test_command_writes_the_store_where_the_graph_expects_it(repository: Path, tmp_path: Path) -> None:
    flight = Acquisition()
    flight.add_tile(1, 592_000.0)
    folders = Folders(tmp_path / "data")
    folders.write(flight)
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())

    done = command(repository, tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(Store.open(tmp_path / "data" / "prepared").index) == 1
    assert (tmp_path / "reports" / "prepare" / "metrics.json").is_file()
    assert "no test tile" in done.stderr


def test_command_tells_what_is_missing_without_a_traceback(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())

    done = command(repository, tmp_path)

    assert done.returncode == 66
    assert "dvc repro download" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_help_tells_what_the_stage_does(repository: Path) -> None:
    done = command(repository, repository, "--help")

    assert done.returncode == 0
    assert "training store" in done.stdout
