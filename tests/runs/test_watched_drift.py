"""Drift after a training: new acquisitions against the champion before it; nothing fails for it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.contract.drift import COMPARISONS, comparison_key
from components.contract.errors import SourceUnavailableError
from components.contract.hashing import sha256_json
from components.contract.keys import CHAMPIONS, run_record_key
from components.housekeeping.verify import verify
from components.lib.drift.records import ComparisonRecord, Locations, list_comparisons, read_comparisons
from components.lib.drift.reference import find_champion, read_reference
from components.lib.drift.report import compare_pixels
from components.lib.objects.content import content_key
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed
from components.lib.operations.requests import RetrainingRequests
from components.lib.registry.ledger import ChampionChange, ChampionLedgers
from components.runs.drift import watch_drift
from components.runs.environment import Environment
from components.runs.finish import finish
from tests.guarded_objects import GuardedObjects
from tests.lib.drift.tables import features
from tests.lib.history.ledgers import Trainings
from tests.runs.pipeline import World

MODEL = "stormsight-sar"


class Watched:
    """Trainings whose records name a table of features in DVC's remote, and their champions."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects, self.remote = FolderObjects(root / "objects"), FolderObjects(root / "remote")
        self.trainings = Trainings(self.objects)
        self.guarded = GuardedObjects(self.objects, "ledger")
        monkeypatch.setattr(Environment, "objects", property(lambda _: self.guarded))
        self.environment = Environment.read({"STORMSIGHT_REMOTE": str(root / "remote")})

    def content(self, content: bytes, ending: str = "") -> str:
        digest = md5(content).hexdigest() + ending
        self.remote.put(content_key(digest), content)
        return digest

    def validated(self, tables: Sequence[pd.DataFrame], quarantine: str = "") -> str:
        """Leave the output of `verdict` in the remote; return its MD5."""
        buffer = io.BytesIO()
        pd.concat(tables).to_parquet(buffer)
        listed = f"acquisition,image_id,product,rule,reason\n{quarantine}".encode()
        files = {"features.parquet": buffer.getvalue(), "quarantine.csv": listed}
        entries = [{"relpath": name, "md5": self.content(content)} for name, content in files.items()]
        return self.content(json.dumps(entries).encode(), ".dir")

    def train(self, run: str, validated: str, acquisitions: Sequence[str]) -> str:
        """Let a training succeed; return its key."""
        plan = self.trainings.claim(run)
        part = {"outcome": "promoted", "reasons": [], "decision_sha256": sha256_json(run)}
        record = {
            "acquisitions": [{"id": name, "sha256": "0" * 64} for name in acquisitions],
            "data": {"data/validated": validated, "models/sar": None},
            "decision": {"models": {MODEL: part}},
        }
        create_sealed(self.objects, run_record_key(plan.key), record)
        self.trainings.operations.succeeded(run, record_sha256=sha256_json(record), promoted=True)
        return plan.key

    def promote(self, run: str, version: str) -> None:
        ledger = ChampionLedgers(self.objects, CHAMPIONS).of(MODEL)
        known = ledger.entries()
        change = ChampionChange(
            action="promote",
            model=MODEL,
            version=version,
            previous_version=known[-1].version if known else None,
            decision=sha256_json(run),
            reason="it sees more",
            files={"model.json": version * 64},
        )
        ledger.append(ledger.next_entry(known[-1] if known else None, change))


def before(function: Callable[..., Any], first: Callable[[str], None]) -> Callable[..., Any]:
    """Return a comparison that calls ``first`` with its acquisition."""

    def both(tiles: object, acquisition: str, *others: object) -> Any:
        first(acquisition)
        return function(tiles, acquisition, *others)

    return both


def records(objects: ObjectStore, keys: Sequence[str]) -> list[ComparisonRecord]:
    """Return records of which none is damaged."""
    found = read_comparisons(objects, keys)
    sound = [one for one in found if isinstance(one, ComparisonRecord)]
    assert len(sound) == len(found)
    return sound


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Watched:
    caplog.set_level(logging.INFO)
    return Watched(tmp_path, monkeypatch)


OLD = features("old", 40, 1)
NEW = [features("same", 24, 2), features("bright", 24, 3, brighter=4), features("few", 2, 4)]


