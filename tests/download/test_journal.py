"""The journal: what is missing is exactly what is not noted for this version in this place."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from components.download.journal import Journal, Target
from components.download.sources.base import RemoteObject

ITEM = RemoteObject(path="a", uri="s3://b/a", key="a", size=1000, version="v1")
TARGET = Target(ITEM, "shard-000.tar", 512)


@given(
    done=st.lists(st.tuples(st.integers(0, 999), st.integers(1, 300)), max_size=12),
    part=st.integers(1, 400),
)
def test_missing_and_done_make_the_whole(done: list[tuple[int, int]], part: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal", [TARGET])
        ranges = [(start, min(start + length, ITEM.size)) for start, length in done]
        for start, stop in ranges:
            journal.record(TARGET, start, stop)
        missing = Journal(Path(folder) / "journal", [TARGET]).missing(TARGET, part)
    covered = {byte for start, stop in ranges for byte in range(start, stop)}
    fetched = [byte for start, stop in missing for byte in range(start, stop)]
    assert sorted(fetched) == sorted(set(range(ITEM.size)) - covered)
    assert all(0 < stop - start <= part for start, stop in missing)


def test_a_line_cut_by_a_kill_does_not_count(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", [TARGET])
    journal.record(TARGET, 0, 400)
    journal.record(TARGET, 400, 1000)
    text = (tmp_path / "journal").read_text()
    (tmp_path / "journal").write_text(text[:-5])
    assert Journal(tmp_path / "journal", [TARGET]).missing(TARGET, 1000) == [(400, 1000)]


def test_other_versions_and_places_never_come_to_count_again(tmp_path: Path) -> None:
    Journal(tmp_path / "journal", [TARGET]).record(TARGET, 0, 1000)
    for other in (Target(replace(ITEM, version="v2"), TARGET.file, 512), Target(ITEM, TARGET.file, 1024)):
        assert Journal(tmp_path / "journal", [other]).missing(other, 1000) == [(0, 1000)]
    # Back to the first: its bytes may have been overwritten meanwhile.
    assert Journal(tmp_path / "journal", [TARGET]).missing(TARGET, 1000) == [(0, 1000)]


def test_an_empty_object_lacks_nothing(tmp_path: Path) -> None:
    target = Target(replace(ITEM, size=0), "shard-000.tar", 512)
    assert Journal(tmp_path / "journal", [target]).missing(target, 10) == []
