"""Thousands of event sequences: whatever is lost, doubled, reordered or killed, a set is trained once.

A run may lose its claim in mid-training, to another run or because its data are withdrawn; people choose some
of what is pending; and the clock starts again what failed by bad luck. Snapshots are written often and
damaged: they change nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from components.contract.errors import ParameterError
from components.contract.failures import FINAL_FOR_SET
from components.contract.hashing import seal, sha256_json
from components.contract.identity import training_key
from components.contract.keys import OPERATIONS, snapshot_key
from components.lib.ledger.chain import Chain
from components.lib.objects.sealed import create_sealed, unseal
from components.lib.operations import snapshots
from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.events import Failed, Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan
from components.lib.operations.standing import OTHER, Position, standing_of
from components.lib.operations.state import State
from tests.lib.operations.stepping import Memory, World

LEASE = timedelta(hours=1)
SECOND = timedelta(seconds=1)
"""Entries keep their times to the second."""
REDRIVES = 2
CODE, PARAMS = "c" * 64, "d" * 64
SNAPSHOT = snapshot_key(OPERATIONS)


def sha(text: str) -> str:
    return (text.encode().hex() * 64)[:64]


@dataclass(frozen=True)
class Arrival:
    """Acquisition, and how often its event reaches the orchestrator: 0 lost, 1, 2 doubled."""

    name: str
    events: int
    withdrawn: bool


@dataclass(frozen=True)
class Scenario:
    """Events; the seed decides their order."""

    arrivals: tuple[Arrival, ...]
    outcomes: tuple[str, ...]
    """Ends of the runs, in the order in which they come to it: ok, silent (the run vanishes), slow (it says
    nothing for longer than its lease and goes on) or a class."""
    backfills: int
    """Runs for which a person chooses some of what is pending."""
    retried: int
    """Runs whose plan task is started a second time, beside the first."""
    new_code: bool
    """True if half of the runs carry newer code."""
    kill_share: float
    long_share: float
    every: int
    """Entries between snapshots."""
    damages: int
    """Number of times that something damages the snapshot."""
    seed: int


STORIES = st.builds(
    Scenario,
    arrivals=st.lists(
        st.builds(Arrival, st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda arrival: arrival.name,
    ).map(tuple),
    outcomes=st.lists(
        st.sampled_from(
            ["ok", "ok", "slow", "silent", "evicted", "source_unavailable", "bad_data", "code_error"]
        ),
        max_size=6,
    ).map(tuple),
    backfills=st.sampled_from([0, 0, 1]),
    retried=st.integers(0, 2),
    new_code=st.booleans(),
    kill_share=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
    long_share=st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    every=st.sampled_from([1, 2, 3, 100]),
    damages=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)


@dataclass
class Simulation:
    """Simulation of a scenario."""

    scenario: Scenario
    plans: dict[str, set[RunPlan]] = field(default_factory=dict)
    redrives: Counter[str] = field(default_factory=Counter)
    """Looks that found a key to be started again."""
    stopped: set[str] = field(default_factory=set)
    """Runs that found their claim lost to another one in mid-training, and wrote nothing."""
    ended: int = 0
    """Runs that found their claim ended by a withdrawal, and wrote nothing."""

    def __post_init__(self) -> None:
        self.world = World(
            Random(self.scenario.seed),
            LEASE,
            kill_share=self.scenario.kill_share,
            long_share=self.scenario.long_share,
        )
        self.outcomes = list(self.scenario.outcomes)

    @property
    def operations(self) -> Operations:
        """Return the operations as a fresh process opens them."""
        return Operations(self.world.store, self.world.clock)

    def act(self) -> list[Exception]:
        """Run everything at once, then the doubled and the scheduled runs until all is quiet."""
        failures = self.world.run(self._actors())
        self.world.kill_share = self.world.long_share = 0.0
        # The landing place is looked at again: a registration that was killed is repeated.
        failures += self.world.run({f"again-{a.name}": self._registrar(a) for a in self.scenario.arrivals})
        for number in range(REDRIVES + 2):  # the clock alone, without an event and without force
            self.world.now += 2 * LEASE
            failures += self.world.run({f"redrive-{number}": self._redriver()})
        for _ in range(3):  # a claim whose run vanished holds the set until its lease is over
            self.world.now += 2 * LEASE
            failures += self.world.run({f"scheduled-{self.world.steps}": self._runner("ok", force=True)})
        return failures

    def _actors(self) -> dict[str, Callable[[], None]]:
        actors: dict[str, Callable[[], None]] = {}
        for arrival in self.scenario.arrivals:
            actors[f"register-{arrival.name}"] = self._registrar(arrival)
            for number in range(arrival.events):
                actors[f"run-{arrival.name}-{number}"] = self._runner()
            if arrival.withdrawn:
                actors[f"withdraw-{arrival.name}"] = self._withdrawer(arrival.name)
        for number in range(self.scenario.backfills):
            actors[f"backfill-{number}"] = self._backfill
        for number in range(self.scenario.damages):
            actors[f"damage-{number}"] = self._vandal
        names = [name for name in actors if name.startswith("run-")]
        for name in names[: self.scenario.retried]:
            actors[f"{name}+"] = self._runner()
        return actors

    def _registrar(self, arrival: Arrival) -> Callable[[], None]:
        def register() -> None:
            self.world.store.create(f"catalogue/{arrival.name}.json", b"{}")
            self.operations.register(
                Registered(
                    acquisition=arrival.name, catalogue_sha256=sha(arrival.name), marker_sha256=sha("marker")
                )
            )

        return register

    def _vandal(self) -> None:
        """Do to the snapshot what accidents can: no more than that, for it is sealed."""
        store, random = self.world.store, self.world.random
        now = store.objects.get(SNAPSHOT)
        if store.exists("anything") or now is None:  # one step, so that the moment is drawn
            return
        place = random.randrange(len(now))
        accidents = {
            "lost": None,
            "cut off": now[:place],
            "changed": now[:place] + bytes([now[place] ^ 1]) + now[place + 1 :],
            "empty": b"",
            "another sealed record": seal({"seq": 1, "hash": "0" * 64}),
            "of another chain": seal({**unseal(now), "hash": sha("another chain")}),
            "ahead": seal({**unseal(now), "seq": 10**6}),
            "stale": now,
        }
        damaged = accidents[random.choice(sorted(accidents))]
        if damaged is None:
            store.objects.pop(SNAPSHOT, None)
        else:
            store.objects[SNAPSHOT] = damaged

    def _withdrawer(self, name: str) -> Callable[[], None]:
        def withdraw() -> None:
            if name in self.operations.state().registered:
                self.operations.withdraw(name, "a test")
                self.operations.stop_trainings_with(name)

        return withdraw

    def _backfill(self) -> None:
        known: list[str] = []
        for _ in range(4):  # until there is a choice
            known = sorted(self.operations.state().registered)
            if len(known) > 1:
                break
        if known:
            chosen = self.world.random.sample(known, self.world.random.randint(1, len(known)))
            with suppress(ParameterError):  # one was withdrawn
                self._runner(chosen=tuple(chosen))()

    def _redriver(self) -> Callable[[], None]:
        def look() -> None:
            state = self.operations.state()
            found = standing_of(
                state, CODE, PARAMS, now=self.world.clock(), lease=LEASE, redrives={OTHER: REDRIVES}
            )
            if found.position is Position.REDRIVE:
                self.redrives[found.key] += 1
                self._runner()()

        return look

    def _runner(
        self, end: str | None = None, *, force: bool = False, chosen: tuple[str, ...] | None = None
    ) -> Callable[[], None]:
        def run() -> None:
            name = threading.current_thread().name.rstrip("+")  # a repeated task belongs to the same run
            code = "e" * 64 if self.scenario.new_code and name.startswith("run") and name[-1] == "1" else CODE
            request = ClaimRequest(run=name, code=code, params=PARAMS, chosen=chosen)
            plan = self.operations.claim(request, lease=LEASE, force=force)
            if isinstance(plan, NothingToDo):
                return
            self.plans.setdefault(name, set()).add(plan)
            self.operations.renew(name, lease=LEASE)
            how = end or (self.outcomes.pop() if self.outcomes else "ok")
            if how == "slow":
                self.world.now += 2 * LEASE  # another run may take the claim now, in mid-training
            claim = self.operations.state().claim_of(name)
            if claim is None:  # checked before anything is written
                self.stopped.add(name)
                return
            if isinstance(claim.outcome, Failed) and claim.outcome.given_up:
                self.ended += 1
                return
            create_sealed(self.world.store, f"work/{plan.key}/stages/train.json", {"key": plan.key})
            if how in {"ok", "slow"}:
                self.operations.succeeded(name, record_sha256=sha("record"), promoted=True)
            elif how != "silent":
                self.operations.failed(name, failure_class=how, stage="train", message="a test")

        return run


class Oracle:
    """Oracle that reads the chain's bare entries, without the fold."""

    def __init__(self, store: Memory) -> None:
        self.entries = Chain(store, OPERATIONS).entries()
        self.bodies = [dict(entry.body) for entry in self.entries]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["event"] == kind]

    @property
    def pending(self) -> dict[str, str]:
        withdrawn = {body["acquisition"] for body in self.of("withdrawn")}
        return {
            body["acquisition"]: body["catalogue_sha256"]
            for body in self.of("registered")
            if body["acquisition"] not in withdrawn
        }

    def sets(self) -> dict[str, dict[str, str]]:
        """Return the set of each key, by the events before its claims, which name it by its hash."""
        found: dict[str, dict[str, str]] = {}
        present: dict[str, str] = {}
        for body in self.bodies:
            if body["event"] == "registered":
                present = {**present, body["acquisition"]: body["catalogue_sha256"]}
            elif body["event"] == "withdrawn":
                present = {name: sha for name, sha in present.items() if name != body["acquisition"]}
            elif body["event"] == "claimed":
                taken = present
                if body.get("chosen"):
                    taken = dict(body["acquisitions"])
                    assert taken.items() < present.items(), "what is not pending was chosen"
                else:
                    assert body["acquisitions_sha256"] == sha256_json(present)
                assert body["key"] == training_key(taken, body["code"], body["params"])
                assert found.setdefault(body["key"], taken) == taken
        return found

    def check_trained_once(self) -> None:
        per_key = Counter(body["key"] for body in self.of("succeeded"))
        assert all(count == 1 for count in per_key.values()), "a set was trained twice"

    def check_redrives(self, redrives: Counter[str]) -> None:
        """Check that the clock starts nothing that is final, and nothing else without end."""
        last: dict[str, str] = {}
        for body in self.bodies:
            if body["event"] == "claimed" and body["run"].startswith("redrive-"):
                assert last.get(body["key"]) not in FINAL_FOR_SET, "bad data were trained again"
            last[body.get("key", "")] = str(body.get("class", body["event"]))
        for key, count in redrives.items():
            classes = {body["class"] for body in self.of("failed") if body["key"] == key}
            assert count <= REDRIVES * len({*classes, "silent"}), "a set was started again without end"

    def check_claims(self) -> None:
        """Check that no claim is taken from a live run or after its key is trained; outcomes have claims."""
        holder: dict[str, tuple[str, datetime] | None] = {}
        for entry in self.entries:
            body, time = entry.body, datetime.fromisoformat(entry.time)
            kind, key = body["event"], body.get("key", "")
            if kind == "claimed":
                held = holder.get(key)
                # Times are kept to the second.
                assert (
                    held is None or held[0] == body["run"] or time - held[1] >= LEASE - timedelta(seconds=1)
                )
                holder[key] = (body["run"], time)
            elif kind == "renewed":
                assert (held := holder[key]) is not None
                assert held[0] == body["run"]
                holder[key] = (body["run"], time)
            elif kind in {"succeeded", "failed"}:
                runs = [
                    b["run"] for b in self.bodies[: entry.seq] if b["event"] == "claimed" and b["key"] == key
                ]
                assert runs[-1] == body["run"], "the outcome is not the claimant's"
                holder[key] = None


