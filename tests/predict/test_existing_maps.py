"""Maps of the scenes that a user names: what lies in the folder of maps is not trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import map_item_key
from components.lib.catalogue.documents import encode, sealed
from components.lib.catalogue.root import placed
from components.lib.objects.folder import FolderObjects
from components.predict.local import summary_of
from components.predict.models import ServedModel
from tests.lib.mapping.looks_at_ground import Nearby

MODEL = ServedModel(
    net=Nearby(reach=0),
    name="models/test",
    version="",
    weights_sha256="0" * 64,
    promoted=False,
    item_href=None,
)
ITEM = sealed(
    {
        "type": "Feature",
        "stac_version": "1.1.0",
        "properties": {
            "stormsight:simulated": True,
            "stormsight:mapped_km2": 0.5,
            "stormsight:buildings": 3,
        },
        "assets": {"page": {"href": "./abc/index.html"}},
    }
)
KEY = placed(map_item_key("m"), "")


def test_the_summary_of_a_map_that_is_there_comes_from_its_item(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    store.put(KEY, encode(ITEM))
    found = summary_of(store, "m", MODEL, None)
    assert found.page == str((tmp_path / KEY).parent / "abc/index.html")
    assert (found.simulated, found.km2, found.found) == (True, 0.5, "3 buildings")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"type"',
        b"[]",
        encode({**ITEM, "assets": {}}),
        encode(sealed({**ITEM, "assets": {}})),
        encode(sealed({**ITEM, "assets": {"page": 7}})),
        encode(sealed({**ITEM, "assets": {"page": {"href": 7}}})),
        json.dumps(ITEM).replace('"stormsight:buildings": 3', '"stormsight:buildings": 4').encode(),
    ],
)
def test_an_item_that_was_changed_by_hand_is_named(content: bytes, tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    store.put(KEY, content)
    with pytest.raises(BadDataError, match=r"items/m/item\.json is no item") as raised:
        summary_of(store, "m", MODEL, None)
    assert "remove it" in raised.value.next_step
