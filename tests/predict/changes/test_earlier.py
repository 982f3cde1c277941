"""The map that a new one is compared with: earlier, of the same ground, the latest of those."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.keys import map_item_key
from components.lib.catalogue.maps import Catalogue
from components.lib.objects.folder import FolderObjects
from components.predict.changes.earlier import find_pair
from tests.lib.catalogue.maps import made_map

NEW = "new-1"


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """A catalogue with one map, of November 2026."""
    found = Catalogue(FolderObjects(tmp_path / "store"))
    add(found, tmp_path, NEW)
    return found


def add(catalogue: Catalogue, folder: Path, map_id: str, *, of: str = "", **facts: object) -> None:
    """Publish a map of the acquisition ``of``, by default one of its own."""
    item, files = made_map(folder / map_id, **facts)  # type: ignore[arg-type]
    catalogue.add_map(item, files, map_id, acquisition=of or map_id)
    catalogue.rebuild()


def earlier(catalogue: Catalogue, *withdrawn: str) -> str | None:
    pair = find_pair(catalogue, catalogue.maps(), NEW, withdrawn)
    return None if pair is None else str(pair.before["id"])


def test_the_latest_earlier_map_of_the_same_ground_is_taken(catalogue: Catalogue, tmp_path: Path) -> None:
    assert earlier(catalogue) is None
    add(catalogue, tmp_path, "later", month="2026-12")
    add(catalogue, tmp_path, "same-day", month="2026-11")
    add(catalogue, tmp_path, "elsewhere", month="2026-10", west=6.0)
    add(catalogue, tmp_path, "edge", month="2026-10", west=4.95)
    assert earlier(catalogue) is None
    add(catalogue, tmp_path, "older", month="2026-08")
    assert earlier(catalogue) == "older"
    add(catalogue, tmp_path, "half", month="2026-09", west=4.5)
    assert earlier(catalogue) == "half"
    assert earlier(catalogue, "half") == "older", "the acquisition of the other is withdrawn"


def test_of_one_acquisition_the_map_of_the_same_model_counts(catalogue: Catalogue, tmp_path: Path) -> None:
    add(catalogue, tmp_path, "by-2", of="june", month="2026-06", version="2", created="2026-12-02T05:00:00Z")
    assert earlier(catalogue) == "by-2"
    add(catalogue, tmp_path, "by-1", of="june", month="2026-06", version="1", created="2026-12-01T05:00:00Z")
    assert earlier(catalogue) == "by-1"
    add(catalogue, tmp_path, "again", of=NEW, month="2026-07")
    assert earlier(catalogue) == "by-1", "another map of the same acquisition is no earlier look"


def test_a_map_of_roads_is_no_earlier_look(catalogue: Catalogue, tmp_path: Path) -> None:
    add(catalogue, tmp_path, "roads", month="2026-10", task="roads")
    assert earlier(catalogue) is None
    add(catalogue, tmp_path, "june", month="2026-06")
    assert earlier(catalogue) == "june"


def test_a_map_without_a_time_of_its_own_is_compared_with_none(catalogue: Catalogue, tmp_path: Path) -> None:
    add(catalogue, tmp_path, "unknown", month="2026-06", created="2026-06-02T03:04:05Z")
    assert earlier(catalogue) is None
    add(catalogue, tmp_path, "june", month="2026-06")
    assert find_pair(catalogue, catalogue.maps(), "unknown") is None


def test_a_damaged_earlier_map_is_passed_over(
    catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(catalogue, tmp_path, "june", month="2026-06")
    add(catalogue, tmp_path, "july", month="2026-07")
    path = tmp_path / "store" / map_item_key("july")
    path.write_text(path.read_text().replace('"version": "1"', '"version": "9"'))
    assert earlier(catalogue) == "june"
    assert "map july is compared with none" in caplog.text
