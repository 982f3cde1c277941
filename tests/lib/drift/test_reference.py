"""Reference of a champion: the first table stands, whatever came between it and its note."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.drift import DRIFT_NOTE, DRIFT_TABLE
from components.contract.errors import BadDataError, ParameterError
from components.lib.drift.reference import Champion, keep_reference, read_reference
from components.lib.drift.tiles import TileStatistics, encoded, of_features
from components.lib.objects.folder import FolderObjects
from tests.lib.drift.tables import SIDE_M, features

CHAMPION = Champion("stormsight-sar", "3", "maps/models/stormsight-sar/bundles/a/")
TABLE, NOTE = f"{CHAMPION.prefix}{DRIFT_TABLE}", f"{CHAMPION.prefix}{DRIFT_NOTE}"


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


@pytest.fixture
def first() -> TileStatistics:
    return of_features(features("first", 6, 1), SIDE_M)


@pytest.fixture
def other() -> TileStatistics:
    return of_features(features("other", 6, 2), SIDE_M)


def test_a_table_without_its_note_stands(
    objects: FolderObjects, first: TileStatistics, other: TileStatistics
) -> None:
    objects.create(TABLE, encoded(first))
    with pytest.raises(BadDataError, match="has another reference already"):
        keep_reference(objects, CHAMPION, other)
    assert set(read_reference(objects, CHAMPION).tiles.table["acquisition"]) == {"first"}
    assert keep_reference(objects, CHAMPION, first).acquisitions == ("first",)


def test_a_lost_table_comes_back_from_the_same_tiles_alone(
    objects: FolderObjects, first: TileStatistics, other: TileStatistics
) -> None:
    keep_reference(objects, CHAMPION, first)
    objects.delete(TABLE)
    with pytest.raises(BadDataError, match="has another reference already"):
        keep_reference(objects, CHAMPION, other)
    assert not objects.exists(TABLE)
    keep_reference(objects, CHAMPION, first)
    assert objects.get(TABLE) == encoded(first)


def test_what_no_reader_would_take_is_not_kept(objects: FolderObjects, first: TileStatistics) -> None:
    with pytest.raises(ParameterError, match="no tile is left for the reference"):
        keep_reference(objects, CHAMPION, TileStatistics(first.table.iloc[:0], SIDE_M))
    assert not objects.list()
    objects.create(TABLE, b"torn")
    with pytest.raises(BadDataError, match="remove it, then make the reference again"):
        keep_reference(objects, CHAMPION, first)
    assert not objects.exists(NOTE)
