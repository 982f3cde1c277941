"""Processes that map blocks side by side: one that is killed is named, and changes nothing in the map."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from components.contract.errors import ResourceError
from components.contract.identity import ROOT
from components.lib.config.scoring import ScoringSettings
from components.lib.objects.folder import FolderObjects
from components.predict import workers
from components.predict.parameters import MapParameters
from components.predict.request import MapRequest
from components.predict.rules import MapRules
from tests.predict.test_mapping import mapped, planted


class _Broken:
    """Pool one of whose processes was killed."""

    def __init__(self, *_: object, **__: object) -> None:
        self.stopped = False

    def submit(self, *_: object) -> Future[int]:
        future: Future[int] = Future()
        future.set_exception(BrokenProcessPool("terminated abruptly"))
        return future

    def shutdown(self, *, cancel_futures: bool) -> None:
        self.stopped = cancel_futures


def test_a_killed_process_is_a_matter_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ProcessPoolExecutor", _Broken)
    rules = MapRules(MapParameters(workers=2), ScoringSettings())
    request = MapRequest(sources=("scene.tif",), model="models/test", rules=rules, scratch=tmp_path)
    with pytest.raises(ResourceError, match=r"a process that mapped blocks of .* was killed") as raised:
        workers.map_side_by_side(request, mapped(planted()[0]), FolderObjects(tmp_path), "blocks/")
    assert "fewer map.workers" in raised.value.next_step


def test_eight_processes_that_are_killed_and_started_again_give_the_same_map() -> None:
    grid = [sys.executable, "-m", "tests.benchmarks.bench_map_grid"]
    options = ["--windows", "96", "--blocks", "100", "--workers", "8", "--points", "3"]
    done = subprocess.run(
        [*grid, *options], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| 96 | 100 | 3/3 |" in done.stdout
