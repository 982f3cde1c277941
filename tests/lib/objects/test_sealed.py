from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import seal
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed, parse_sealed, read_sealed, unseal

DEEP = b'{"sha256":"' + b"a" * 64 + b'","a":' + b"[" * 900 + b"]" * 900 + b"}"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text().filter(lambda name: name != "sha256"), JSON, max_size=4)


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_a_record_comes_back_as_it_was_sealed(record: dict[str, Any]) -> None:
    assert unseal(seal(record)) == record


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.data())
def test_any_changed_byte_is_seen(record: dict[str, Any], data: st.DataObject) -> None:
    content = bytearray(seal(record))
    at = data.draw(st.integers(0, len(content) - 2))  # the last byte is the line's end
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        # Another spelling of the same record (1e5 for 1E5) is no damage.
        assert unseal(bytes(content)) == record
    except BadDataError:
        return


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"sha256":1}', b"\xff", b"[" * 100_000, b'{"a":NaN}', b"null", DEEP]
)
def test_what_is_no_sealed_record_is_refused(content: bytes) -> None:
    with pytest.raises(BadDataError, match="run 7 is damaged"):
        unseal(content, name="run 7")


def test_equal_records_give_equal_bytes_and_the_seal_is_reserved() -> None:
    assert seal({"b": 1, "a": [2]}) == seal({"a": [2], "b": 1})
    with pytest.raises(ValueError, match="own"):
        seal({"sha256": "x"})


@dataclass(frozen=True)
class Sample:
    """A record of one field."""

    a: int


def test_sealed_objects(store: ObjectStore) -> None:
    assert create_sealed(store, "runs/1/plan.json", {"a": 1})
    assert not create_sealed(store, "runs/1/plan.json", {"a": 2})
    assert read_sealed(store, "runs/1/plan.json", Sample) == Sample(1)
    store.put("runs/1/plan.json", store.get("runs/1/plan.json").replace(b"1", b"2", 1))
    with pytest.raises(BadDataError, match=rf"{store.uri}/runs/1/plan\.json is damaged"):
        read_sealed(store, "runs/1/plan.json", Sample)
    with pytest.raises(MissingInputError):
        read_sealed(store, "runs/2/plan.json", Sample)


@pytest.mark.parametrize("record", [{}, {"a": None}, {"a": "one"}, {"a": {"a": 1}}, {"a": [1]}, {"b": 1}])
def test_an_intact_record_of_another_kind_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(BadDataError, match="run 7 does not hold the fields that it should: a: "):
        parse_sealed(seal(record), Sample, name="run 7")
