from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.contract.errors import ParameterError
from components.housekeeping.parameters import Policy
from tests.conftest import ROOT
from tests.housekeeping.history import History


def command(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a pod runs it: another working folder, everything from the environment."""
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "params.yaml", source / "params.yaml")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "STORMSIGHT_OBJECTS": str(tmp_path / "objects"),
        "STORMSIGHT_REMOTE": str(tmp_path / "remote"),
        "STORMSIGHT_SOURCE": str(source),
        "STORMSIGHT_REPORT": str(tmp_path / "report.json"),
    }
    return subprocess.run(
        [sys.executable, "-m", "components.housekeeping", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_prune_prints_a_table_and_obeys_the_policy_of_params_yaml(folder: History, tmp_path: Path) -> None:
    plan, data = folder.training("one")
    done = command(tmp_path, "prune", "--dry-run")
    assert done.returncode == 0, done.stderr
    trainings, freed = done.stdout.split("\n\n")
    assert trainings.split()[:7] == [
        "training,",
        "newest",
        "first",
        "holds",
        "alone",
        plan.run,
        plan.key[:12],
    ]
    assert freed.splitlines()[0].split() == ["would", "be", "freed", "objects", "size"]
    done = command(tmp_path, "prune")
    assert done.returncode == 0, done.stderr
    assert "together" in done.stdout.splitlines()[-1]
    assert folder.remaining(data) == data
    assert f"work/{plan.key}/record.json" in folder.records(plan)


def test_the_first_pruning_beside_a_finished_reproduction_is_no_failure(
    folder: History, tmp_path: Path
) -> None:
    """The local cache holds what ``dvc repro`` made: its dvc.lock names objects that no remote has."""
    folder.training("one")
    outs = [{"path": "data/raw", "hash": "md5", "md5": "a" * 32 + ".dir"}]
    lock = {"schema": "2.0", "stages": {"download": {"cmd": "python", "outs": outs}}}
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "dvc.lock").write_text(yaml.safe_dump(lock))
    done = command(tmp_path, "prune")
    assert done.returncode == 0, done.stderr


def test_verify_exits_65_and_names_what_is_broken(folder: History, tmp_path: Path) -> None:
    folder.training("one")
    assert command(tmp_path, "verify").returncode == 0
    folder.places.objects.put("catalogue/first.json", b"?")
    done = command(tmp_path, "verify")
    assert done.returncode == 65
    assert "FAIL  catalogue/first" in done.stdout
    assert "Traceback" not in done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["class"] == "bad_data"
    assert "catalogue/first" in report["message"]


@pytest.mark.parametrize(("text", "match"), [("keep_runs: -1", "keep_runs"), ("abandoned_h: 1", "keep_runs")])
def test_a_wrong_policy_is_explained(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"profile: p\nprofiles: {{p: {{}}}}\norchestration: {{{text}}}\n")
    with pytest.raises(ParameterError, match=match):
        Policy.load(path)
