"""Rules one by one, and real concurrency on a folder and on a real S3 endpoint."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.hashing import seal, sha256_json
from components.contract.keys import OPERATIONS, alive_key, plan_key, run_name
from components.lib.ledger.chain import Chain
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.events import Failed, Registered, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition, RunPlan, read_plan
from tests.lib.operations.stepping import START, Memory

LEASE = timedelta(hours=72)
CODE, PARAMS, RECORD = "c" * 64, "d" * 64, "e" * 64


class Time:
    """Clock that stands still."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def operations(memory: Memory, time: Time) -> Operations:
    made = Operations(memory, time)
    register(made, "a", "b")
    return made


def register(operations: Operations, *names: str) -> None:
    for name in names:
        event = Registered(acquisition=name, catalogue_sha256=name[0] * 64, marker_sha256="f" * 64)
        assert operations.register(event)
        assert not operations.register(event)


def request(run: str, **changes: Any) -> ClaimRequest:
    return ClaimRequest(**{"run": run, "code": CODE, "params": PARAMS, "profile": "smoke", **changes})


def claim(operations: Operations, run: str, *, force: bool = False, **changes: Any) -> RunPlan:
    plan = operations.claim(request(run, **changes), lease=LEASE, force=force)
    assert isinstance(plan, RunPlan), plan
    return plan


def refusal(operations: Operations, run: str, *, force: bool = False, **changes: Any) -> str:
    found = operations.claim(request(run, **changes), lease=LEASE, force=force)
    assert isinstance(found, NothingToDo), found
    return f"{found.reason} | {found.next_step}"


def fail(operations: Operations, run: str, failure_class: str, message: str = "it broke") -> None:
    stands = operations.failed(run, failure_class=failure_class, stage="validate", message=message)
    assert isinstance(stands, Failed)


def test_a_claim_takes_all_pending_acquisitions_and_seals_the_plan(
    operations: Operations, memory: Memory
) -> None:
    operations.withdraw("a", "clouds")
    plan = claim(operations, "run-1")
    assert plan.acquisitions == (Acquisition("b", "b" * 64),)
    assert read_plan(memory, "run-1") == plan
    assert claim(operations, "run-1") == plan
    register(operations, "c")
    assert claim(operations, "run-1") == plan, "a run keeps its plan whatever arrives"
    later = claim(operations, "run-2")
    assert [acquisition.id for acquisition in later.acquisitions] == ["b", "c"]
    assert later.key != plan.key


def test_a_trained_set_is_not_trained_again_until_something_changes(operations: Operations) -> None:
    plan = claim(operations, "run-1")
    stands = operations.succeeded("run-1", record_sha256=RECORD, promoted=False)
    assert isinstance(stands, Succeeded)
    assert operations.succeeded("run-1", record_sha256="0" * 64, promoted=True) == stands
    assert operations.failed("run-1", failure_class="evicted", stage="x", message="late") == stands
    for run in ("run-1", "run-2"):
        assert f"this set is trained: key {plan.key[:12]}, run run-1" in refusal(operations, run)
    assert "is trained" in refusal(operations, "run-3", force=True)
    assert claim(operations, "run-4", code="1" * 64).key != plan.key
    assert claim(operations, "run-5", params="1" * 64).key != plan.key


def test_a_live_claim_is_respected_and_a_silent_one_taken_over(operations: Operations, time: Time) -> None:
    plan = claim(operations, "run-1")
    time.now += LEASE
    assert "run run-1 trains this set" in refusal(operations, "run-2")
    assert "after 72 h of silence" in refusal(operations, "run-2", force=True)
    time.now += timedelta(seconds=1)
    taken = claim(operations, "run-2")
    assert taken.key == plan.key
    for late in (
        operations.succeeded("run-1", record_sha256=RECORD, promoted=True),
        operations.failed("run-1", failure_class="evicted", stage="x", message="y"),
    ):
        assert isinstance(late, NothingToDo)
        assert late.reason == "run run-1 lost its claim to run run-2"
    assert not operations.renew("run-1", lease=LEASE)
    assert "run run-2 trains this set" in refusal(operations, "run-1")
    assert isinstance(operations.succeeded("run-2", record_sha256=RECORD, promoted=True), Succeeded)


def test_signs_of_life_keep_a_claim_and_leave_the_ledger_alone(operations: Operations, time: Time) -> None:
    claim(operations, "run-1")
    length = len(operations.verify())
    for _ in range(5):
        time.now += LEASE / 4
        assert operations.renew("run-1", lease=LEASE)
    assert len(operations.verify()) == length
    assert "run run-1 trains this set" in refusal(operations, "run-2")
    time.now += LEASE
    assert claim(operations, "run-2").run == "run-2"
    assert not operations.renew("run-1", lease=LEASE)


