"""Nothing in a marker is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.acquisitions.marker import parse_marker
from components.contract.errors import BadDataError
from tests.acquisitions.releases import PREFIX, marker, release

Change = Callable[[dict[str, Any]], object]


def good() -> dict[str, Any]:
    return marker("new-1", release())


def rename(key: str, index: int = 0) -> Change:
    def change(value: dict[str, Any]) -> None:
        value["files"][index]["key"] = key

    return change


def test_a_sound_marker_is_read() -> None:
    parsed = parse_marker(json.dumps(good()).encode(), "new-1")
    assert parsed.tiles == 2
    assert len(parsed.images) == 2
    assert [parsed.dataset.product_of(file.key) for file in parsed.files][:3] == [
        "SAR-Intensity",
        "PS-RGB",
        "Buildings",
    ]


HOSTILE: list[tuple[Change, str]] = [
    (lambda m: m.update(id="other"), "its id is 'other'"),
    (lambda m: m.update(id="../new-1"), "id: "),
    (lambda m: m.update(id="new-1\n"), "id: "),
    (
        lambda m: m.update(sensor="capella"),
        "unknown sensor 'capella'; the nearest known one is 'capella-airborne'",
    ),
    (lambda m: m.update(sensor=["capella-airborne"]), "sensor: "),
    (lambda m: m.update(simulated=True), "simulated is True, sensor capella-airborne says otherwise"),
    (lambda m: m.update(title="a\x1b[31mb"), "control characters"),
    (lambda m: m.update(title="x" * 301), "title: "),
    (lambda m: m["licence"].pop("credit"), r"licence\.credit: "),
    (lambda m: m["licence"].update(url="file:///etc/passwd"), r"licence\.url: "),
    (lambda m: m.update(prefix="/"), "prefix: "),
    (lambda m: m.update(prefix="../"), "prefix: "),
    (lambda m: m.update(prefix="train/AOI_11_Rotterdam"), "prefix: "),
    (lambda m: m.update(products=["SAR-Intensity", "Radar"]), r"products\.1: "),
    (lambda m: m.update(products=[]), "products: "),
    (lambda m: m["products"].append("PAN"), "no file of PAN"),
    (lambda m: m["products"].remove("PS-RGB"), "is no file of "),
    (lambda m: m.update(tiles=3), "2 SAR tiles are listed, tiles says 3"),
    (lambda m: m.update(tiles=0), "tiles: "),
    (lambda m: m.update(tiles="2"), "tiles: "),
    (lambda m: m.update(simulated=0), "simulated: "),
    (lambda m: m["files"][0].update(size=True), r"files\.0\.size: "),
    (lambda m: m.update(files=[]), "files: "),
    (lambda m: m.update(surplus=1), "surplus: "),
    (lambda m: m["files"].append(m["files"][0]), "is listed 2 times"),
    (lambda m: m["files"][0].update(size=-1), r"files\.0\.size: "),
    (
        lambda m: m["files"][0].update(size=str(m["files"][0]["size"])),
        r"files\.0\.size: .*a number is needed",
    ),
    (lambda m: m.update(simulated="no"), "simulated: .*true or false is needed"),
    (lambda m: m.update(tiles="2"), "tiles: .*a number is needed"),
    (lambda m: m["files"][0].update(size=1 << 60), r"files\.0\.size: "),
    (lambda m: [f.update(size=200 << 30) for f in m["files"]], "more than 256 GiB in all"),
    (lambda m: m["files"][0].update(sha256="x" * 64), r"files\.0\.sha256: "),
    (rename("/etc/passwd"), "is no object key"),
    (rename(f"{PREFIX}SAR-Intensity/../../x.tif"), "is no object key"),
    (rename(f"{PREFIX}SummaryData/../x.txt"), "is no object key"),
    (rename("other/SummaryData/x.txt"), "does not lie below the prefix"),
    (rename(f"{PREFIX}SAR-Intensity/evil.sh"), "is no file of "),
    (rename(f"{PREFIX}SummaryData/a\nb"), "is no object key"),
    (lambda m: m["files"].pop(), "SummaryData|no file of Summary"),
    (rename(f"{PREFIX}SummaryData/other.txt", -1), "the side of view would be unknown"),
]


@pytest.mark.parametrize(("change", "text"), HOSTILE)
def test_a_wrong_marker_is_refused_in_words(change: Change, text: str) -> None:
    value = good()
    change(value)
    with pytest.raises(BadDataError, match=rf"acquisition new-1: its completeness marker is wrong: .*{text}"):
        parse_marker(json.dumps(value).encode(), "new-1")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b"null", b"[" * 200_000, b'{"id": NaN}', b'{"tiles": 1' + b"0" * 5000 + b"}"],
)
def test_what_is_no_marker_is_refused(content: bytes) -> None:
    with pytest.raises(BadDataError, match="its completeness marker is wrong"):
        parse_marker(content, "new-1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(good())), JSON)
def test_any_value_in_any_field_is_refused_or_read(field: str, value: Any) -> None:
    changed = {**good(), field: value}
    with suppress(BadDataError):
        parse_marker(json.dumps(changed).encode(), "new-1")