def test_new_acquisitions_are_compared_once_with_the_champion_before(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("old", "same", "bright", "few", "gone"):
        watched.trainings.register(name)
    first = watched.train("r1", watched.validated([OLD], "old,old_tile_0,SAR,x,y\n"), ["old"])
    watched.promote("r1", "3")
    watch_drift(watched.environment, "r1", first)
    assert "no champion of stormsight-sar stood before it" in caplog.text
    assert "version 3: reference of 39 tiles is kept" in caplog.text
    taken = ["bright", "few", "gone", "old", "same"]
    second = watched.train("r2", watched.validated([OLD, *NEW]), taken)
    watched.promote("r2", "4")
    watch_drift(watched.environment, "r2", second)
    keys = [comparison_key(MODEL, "3", name) for name in ("bright", "few", "gone", "same")]
    bright, few, gone, same = records(watched.objects, keys)
    assert [one.outcome for one in (bright, few, gone, same)] == ["drifted", "refused", "refused", "same"]
    assert "1 locations against 20" in few.refused
    assert (few.sensor, few.simulated, gone.sensor) == ("simulated-airborne", True, "")
    assert (bright.reference.version, bright.locations) == (
        "3", Locations(reference=20, acquisition=12, block_m=1000.0),
    )  # fmt: skip
    assert bright.statistics[0].statistic == bright.shifted[0]
    [(entry, request)] = RetrainingRequests(watched.objects).all()
    assert (request.acquisition, request.version) == ("bright", "3")
    assert bright.request is not None
    assert bright.request.seq == entry.seq
    held = read_reference(watched.objects, find_champion(watched.objects, MODEL)).tiles.table
    assert set(held["acquisition"]) == {"old", "same", "bright", "few"}
    before = [(info.key, watched.objects.get(info.key)) for info in watched.objects.list()]
    watch_drift(watched.environment, "r2", second)
    assert "no acquisition is new to stormsight-sar version 3" in caplog.text
    assert [(info.key, watched.objects.get(info.key)) for info in watched.objects.list()] == before
    assert watched.guarded.refused == set()
    assert all(found.sound for found in verify(watched.objects) if found.subject == "records")


def test_a_champion_that_a_person_approved_gets_its_reference_from_its_training(watched: Watched) -> None:
    watched.trainings.register("same")
    watched.train("r1", watched.validated([OLD]), ["old"])
    watched.promote("r1", "3")
    second = watched.train("r2", watched.validated([OLD, NEW[0]]), ["same"])
    watch_drift(watched.environment, "r2", second)
    [record] = records(watched.objects, [info.key for info in list_comparisons(watched.objects)])
    assert (record.acquisition, record.reference.version, record.outcome) == ("same", "3", "same")


def test_a_bad_acquisition_never_stops_the_others(
    watched: Watched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge, strange, away = (
        features(name, 24, k) for k, name in enumerate(("huge", "strange", "away"), start=5)
    )
    huge["sar_mean_HH"] *= 1e300
    huge.loc[0, "sar_mean_VV"] = float("inf")
    strange["sensor"] = "no-sensor"
    for name in ("defect", "huge", "strange", "away", "same"):
        watched.trainings.register(name)
    watched.train("r1", watched.validated([OLD]), ["old"])
    watched.promote("r1", "3")
    tables = [OLD, NEW[0], huge, strange, away, features("defect", 24, 9)]
    second = watched.train("r2", watched.validated(tables), ["defect", "huge", "strange", "away", "same"])
    watched.trainings.operations.withdraw("away", "of another city")

    def some_fail(name: str) -> None:
        if name == "defect":
            raise KeyError("a defect")

    monkeypatch.setattr("components.runs.drift.compare_pixels", before(compare_pixels, some_fail))
    watch_drift(watched.environment, "r2", second)
    assert "run r2 ended, but defect was not compared: a defect" in caplog.text
    keys = [info.key for info in watched.objects.list(COMPARISONS)]
    found = {one.acquisition: one for one in records(watched.objects, keys)}
    assert {name: one.outcome for name, one in found.items()} == {
        "huge": "drifted", "strange": "refused", "same": "same",
    }  # fmt: skip
    assert "the reference has no tile of no-sensor" in found["strange"].refused
    [(_, request)] = RetrainingRequests(watched.objects).all()
    assert request.acquisition == "huge"


def test_a_store_that_stops_answering_is_asked_no_further(
    watched: Watched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("same", "bright"):
        watched.trainings.register(name)
    watched.train("r1", watched.validated([OLD]), ["old"])
    watched.promote("r1", "3")
    second = watched.train("r2", watched.validated([OLD, *NEW]), ["same", "bright"])

    def silent(*_: object) -> None:
        raise SourceUnavailableError("it does not answer", next_step="wait")

    with monkeypatch.context() as patch:
        patch.setattr("components.runs.drift.keep_comparison", silent)
        watch_drift(watched.environment, "r2", second)
    assert caplog.text.count("it does not answer") == 1
    assert not watched.objects.list(COMPARISONS)
    watch_drift(watched.environment, "r2", second)
    assert len(watched.objects.list(COMPARISONS)) == 2


def test_trouble_is_told_in_one_line_and_fails_nothing(
    watched: Watched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.trainings.register("same")
    watched.promote("elsewhere", "3")
    key = watched.train("r1", watched.validated([OLD]), ["same"])
    watch_drift(watched.environment, "r1", key)
    assert "before it: stormsight-sar version 3 has no reference; make it with" in caplog.text
    watched.promote("r1", "4")
    for info in watched.remote.list():
        watched.remote.delete(info.key)
    watch_drift(watched.environment, "r1", key)
    assert "the reference of its champion was not kept: " in caplog.text
    assert not watched.objects.list(COMPARISONS)
    caplog.clear()

    def defect(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("components.runs.drift.product_of", defect)
    watch_drift(watched.environment, "r1", key)
    assert "run r1 ended, but drift was not looked for: a defect" in caplog.text


def test_finish_looks_at_the_drift(trained: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert finish(trained.environment(), "r1") == 0
    assert "run r1: no champion of stormsight-sar stood before it" in caplog.text