@pytest.mark.parametrize("sign", [b"", b"{}", seal({"time": "soon"}), seal({"time": "2026-01-01T00:00:00"})])
def test_a_damaged_sign_of_life_counts_as_none(
    memory: Memory, operations: Operations, time: Time, sign: bytes
) -> None:
    claim(operations, "run-1")
    memory.put(alive_key("run-1"), sign)
    time.now += LEASE + timedelta(seconds=1)
    assert claim(operations, "run-2").run == "run-2"


def test_a_sign_of_life_from_the_future_counts_as_none(
    memory: Memory, operations: Operations, time: Time
) -> None:
    claim(operations, "run-1")
    memory.put(alive_key("run-1"), seal({"time": (time.now + 100 * LEASE).isoformat()}))
    time.now += LEASE + timedelta(seconds=1)
    assert claim(operations, "run-2").run == "run-2"


@pytest.mark.parametrize(
    ("failure_class", "next_step"),
    [
        ("bad_data", "withdraw the acquisition"),
        ("gate_refused", "read the refusal"),
        ("misconfigured", "correct params.yaml or the deployment"),
    ],
)
def test_a_failure_for_good_waits_for_a_person(
    operations: Operations, failure_class: str, next_step: str
) -> None:
    claim(operations, "run-1")
    fail(operations, "run-1", failure_class, "tile 7 of b is black")
    text = refusal(operations, "run-2")
    assert f"failed for good in run run-1, stage validate: {failure_class}: tile 7 of b is black" in text
    assert next_step in text
    assert "--force" in text
    claim(operations, "run-3", force=True)
    assert isinstance(operations.succeeded("run-3", record_sha256=RECORD, promoted=True), Succeeded)


@pytest.mark.parametrize(
    "failure_class",
    ["evicted", "source_unavailable", "resource", "terminated", "out_of_memory", "crashed", "code_error"],
)
def test_bad_luck_is_tried_again(operations: Operations, failure_class: str) -> None:
    plan = claim(operations, "run-1")
    fail(operations, "run-1", failure_class)
    assert claim(operations, "run-1") == plan
    fail(operations, "run-1", failure_class)
    assert claim(operations, "run-2").key == plan.key


def test_a_withdrawn_acquisition_frees_the_others(operations: Operations) -> None:
    claim(operations, "run-1")
    fail(operations, "run-1", "bad_data")
    assert operations.withdraw("b", "tile 7 is black")
    assert not operations.withdraw("b", "twice")
    assert "was planned for another set" in refusal(operations, "run-1")
    assert [acquisition.id for acquisition in claim(operations, "run-2").acquisitions] == ["a"]
    with pytest.raises(MissingInputError, match=r"z is not registered in .+"):
        operations.withdraw("z", "never seen")


def test_a_success_may_follow_a_failure_of_the_same_run(operations: Operations) -> None:
    claim(operations, "run-1")
    fail(operations, "run-1", "code_error")
    assert isinstance(operations.succeeded("run-1", record_sha256=RECORD, promoted=True), Succeeded)


def test_runs_that_were_never_planned_leave_nothing(operations: Operations) -> None:
    length = len(operations.verify())
    found = operations.succeeded("run-9", record_sha256=RECORD, promoted=True)
    assert isinstance(found, NothingToDo)
    assert found.reason == "run run-9 has no claim"
    assert len(operations.verify()) == length


def test_a_run_that_changes_its_code_is_refused(operations: Operations) -> None:
    claim(operations, "run-1")
    assert "was planned with other code or parameters" in refusal(operations, "run-1", code="1" * 64)


def test_nothing_registered_is_nothing_to_do_unless_forced(memory: Memory) -> None:
    operations = Operations(memory)
    assert "no acquisition is registered" in refusal(operations, "run-1")
    assert claim(operations, "run-1", force=True).acquisitions == ()


def test_a_crash_between_claim_and_plan_is_made_good(operations: Operations, memory: Memory) -> None:
    plan = claim(operations, "run-1")
    del memory.objects[plan_key("run-1")]
    register(operations, "c")
    assert claim(operations, "run-1") == plan
    assert read_plan(memory, "run-1") == plan


