from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from components.contract.errors import BadDataError
from components.housekeeping.parameters import Policy
from components.housekeeping.prune import Pruned, prune
from components.lib.objects.folder import FolderObjects
from tests.housekeeping.history import LEASE, History

POLICY = Policy(keep_runs=1, keep_gb=None, keep_cache_days=90, keep_deliveries_days=30, abandoned_h=72)
NOTHING = POLICY.model_copy(update={"keep_runs": 0, "keep_cache_days": 0})


def run(history: History, policy: Policy = POLICY, *, dry_run: bool = False) -> Pruned:
    return prune(history.places, policy, dry_run=dry_run, clock=lambda: history.now)


def test_the_newest_training_stays_whole_and_the_others_go(history: History) -> None:
    old, old_data = history.training("old")
    new, new_data = history.training("new")
    pruned = run(history)
    assert history.records(old) == []
    assert history.remaining(old_data) == old_data & new_data != set(), "what both made stays"
    assert history.remaining(new_data) == new_data
    assert not any("checkpoints" in key for key in history.records(new))
    assert f"work/{new.key}/record.json" in history.records(new)
    assert f"runs/{new.run}/plan.json" in history.records(new)
    freed = {f.kind: f.objects for f in pruned.freed}
    assert freed == {
        "records of old trainings": 6,  # plan, record, two stages, two of the checkpoint
        "checkpoints of finished trainings": 2,
        "run cache entries": 2,
        "data in the remote": 4,  # tiles and weights, and the lists of their folders
    }
    assert all(f.size > 0 for f in pruned.freed)
    assert all(f.objects == 0 for f in run(history).freed), "nothing is left to do"


def test_a_dry_run_tells_the_same_and_removes_nothing(folder: History) -> None:
    old, old_data = folder.training("old")
    folder.training("new")
    told = run(folder, dry_run=True)
    assert folder.remaining(old_data) == old_data
    assert folder.records(old)
    assert run(folder) == told


def test_the_ledger_and_the_catalogue_stay(folder: History) -> None:
    folder.training("old")
    run(folder, NOTHING)
    assert len(folder.operations.verify()) == 3
    assert folder.places.objects.exists("catalogue/first.json")


def test_a_training_at_work_keeps_everything_it_could_use(folder: History) -> None:
    old, old_data = folder.training("old")
    folder.training("new")
    working = folder.claim("working")
    folder.stage(working, "prepare", "tiles of working")
    folder.checkpoint(working, "optical")
    folder.now += LEASE / 2
    pruned = run(folder, NOTHING)
    assert pruned.waiting == (working.run,)
    assert folder.remaining(old_data) == old_data
    assert folder.records(old) == [], "records of a finished training are nobody's input"
    assert len(folder.records(working)) == 4


def test_a_failed_training_may_be_at_work_again(folder: History) -> None:
    """Its failed task may have been repeated: the ledger does not tell."""
    plan = folder.claim("failing")
    folder.operations.failed(plan.run, failure_class="evicted", stage="optical", message="gone")
    folder.checkpoint(plan, "optical")
    assert run(folder).waiting == (plan.run,)
    folder.now += LEASE + timedelta(hours=1)
    assert run(folder).waiting == ()
    assert any("checkpoints" in key for key in folder.records(plan)), "it may be resumed"


def test_checkpoints_of_a_training_that_failed_for_good_go(folder: History) -> None:
    plan = folder.claim("failing")
    folder.operations.failed(plan.run, failure_class="bad_data", stage="optical", message="broken")
    folder.checkpoint(plan, "optical")
    folder.now += LEASE * 2
    run(folder)
    assert folder.records(plan) == [f"runs/{plan.run}/plan.json"]


@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_champions_training_stays(folder: History, rolled_back: bool) -> None:
    """The champion and the one that a rollback would restore, however old; not those before."""
    plans = []
    for number in "1234":
        decision = number * 64
        plans.append(folder.training(number, decision={"sha256": decision})[0])
        folder.champion(number, decision)
    if rolled_back:
        folder.champion("3", "f" * 64, "rollback")
    plans.append(folder.training("newest")[0])
    run(folder)
    kept = [bool(folder.records(plan)) for plan in plans]
    assert kept == ([False, True, True, False, True] if rolled_back else [False, False, True, True, True])


