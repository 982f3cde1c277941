"""Pruning beside trainings, interleaved at every operation of both stores: nothing that is reachable goes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contract.errors import SourceUnavailableError
from components.contract.keys import stage_record_key, stage_records_prefix
from components.housekeeping import sweep
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.prune import prune
from components.lib.objects.content import content_key
from components.lib.objects.protocol import ObjectInfo, Objects
from components.lib.objects.sealed import create_sealed, unseal
from components.lib.operations import removals
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan
from tests.lib.operations.stepping import Memory, World

STEP = timedelta(minutes=5)
"""Step of the world's clock: a hundredth of it at most passes in one operation of a store."""

LEASE = timedelta(hours=10)
POLICY = Policy(keep_runs=4, keep_gb=None, keep_cache_days=30, keep_deliveries_days=30, abandoned_h=24)
WORDS = ("one", "two", "three")
SHA = "0" * 64


class Dated(Memory):
    """Store in memory that knows when its objects were written."""

    def __init__(self, step: Callable[[], Callable[[], None]], clock: Callable[[], datetime]) -> None:
        super().__init__(step)
        self._clock = clock
        self.modified: dict[str, datetime] = {}

    def create(self, key: str, content: bytes) -> bool:
        made = super().create(key, content)
        if made:
            self.modified[key] = self._clock()
        return made

    def put(self, key: str, content: bytes) -> None:
        super().put(key, content)
        self.modified[key] = self._clock()

    def list(self, prefix: str = "") -> Objects:
        found = super().list(prefix)
        return [ObjectInfo(i.key, i.size, self.modified.get(i.key, self._clock()), "1") for i in found]


@dataclass(frozen=True)
class Story:
    """Trainings of the past, trainings that run beside the pruning, and how they fare."""

    past: tuple[str, ...]
    present: tuple[tuple[str, str], ...]
    """Words of two stages each: equal words are equal data."""
    silent: int
    """Number of the present runs that vanish after their first stage."""
    pruners: int
    kill_share: float
    delay: int
    """Steps of a run before it starts, at most."""
    batch: int
    seed: int


STORIES = st.builds(
    Story,
    past=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple),
    present=st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS)), min_size=1, max_size=3).map(
        tuple
    ),
    silent=st.integers(0, 1),
    pruners=st.integers(1, 2),
    kill_share=st.sampled_from([0.0, 0.0, 0.01, 0.05]),
    delay=st.sampled_from([0, 50, 150]),
    batch=st.sampled_from([1, 3, 1000]),
    seed=st.integers(0, 2**32),
)