def test_a_damaged_or_foreign_plan_stops_the_run(operations: Operations, memory: Memory) -> None:
    claim(operations, "run-1")
    sealed = memory.objects[plan_key("run-1")]
    memory.objects[plan_key("run-1")] = sealed.replace(b'"profile":"smoke"', b'"profile":"spoke"')
    with pytest.raises(BadDataError, match=r"runs/run-1/plan\.json is damaged"):
        claim(operations, "run-1")
    memory.objects[plan_key("run-1")] = sealed
    other = claim(operations, "run-2", code="1" * 64)
    memory.objects[plan_key("run-1")] = memory.objects[plan_key(other.run)]
    with pytest.raises(BadDataError, match=r"runs/run-1/plan\.json is the plan of run run-2"):
        claim(operations, "run-1")
    with pytest.raises(MissingInputError):
        read_plan(memory, "run-3")


def test_the_catalogue_entry_must_be_the_registered_one(memory: Memory) -> None:
    memory.put("catalogue/a.json", b"{}")
    good = Acquisition("a", hashlib.sha256(b"{}").hexdigest())
    assert good.entry(memory) == b"{}"
    with pytest.raises(BadDataError, match=r"catalogue/a\.json is not the entry that was registered"):
        Acquisition("a", "0" * 64).entry(memory)


IMPOSSIBLE: list[tuple[list[dict[str, Any]], str]] = [
    ([{"event": "withdrawn", "acquisition": "z", "reason": "r"}], "z is not registered"),
    (
        [{"event": "succeeded", "key": "0" * 64, "run": "r", "record_sha256": RECORD, "promoted": True}],
        "hold",
    ),
    ([{"event": "renewed", "key": "0" * 64, "run": "r"}], "does not hold the claim"),
    (
        [{"event": "registered", "acquisition": "a", "catalogue_sha256": RECORD, "marker_sha256": RECORD}],
        "a is registered twice",
    ),
    (
        [
            {
                "event": "claimed",
                "key": "0" * 64,
                "run": "r",
                "acquisitions": {},
                "code": CODE,
                "params": PARAMS,
                "profile": None,
            }
        ],
        "the claim is not for the pending acquisitions",
    ),
    (
        [
            {
                "event": "claimed",
                "key": "0" * 64,
                "run": "r",
                "acquisitions_sha256": sha256_json({"a": "a" * 64, "b": "b" * 64}),
                "code": CODE,
                "params": PARAMS,
            }
        ],
        "the key does not fit",
    ),
    (
        [{"event": "claimed", "key": "0" * 64, "run": "r", "code": CODE, "params": PARAMS}],
        "either acquisitions or acquisitions_sha256 names the set",
    ),
    ([{"event": "promoted"}], "holds no event"),
    ([{"event": "withdrawn", "acquisition": "../a", "reason": "r"}], "holds no event"),
]


@pytest.mark.parametrize(("bodies", "text"), IMPOSSIBLE)
def test_an_impossible_history_is_refused(
    operations: Operations, memory: Memory, bodies: list[dict[str, Any]], text: str
) -> None:
    chain = Chain(memory, OPERATIONS)
    for body in bodies:
        chain.append(chain.entries()[-1], body)
    for attempt in (operations.verify, operations.state, lambda: claim(operations, "run-1")):
        with pytest.raises(BadDataError, match=rf"operations ledger, entry 3.*{text}"):
            attempt()


def test_run_names_are_safe_keys_and_stay_apart() -> None:
    ids = [
        "manual-1",
        "scheduled__2026-01-01T03:00:00+00:00",
        "scheduled__2026-01-01T03-00-00-00-00",
        "../../etc",
        "ä",
        "x" * 300,
        "x" * 301,
    ]
    names = [run_name(one) for one in ids]
    assert names[0] == "manual-1"
    assert len(set(names)) == len(ids)
    for name in names:
        assert len(name) <= 100
        assert run_name(name) == name
        request(name)
        Succeeded(key="0" * 64, run=name, record_sha256=RECORD, promoted=True)
    with pytest.raises(ParameterError, match="--run is empty"):
        run_name("")


def test_of_concurrent_runs_one_trains(store_uri: str) -> None:
    register(Operations(open_objects(store_uri)), "a")
    found: dict[str, RunPlan | NothingToDo] = {}
    names = [f"run-{number}" for number in range(4)] + ["run-0"]
    barrier = threading.Barrier(len(names))

    def plan(index: int) -> None:
        operations = Operations(open_objects(store_uri))
        barrier.wait()
        found[f"{index}"] = operations.claim(request(names[index]), lease=LEASE)

    threads = [threading.Thread(target=plan, args=(index,)) for index in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plans = {result.run for result in found.values() if isinstance(result, RunPlan)}
    assert len(found) == len(names)
    assert len(plans) == 1
    store: ObjectStore = open_objects(store_uri)
    events = [entry.body["event"] for entry in Operations(store, lambda: datetime.now(UTC)).verify()]
    assert events == ["registered", "claimed"]
