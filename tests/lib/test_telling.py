"""Progress without a terminal: lines at the begin, in between and at the end."""

from __future__ import annotations

import logging

import pytest

from components.lib import telling as module
from components.lib.telling import telling


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_lines_tell_begin_progress_and_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLD_EVERY_S", 0.0)
    with telling("map a", 3, "block") as advance:
        for _ in range(3):
            advance(1)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "map a: 3 blocks"
    assert lines[1:3] == ["map a: 1 block of 3 blocks, 0 min left", "map a: 2 blocks of 3 blocks, 0 min left"]
    assert lines[3].startswith("map a: done in ")
    assert len(lines) == 4


def test_between_two_lines_a_minute_passes(caplog: pytest.LogCaptureFixture) -> None:
    with telling("fetch", 5_000_000, "B", scale=True) as advance:
        advance(1)
        advance(2)
    assert caplog.records[0].getMessage() == "fetch: 5.00MB"
    assert len(caplog.records) == 2


def test_quiet_work_and_work_that_fails_tell_no_end(caplog: pytest.LogCaptureFixture) -> None:
    with telling("quiet", 3, "block", quiet=True) as advance:
        advance(1)
    assert not caplog.records
    with pytest.raises(ValueError, match="bad"), telling("broken", 3, "block"):
        raise ValueError("bad")
    assert [record.getMessage() for record in caplog.records] == ["broken: 3 blocks"]
