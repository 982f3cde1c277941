"""Requests for a retraining: asked once, kept in a chain that shows changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError, ParameterError
from components.contract.keys import REQUESTS, entry_key
from components.lib.objects.folder import FolderObjects
from components.lib.operations.operations import Operations
from components.lib.operations.requests import RetrainingRequests

ASKED: dict[str, Any] = {
    "model": "stormsight-sar",
    "version": "3",
    "reference_sha256": "c" * 64,
    "p_value": 0.01,
    "shifted": ("sar_mean_HH",),
}


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


def requests_of(objects: FolderObjects) -> RetrainingRequests:
    return RetrainingRequests(objects, lambda: datetime(2026, 11, 29, tzinfo=UTC))


@pytest.mark.parametrize("acquisition", ["Ünter den Linden", "", "a\nb", "x" * 64])
def test_a_request_that_no_reader_would_take_is_not_written(objects: FolderObjects, acquisition: str) -> None:
    with pytest.raises(ParameterError, match=r"(?s)the request for .*acquisition"):
        requests_of(objects).request(acquisition=acquisition, **ASKED)
    assert requests_of(objects).all() == []


def test_a_request_is_made_once_for_an_acquisition_and_a_champion(objects: FolderObjects) -> None:
    first, request = requests_of(objects).request(acquisition="new", **ASKED)
    again, same = requests_of(objects).request(acquisition="new", **{**ASKED, "p_value": 0.02})
    assert (again, same) == (first, request)
    other, _ = requests_of(objects).request(acquisition="new", **{**ASKED, "version": "4"})
    assert [entry.seq for entry, _ in requests_of(objects).all()] == [1, 2] == [first.seq, other.seq]


def test_the_operations_ledger_knows_nothing_of_requests(objects: FolderObjects) -> None:
    requests_of(objects).request(acquisition="new", **ASKED)
    state = Operations(objects).state()
    assert not state.registered
    assert not state.claims


def test_a_changed_request_breaks_the_chain(objects: FolderObjects) -> None:
    entry, _ = requests_of(objects).request(acquisition="new", **ASKED)
    objects.put(entry_key(REQUESTS, entry.seq), entry.content().replace(b"sar_mean", b"sar_skew"))
    with pytest.raises(BadDataError, match="its hash does not fit"):
        requests_of(objects).all()
