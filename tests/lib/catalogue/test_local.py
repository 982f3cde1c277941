"""Catalogue of a folder of maps on a disk."""

from __future__ import annotations

import json
from pathlib import Path

import pystac

from components.lib.catalogue.local import catalogue_folder
from tests.lib.catalogue.maps import made_map
from tests.stac import validate


def test_a_folder_of_maps_can_be_browsed(tmp_path: Path) -> None:
    for scene in ("b", "a"):
        item, _ = made_map(tmp_path / scene, scene)
        (tmp_path / scene / "item.json").write_text(json.dumps(item))
    made_map(tmp_path / "unfinished", "c")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "item.json").write_text("[]")
    assert catalogue_folder(tmp_path) == 2
    assert validate(json.loads((tmp_path / "catalog.json").read_text())) == []
    root = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    found = list(root.get_items())
    assert [item.id for item in found] == ["a", "b"]
    assert Path(found[0].assets["probability"].get_absolute_href() or "").is_file()
