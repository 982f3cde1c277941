"""Processes that map blocks side by side: one that is killed is named."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from components.contract.errors import ResourceError
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