def test_the_training_of_a_challenger_that_awaits_approval_stays(folder: History) -> None:
    plan, _ = folder.training("waiting", decision={"sha256": "1" * 64})
    folder.approval("1" * 64)
    folder.training("newest")
    run(folder)
    assert folder.records(plan)
    folder.approval("2" * 64)
    run(folder)
    assert not folder.records(plan)


def test_young_data_stay(folder: History) -> None:
    _, old_data = folder.training("old")
    folder.training("new")
    remote = folder.places.remote
    assert isinstance(remote, FolderObjects)
    for path in remote.root.rglob("*"):
        young = folder.now - timedelta(days=89)
        os.utime(path, (young.timestamp(), young.timestamp()))
    freed = {f.kind: f.objects for f in run(folder).freed}
    assert folder.remaining(old_data) == old_data
    assert freed["data in the remote"] == freed["run cache entries"] == 0


def test_data_of_the_laptops_own_lock_stay(folder: History) -> None:
    _, old_data = folder.training("old")
    listing = next(md5 for md5 in old_data if md5.endswith(".dir"))
    lock = {"schema": "2.0", "stages": {"x": {"outs": [{"path": "y", "md5": listing}]}}}
    (folder.places.source / "dvc.lock").write_text(yaml.safe_dump(lock))
    folder.training("new")
    run(folder)
    assert listing in folder.remaining(old_data)


def test_a_training_that_starts_meanwhile_stops_the_rest(
    folder: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, old_data = folder.training("old")
    folder.training("new")
    remote = folder.places.remote
    assert isinstance(remote, FolderObjects)
    listed = remote.list

    def starting(prefix: str = "") -> object:
        found = listed(prefix)
        if prefix.startswith("files"):
            folder.claim("meanwhile")
        return found

    monkeypatch.setattr(remote, "list", starting)
    run(folder)
    assert folder.remaining(old_data) == old_data


def test_nothing_goes_on_the_word_of_a_broken_ledger(folder: History) -> None:
    old, old_data = folder.training("old")
    folder.training("new")
    objects = folder.places.objects
    objects.put("ledger/operations/000000002.json", objects.get("ledger/operations/000000003.json"))
    with pytest.raises(BadDataError, match="entry 2"):
        run(folder)
    assert folder.remaining(old_data) == old_data
    assert folder.records(old)


@pytest.mark.parametrize("damage", ["record", "folder"])
def test_no_data_go_when_a_kept_record_cannot_be_read(folder: History, damage: str) -> None:
    _, old_data = folder.training("old")
    new, new_data = folder.training("new")
    if damage == "record":
        folder.places.objects.put(f"work/{new.key}/stages/prepare.json", b"{}")
    else:
        listing = next(md5 for md5 in sorted(new_data) if md5.endswith(".dir"))
        folder.places.remote.delete(f"files/md5/{listing[:2]}/{listing[2:]}")
    with pytest.raises(BadDataError, match=r"cannot be told|damaged"):
        run(folder)
    assert folder.remaining(old_data) == old_data


def test_a_foreign_object_is_left_alone(folder: History) -> None:
    folder.training("old")
    for key in ("notes.txt", "runs/by-hand/note.json", "work/elsewhere/note.json"):
        folder.places.objects.put(key, b"{}")
    run(folder, NOTHING)
    assert folder.places.objects.exists("notes.txt")
    assert folder.places.objects.exists("runs/by-hand/note.json")
    assert folder.places.objects.exists("work/elsewhere/note.json")


def test_a_broken_run_cache_entry_goes(folder: History, tmp_path: Path) -> None:
    folder.training("new")
    folder.places.remote.put("runs/aa/aa/aa", b"{")
    assert {f.kind: f.objects for f in run(folder).freed}["run cache entries"] == 1