class Simulation:
    """Simulation of a story."""

    def __init__(self, story: Story, guarded: bool) -> None:
        self.story, self.guarded = story, guarded
        self.world = World(Random(story.seed), STEP)
        self.objects = self.world.store = Dated(self.world._step, self.world.clock)
        self.remote = Dated(self.world._step, self.world.clock)
        self.places = Places(self.objects, self.remote, Path("/nowhere"))

    @property
    def operations(self) -> Operations:
        return Operations(self.objects, self.world.clock)

    def act(self) -> list[Exception]:
        self.operations.register(Registered(acquisition="a", catalogue_sha256=SHA, marker_sha256=SHA))
        for number, word in enumerate(self.story.past):
            self.training(f"past-{number}", (word, word), whole=True)
            self.world.now += timedelta(days=3)
        for number in range(POLICY.keep_runs):  # others made these the newest
            self.training(f"other-{number}", ("other", "other"), whole=True)
        self.world.now += timedelta(days=100)
        self.world.kill_share = self.story.kill_share
        failures = self.world.run({**self._runs("run"), **self._pruners("prune")})
        self.world.kill_share = 0.0
        self.world.now += 2 * LEASE  # what was killed, or vanished, is started again
        return failures + self.world.run({**self._runs("again"), **self._pruners("later")})

    def training(self, run: str, words: tuple[str, str], *, whole: bool) -> None:
        """Claim, run two stages as :mod:`components.runs` does, and record the success."""
        # A run that is started again trains the same set, others do not.
        params = hashlib.sha256(f"{run.replace('again', 'run')} {words}".encode()).hexdigest()
        request = ClaimRequest(run=run, code="c" * 64, params=params)
        plan = self.operations.claim(request, lease=LEASE)
        if not isinstance(plan, RunPlan):
            return
        self._wait({plan.key})
        for number, word in enumerate(words if whole else words[:1]):
            self.stage(plan, f"s{number}", word if word != "other" else f"other {run}")
        if whole:
            self.operations.succeeded(run, record_sha256=SHA, promoted=False)

    def stage(self, plan: RunPlan, stage: str, word: str) -> None:
        if self.objects.exists(stage_record_key(plan.key, stage)):
            return
        if self.operations.state().claim_of(plan.run) is None:
            return
        self.operations.renew(plan.run, lease=LEASE)
        files = {md5_of(content): content for content in (b"shared", word.encode())}
        listed = json.dumps([{"md5": md5, "relpath": md5} for md5 in files]).encode()
        folder = f"{md5_of(listed)}.dir"
        if self.guarded:
            removals.declare_intent(self.objects, plan.key, stage, {folder, *files})
            self._wait({folder, *files})
        if not self.remote.exists(content_key(folder)):  # a list that is there stands for its files, to DVC
            for md5, content in files.items():
                if not self.remote.exists(content_key(md5)):
                    self.remote.put(content_key(md5), content)
            self.remote.put(content_key(folder), listed)
        self._pause(20)  # the push of other outputs
        lock = {"outs": [{"path": "out", "md5": folder}]}
        create_sealed(self.objects, stage_record_key(plan.key, stage), {"stage": stage, "lock": lock})

    def missing(self) -> dict[str, set[str]]:
        """Data that records of trainings name which are kept, and that the remote lacks, by training."""
        claims = self.operations.state().claims
        newest = sorted(claims, key=lambda key: claims[key].alive, reverse=True)[: POLICY.keep_runs]
        return {key: lost for key in newest if (lost := self.named_by(key) - self.there())}

    def named_by(self, key: str) -> set[str]:
        found = set()
        for info in self.objects.list(stage_records_prefix(key)):
            for out in unseal(self.objects.objects[info.key])["lock"]["outs"]:
                found.add(out["md5"])
                listed = self.remote.objects.get(content_key(out["md5"]), b"[]")
                found |= {item["md5"] for item in json.loads(listed)}
        return found

    def there(self) -> set[str]:
        return {key.removeprefix("files/md5/").replace("/", "") for key in self.remote.objects}

    def _runs(self, name: str) -> dict[str, Callable[[], None]]:
        def run(number: int, words: tuple[str, str]) -> Callable[[], None]:
            whole = name != "run" or number >= self.story.silent

            def act() -> None:
                self._pause(self.story.delay)
                self.training(f"{name}-{number}", words, whole=whole)

            return act

        return {f"{name}-{n}": run(n, words) for n, words in enumerate(self.story.present)}

    def _pruners(self, name: str) -> dict[str, Callable[[], None]]:
        return {f"{name}-{n}": self.prune for n in range(self.story.pruners)}

    def prune(self) -> None:
        prune(self.places, POLICY, clock=self.world.clock)

    def _pause(self, most: int) -> None:
        """Let others get on."""
        for _ in range(self.world.random.randrange(most + 1)):
            self.objects.exists("nothing")

    def _wait(self, names: set[str]) -> None:
        def sleep(seconds: float) -> None:
            self.world.now += timedelta(seconds=seconds)

        removals.wait_for_removals(self.objects, names, clock=self.world.clock, sleep=sleep)


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def simulate(story: Story, *, guarded: bool = True) -> Simulation:
    simulation = Simulation(story, guarded)

    def monotonic() -> float:
        return simulation.world.now.timestamp()

    virtual = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
    with patch.object(removals, "time", virtual), patch.object(sweep, "BATCH", story.batch):
        failures = simulation.act()
    # A pruning that others made too slow stops; so does one whose listed objects another one removed.
    assert all(isinstance(failure, SourceUnavailableError) for failure in failures), failures
    return simulation


@given(story=STORIES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_is_reachable_goes(story: Story) -> None:
    simulation = simulate(story)
    assert simulation.missing() == {}
    # And nothing that is not reachable stays for ever, whatever still runs.
    simulation.world.now += timedelta(days=100)
    simulation.prune()
    claims = simulation.operations.state().claims
    named = {md5 for key in claims for md5 in simulation.named_by(key)}
    assert simulation.there() == named


def test_without_intents_data_would_be_lost() -> None:
    """The stories do meet the race that intents are for."""
    lost = (
        simulate(Story(("one",), (("one", "one"),), 0, 1, 0.0, 150, 3, seed), guarded=False).missing()
        for seed in range(200)
    )
    assert any(lost)
