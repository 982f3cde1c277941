"""Entries of the operations ledger name their actor; those of former code, which do not, stay readable."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import OPERATIONS
from components.lib.ledger.chain import Chain
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Claimed, Failed, Registered, parse_event
from components.lib.operations.operations import Operations
from tests.lib.operations.stepping import Memory

LEASE = timedelta(hours=72)
REQUEST = ClaimRequest(run="r1", code="c" * 64, params="d" * 64)


def test_every_entry_names_its_actor_and_a_forced_plan_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    operations = Operations(Memory())
    operations.claim(REQUEST, lease=LEASE, force=True)
    monkeypatch.setenv("STORMSIGHT_ACTOR", "retrain r1 as stormsight-data")
    operations.failed("r1", failure_class="evicted", stage="optical", message="gone")
    claimed, failed = operations.chain.entries()
    assert (claimed.body["actor"], claimed.body["forced"]) == ("ada", True)
    assert failed.body["actor"] == "retrain r1 as stormsight-data"


def test_the_same_outcome_told_by_another_is_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(Memory())
    operations.claim(REQUEST, lease=LEASE, force=True)
    for actor in ("ada", "grace"):
        monkeypatch.setenv("STORMSIGHT_ACTOR", actor)
        stands = operations.failed("r1", failure_class="evicted", stage="optical", message="gone")
        assert isinstance(stands, Failed)
    assert [entry.body["actor"] for entry in operations.chain.entries()][1:] == ["ada"]


def test_entries_of_former_code_are_read_and_followed() -> None:
    objects = Memory()
    event = Registered(acquisition="first", catalogue_sha256="a" * 64, marker_sha256="b" * 64)
    former = Chain(objects, OPERATIONS).append(None, event.body())
    key = f"{OPERATIONS}/000000001.json"
    content = objects.get(key)
    operations = Operations(objects)
    operations.claim(REQUEST, lease=LEASE)
    first, second = operations.verify()
    assert (first, objects.get(key)) == (former, content)
    assert second.prev_hash == former.hash
    claimed = parse_event({k: v for k, v in second.body.items() if k not in {"actor", "forced"}}, "entry 2")
    assert isinstance(claimed, Claimed)
    assert not claimed.forced


@pytest.mark.parametrize("actor", ["", 7, "a" * 301])
def test_an_actor_that_is_no_name_is_no_event(actor: object) -> None:
    event = Registered(acquisition="first", catalogue_sha256="a" * 64, marker_sha256="b" * 64)
    with pytest.raises(BadDataError, match="entry 1 holds no event"):
        parse_event({**event.body(), "actor": actor}, "entry 1")
