from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import REMOVALS
from components.housekeeping.parameters import Policy
from components.housekeeping.prune import Pruned, prune
from components.lib.objects.folder import FolderObjects
from components.lib.operations import removals
from components.lib.operations.removals import declare_intent
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
        "deliveries that nothing needs": 0,
        "plans and blocks of maps": 0,
    }
    assert all(f.size > 0 for f in pruned.freed if f.objects)
    assert all(f.objects == 0 for f in run(history).freed), "nothing is left to do"


def test_plans_and_blocks_of_maps_go_by_age_and_maps_stay(history: History) -> None:
    history.training("new")
    objects = history.places.objects
    stays = {"maps/items/x-0/item.json", "maps/catalog.json", "maps/models/m/1/item.json"}
    for key in (*stays, "maps/plans/r1.json", "maps/work/x-0/blocks/000001"):
        objects.put(key, b"{}")

    def there() -> set[str]:
        return {info.key for info in objects.list("maps/")}

    assert maps_freed(run(history, POLICY.model_copy(update={"keep_deliveries_days": 1000}))) == 0
    assert len(there()) == 5
    assert maps_freed(run(history)) == 2
    assert there() == stays


def maps_freed(pruned: Pruned) -> int:
    return {f.kind: f.objects for f in pruned.freed}["plans and blocks of maps"]


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


def test_a_training_at_work_keeps_its_own_and_holds_up_nothing_else(folder: History) -> None:
    """One training every third day kept all data for ever."""
    old, old_data = folder.training("old")
    folder.training("new")
    working = folder.claim("working")
    data = folder.stage(working, "prepare", "tiles of working", "tiles of old")
    folder.checkpoint(working, "optical")
    intended = folder.content(b"made, and about to be recorded")
    declare_intent(folder.places.objects, working.key, "optical", {intended})
    folder.now += LEASE / 2
    run(folder, NOTHING)
    assert folder.remaining(data | {intended}) == data | {intended}
    assert folder.remaining(old_data) == old_data & data != set()
    assert folder.records(old) == []
    assert len(folder.records(working)) == 5


def test_what_was_written_since_a_training_at_work_began_stays(folder: History) -> None:
    _, old_data = folder.training("old")
    folder.claim("working")
    set_age(folder, timedelta(minutes=-1))
    folder.now += LEASE / 2
    run(folder, NOTHING)
    assert folder.remaining(old_data) == old_data


def test_a_failed_training_may_be_at_work_again(folder: History) -> None:
    """Its failed task may have been repeated: the ledger does not tell, its signs of life do."""
    plan = folder.claim("failing")
    folder.operations.failed(plan.run, failure_class="evicted", stage="optical", message="gone")
    folder.checkpoint(plan, "optical")
    data = folder.stage(plan, "prepare", "tiles")
    folder.now += LEASE
    assert not folder.operations.renew(plan.run, lease=LEASE)
    for _ in range(2):  # past the claim's time, not past the sign's
        run(folder, NOTHING)
        assert folder.remaining(data) == data
        folder.now += LEASE - timedelta(hours=1)
    folder.now += timedelta(hours=2)
    run(folder)
    assert any("checkpoints" in key for key in folder.records(plan)), "it may be resumed"
    run(folder, NOTHING)
    assert folder.remaining(data) == set()
    assert folder.records(plan) == []


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
    set_age(folder, timedelta(days=89))
    freed = {f.kind: f.objects for f in run(folder).freed}
    assert folder.remaining(old_data) == old_data
    assert freed["data in the remote"] == freed["run cache entries"] == 0


def test_a_young_folder_keeps_its_old_files(folder: History) -> None:
    """DVC takes a folder whose list is in the remote for complete: a push would leave the files out."""
    _, old_data = folder.training("old")
    folder.training("new")
    set_age(folder, timedelta(days=89), ".dir")
    run(folder)
    assert folder.remaining(old_data) == old_data