@settings(
    max_examples=1500,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    derandomize=False,
)
@given(STORIES)
def test_each_set_is_trained_once_and_none_is_forgotten(scenario: Scenario) -> None:
    simulation = Simulation(scenario)
    with patch.object(snapshots, "EVERY", scenario.every):
        assert simulation.act() == []
    oracle = Oracle(simulation.world.store)
    oracle.check_trained_once()
    oracle.check_claims()
    assert all(len(plans) == 1 for plans in simulation.plans.values()), "a run got two plans"
    assert not simulation.stopped & {body["run"] for body in oracle.of("succeeded")}
    oracle.check_redrives(simulation.redrives)
    assert {a.name for a in scenario.arrivals} == {body["acquisition"] for body in oracle.of("registered")}
    trained = {body["key"] for body in oracle.of("succeeded")}
    assert training_key(oracle.pending, CODE, PARAMS) in trained or not oracle.pending
    claimed = oracle.sets()
    covered = {name for key in trained for name in claimed[key]}
    assert set(oracle.pending) <= covered, "an acquisition was left untrained"
    folded = State.from_entries(oracle.entries)
    reader = simulation.operations
    reader.verify()
    assert reader.state() == folded, "a reader that verified sees something else"
    assert simulation.operations.state() == folded, "a snapshot changed what readers see"
    event(f"snapshot: {SNAPSHOT in simulation.world.store.objects}; damages: {scenario.damages}")
    event(f"trainings: {len(trained)}")
    event(f"redriven: {simulation.redrives.total() > 0}; stopped: {len(simulation.stopped) > 0}")
    event(f"ended by a withdrawal: {simulation.ended > 0}")
    event(f"chosen: {any(body.get('chosen') for body in oracle.of('claimed'))}")
    event(f"takeovers: {len(oracle.of('claimed')) > len(claimed)}")
