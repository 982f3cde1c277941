"""A real DVC remote: what a kept lock names can still be pulled, and what nothing names is gone."""

from __future__ import annotations

import contextlib
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from dvc.cli import main

from components.housekeeping.parameters import Places, Policy
from components.housekeeping.prune import prune
from components.lib.objects.opening import open_objects
from components.lib.objects.sealed import create_sealed
from tests.housekeeping.history import History

SCRIPT = """
import json, pathlib
word = json.load(open('params.yaml'))['word']
pathlib.Path('out').mkdir()
for n in range(3):
    pathlib.Path('out', str(n)).write_text(f'{word} {n}' if n else 'shared')
"""


def dvc(folder: Path, *words: str) -> None:
    """The command, in this process: its imports take longer than the test."""
    with contextlib.chdir(folder):
        assert main(list(words)) == 0


def project(folder: Path, remote: Path) -> Path:
    folder.mkdir()
    (folder / "make.py").write_text(SCRIPT)
    stage = {"cmd": f"{sys.executable} make.py", "deps": ["make.py"], "params": ["word"], "outs": ["out"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": stage}}))
    dvc(folder, "init", "--no-scm")
    dvc(folder, "remote", "add", "-d", "store", str(remote))
    return folder


def test_what_is_kept_can_be_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    remote = tmp_path / "remote"
    history = History(Places(open_objects(str(tmp_path / "objects")), open_objects(str(remote)), tmp_path))
    source = project(tmp_path / "source", remote)
    locks = {}
    for word in ("old", "new"):
        (source / "params.yaml").write_text(f'{{"word": "{word}"}}')
        dvc(source, "repro")
        dvc(source, "push", "--run-cache")
        locks[word] = yaml.safe_load((source / "dvc.lock").read_text())["stages"]["make"]
        plan = history.claim(word)
        create_sealed(history.places.objects, f"work/{plan.key}/stages/make.json", {"lock": locks[word]})
        history.succeed(plan)
        history.now += timedelta(days=4)
    policy = Policy(keep_runs=1, keep_gb=None, keep_cache_days=90, keep_deliveries_days=30, abandoned_h=72)
    pruned = prune(history.places, policy, clock=lambda: history.now)
    assert {f.kind: f.objects for f in pruned.freed} == {
        "records of old trainings": 3,
        "checkpoints of finished trainings": 0,
        "run cache entries": 1,
        "data in the remote": 3,
        "deliveries that nothing needs": 0,
        "plans and blocks of maps": 0,
    }

    shutil.copy(source / "dvc.lock", tmp_path / "dvc.lock.new")
    clone = project(tmp_path / "clone", remote)
    shutil.copy(tmp_path / "dvc.lock.new", clone / "dvc.lock")
    shutil.copy(source / "params.yaml", clone)
    dvc(clone, "pull")
    assert [(clone / "out" / str(n)).read_text() for n in range(3)] == ["shared", "new 1", "new 2"]
    assert not history.remaining({locks["old"]["outs"][0]["md5"]})
