"""Sets that a person has chosen, and trainings that a withdrawal stops."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from components.contract.errors import MissingInputError, ParameterError
from components.contract.hashing import seal
from components.contract.identity import training_key
from components.contract.keys import OPERATIONS
from components.lib.ledger.chain import Chain
from components.lib.operations import snapshots
from components.lib.operations.events import Claimed, Failed, Succeeded, parse_event
from components.lib.operations.operations import Operations
from components.lib.operations.standing import Position, standing_of
from components.lib.operations.state import State
from tests.lib.operations.stepping import Memory
from tests.lib.operations.test_operations import (
    CODE,
    LEASE,
    PARAMS,
    RECORD,
    Time,
    claim,
    fail,
    memory,
    operations,
    refusal,
    register,
    time,
)

__all__ = ["memory", "operations", "time"]


def test_a_chosen_set_has_its_own_key_and_plan(operations: Operations, memory: Memory) -> None:
    register(operations, "c")
    plan = claim(operations, "backfill", chosen=("c", "a"))
    assert plan.key == training_key({"a": "a" * 64, "c": "c" * 64}, CODE, PARAMS)
    assert [item.id for item in plan.acquisitions] == ["a", "c"]
    assert claim(operations, "backfill", chosen=("a", "c")) == plan, "planned again, it is the same"
    assert claim(operations, "backfill") == plan, "a cleared task need not know the choice"
    assert "planned with other acquisitions" in refusal(operations, "backfill", chosen=("b",))
    assert "run backfill trains this set" in refusal(operations, "another", chosen=("a", "c"))
    assert claim(operations, "ordinary").key != plan.key, "all that is pending is another training"
    body = operations.chain.entries()[3].body
    assert (body["chosen"], body["acquisitions"]) == (True, {"a": "a" * 64, "c": "c" * 64})
    assert "chosen" not in operations.chain.entries()[4].body, "other claims are written as before"


def test_all_that_is_pending_chosen_by_name_is_no_other_training(operations: Operations) -> None:
    plan = claim(operations, "by-name", chosen=("b", "a"))
    assert "run by-name trains this set" in refusal(operations, "ordinary")
    assert plan.key == training_key(operations.state().pending, CODE, PARAMS)


def test_signs_of_life_keep_the_claim_of_a_chosen_set(
    operations: Operations, memory: Memory, time: Time
) -> None:
    key = claim(operations, "backfill", chosen=("a",)).key
    for _ in range(5):
        time.now += LEASE / 4
        assert operations.renew("backfill", lease=LEASE)
    assert "run backfill trains this set" in refusal(operations, "another", chosen=("a",))
    found = standing_of(
        operations.state(),
        CODE,
        PARAMS,
        now=time.now,
        lease=LEASE,
        redrives={},
        chosen=("a",),
        with_signs=operations.with_signs,
    )
    assert (found.key, found.position) == (key, Position.AT_WORK)


def test_what_cannot_be_chosen_is_named(operations: Operations) -> None:
    operations.withdraw("b", "clouds")
    for chosen, words in (
        (("a", "b"), "b cannot be trained with: it was withdrawn: clouds"),
        (("aa",), "acquisition aa is not registered.*'a'"),
        ((), "no acquisition is chosen"),
    ):
        with pytest.raises(ParameterError, match=words):
            claim(operations, "backfill", chosen=chosen)
    assert operations.state().claims == {}


def test_only_what_was_chosen_counts_as_trained(
    operations: Operations, memory: Memory, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(operations, "backfill", chosen=("b",))
    assert isinstance(operations.succeeded("backfill", record_sha256=RECORD, promoted=False), Succeeded)
    assert operations.state().trained == {"b"}
    monkeypatch.setattr(snapshots, "EVERY", 1)
    register(operations, "c")
    assert operations.verify_snapshot() is not None
    read = Operations(memory, time)
    assert read.state().trained == {"b"}
    assert read.state() == State.from_entries(Chain(memory, OPERATIONS).entries())


def test_a_claim_of_what_is_not_pending_is_no_history(operations: Operations, time: Time) -> None:
    operations.withdraw("b", "clouds")
    for chosen in ({"b": "b" * 64}, {"a": "b" * 64}, {"z": "a" * 64}):
        event = Claimed(
            key=training_key(chosen, CODE, PARAMS),
            run="x",
            acquisitions=chosen,
            code=CODE,
            params=PARAMS,
            chosen=True,
        )
        assert parse_event(event.body(), "here") == event
        with pytest.raises(ValueError, match=r"is withdrawn|is not registered so"):
            operations.state().apply(event, time())


def test_a_withdrawal_stops_the_trainings_that_use_it_and_no_other(operations: Operations) -> None:
    with_both = claim(operations, "r1")
    claim(operations, "backfill", chosen=("a",))
    operations.withdraw("b", "geolocation is off")
    assert operations.stop_trainings_with("b") == ["r1"]
    assert operations.stop_trainings_with("b") == [], "repeated, nothing is left"
    outcome = operations.state().claims[with_both.key].outcome
    assert isinstance(outcome, Failed)
    assert (outcome.stage, outcome.given_up, outcome.final) == ("withdraw", True, False)
    assert outcome.message == "b, which it trains with, was withdrawn: geolocation is off"
    assert not operations.renew("r1", lease=LEASE)
    assert operations.renew("backfill", lease=LEASE)
    fail(operations, "r1", "infrastructure")
    assert operations.state().claims[with_both.key].outcome == outcome, "what the person said stands"
    with pytest.raises(MissingInputError, match="a is not withdrawn"):
        operations.stop_trainings_with("a")


def test_a_snapshot_of_former_code_is_read(operations: Operations, memory: Memory, time: Time) -> None:
    """It does not say of its claims that they were not chosen."""
    claim(operations, "r1")
    head = operations.chain.entries()[-1]
    record = snapshots._Snapshot.of(head, State.from_entries(operations.chain.entries())).record()
    for saved in record["claims"]:
        del saved["claimed"]["chosen"]
    memory.put(f"{OPERATIONS}.snapshot.json", seal(record))
    assert Operations(memory, time).verify_snapshot() == head.seq
    assert asdict(Operations(memory, time).state()) == asdict(operations.state())