def set_age(history: History, age: timedelta, suffix: str = "") -> None:
    """Set the age of objects in the remote whose keys have an ending."""
    remote = history.places.remote
    assert isinstance(remote, FolderObjects)
    for path in remote.root.rglob(f"*{suffix}"):
        written = (history.now - age).timestamp()
        os.utime(path, (written, written))


def test_data_of_the_laptops_own_lock_stay(folder: History) -> None:
    _, old_data = folder.training("old")
    listing = next(md5 for md5 in old_data if md5.endswith(".dir"))
    lock = {"schema": "2.0", "stages": {"x": {"outs": [{"path": "y", "md5": listing}]}}}
    (folder.places.source / "dvc.lock").write_text(yaml.safe_dump(lock))
    folder.training("new")
    run(folder)
    assert listing in folder.remaining(old_data)


def old_and_new(folder: History) -> tuple[FolderObjects, set[str]]:
    """Make two trainings, of which the newer one stays; return the remote, and the data of the older one."""
    _, old_data = folder.training("old")
    folder.training("new")
    assert isinstance(folder.places.remote, FolderObjects)
    return folder.places.remote, old_data


def test_a_training_that_starts_meanwhile_keeps_what_it_takes(
    folder: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, old_data = old_and_new(folder)
    listed, taken = remote.list, set[str]()

    def starting(prefix: str = "") -> object:
        found = listed(prefix)
        if prefix.startswith("runs") and not taken:
            plan = folder.claim("meanwhile")  # its stage found the entry of "old" in the run cache
            taken.update(md5 for md5 in old_data if md5.endswith(".dir"))
            declare_intent(folder.places.objects, plan.key, "prepare", taken)
        return found

    monkeypatch.setattr(remote, "list", starting)
    run(folder)
    assert folder.remaining(old_data) >= taken != set()


def test_a_killed_pruning_leaves_no_list_without_its_files(
    folder: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, old_data = old_and_new(folder)
    deleted, left = remote.delete, [3]

    def killed(key: str) -> None:
        if key.startswith("files"):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        deleted(key)

    monkeypatch.setattr(remote, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    gone = old_data - folder.remaining(old_data)
    assert len(gone) == 3
    assert {md5 for md5 in old_data if md5.endswith(".dir")} <= gone


def test_a_slow_store_ends_the_pruning_before_its_announcement_does(
    folder: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = folder.training("old")
    folder.training("new")
    moments = iter(range(0, 10_000, 200))
    monkeypatch.setattr(removals, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    with pytest.raises(SourceUnavailableError, match="removed in the time announced"):
        run(folder)
    assert folder.records(old)
    assert folder.places.objects.list(REMOVALS) == []


def test_the_newest_trainings_stay_that_a_number_of_bytes_holds(folder: History) -> None:
    plans = [folder.training(word)[0] for word in ("one", "two", "three", "four")]
    told = run(folder, POLICY.model_copy(update={"keep_runs": 3}), dry_run=True)
    assert [(one.run, one.kept) for one in told.trainings] == [
        (plans[3].run, True),
        (plans[2].run, True),
        (plans[1].run, True),
        (plans[0].run, False),
    ]
    four, three = told.trainings[:2]
    assert 0 < three.alone < three.size
    budget = (four.size + three.alone) / 1e9
    run(folder, POLICY.model_copy(update={"keep_runs": 3, "keep_gb": budget}))
    assert [bool(folder.records(plan)) for plan in plans] == [False, False, True, True]
    run(folder, POLICY.model_copy(update={"keep_runs": 3, "keep_gb": 0}))
    assert [bool(folder.records(plan)) for plan in plans] == [False, False, False, True]


def test_a_dry_run_tells_what_a_damaged_training_holds_of_records(folder: History) -> None:
    old, _ = folder.training("old")
    folder.training("new")
    folder.places.objects.put(f"work/{old.key}/stages/prepare.json", b"{}")
    told = {one.run: one for one in run(folder, dry_run=True).trainings}
    assert told[old.run].size == told[old.run].alone > 0


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
