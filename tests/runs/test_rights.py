"""Every command does its work with the rights of its account, and with no fewer than it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.acquisitions.registration import Registrar
from components.contract.errors import SourceUnavailableError
from components.contract.graph.load import load_graph
from components.contract.keys import (
    OPERATIONS,
    PROBE,
    alive_key,
    catalogue_key,
    champion_chain,
    entry_key,
    head_key,
    stage_checkpoints_prefix,
)
from components.contract.rights import DATA_STAGES, RIGHTS, Verb, allows
from components.contract.work import Work
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.prune import prune
from components.housekeeping.verify import verify
from components.lib.ledger.chain import Chain
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.tracking import connection
from components.runs.checkpoints import CheckpointMirror
from components.runs.environment import Environment
from components.runs.finish import finish
from components.runs.pages import fetch_pages
from components.runs.plan import plan
from components.runs.release import release
from components.runs.stage import run_stage
from components.runs.status.page import read_status
from tests.acquisitions.releases import land
from tests.conftest import ROOT
from tests.guarded_objects import GuardedObjects
from tests.housekeeping.history import LEASE, History
from tests.runs.pipeline import World

ACCOUNTS = {"prepare": "data", "distill@one": "train"}


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], GuardedObjects]:
    """Function that makes the store of all commands that of an account."""

    def act(account: str) -> GuardedObjects:
        guarded: list[GuardedObjects] = []

        def objects(environment: Environment) -> ObjectStore:
            if not guarded:
                guarded.append(GuardedObjects(open_objects(environment.objects_uri), account))
            return guarded[0]

        monkeypatch.setattr(Environment, "objects", property(objects))
        guarded.append(GuardedObjects(open_objects(Environment.read().objects_uri), account))
        return guarded[0]

    return act


def test_a_run_needs_no_more_than_its_accounts_have(
    world: World, acting: Callable[[str], GuardedObjects]
) -> None:
    store = acting("ledger")
    assert plan(world.environment(), "r1", force=True) == 0
    for stage, account in ACCOUNTS.items():
        store = acting(account)
        assert run_stage(world.environment(), stage, "r1") == 0
        assert store.refused == set()
        assert any(verb == "create" and key.endswith(f"/stages/{stage}.json") for verb, key in store.used)
        assert ("list", "removals/") in store.used
    store = acting("ledger")
    assert finish(world.environment(), "r1") == 0
    assert store.refused == set()


def test_a_look_at_the_whole_writes_nothing_and_a_release_one_entry(
    trained: World, acting: Callable[[str], GuardedObjects], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection._PATIENCE, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    store = acting("ledger")
    read_status(trained.environment())
    fetch_pages(trained.environment(), "r1", tmp_path / "pages")
    assert store.refused == set()
    assert {verb for verb, _ in store.used} <= {"list", "read"}
    assert release(trained.environment(), "r1", "a test") == 0
    assert store.refused == set()
    assert ("create", entry_key(OPERATIONS, 2)) in store.used


def test_a_failing_stage_leaves_its_record_with_the_rights_of_its_account(
    world: World, acting: Callable[[str], GuardedObjects]
) -> None:
    acting("ledger")
    plan(world.environment(), "r1", force=True)
    (world.source / "components/steps/step.py").write_text("raise SystemExit(65)\n")
    store = acting("data")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("components.runs.stage.require_planned_code", lambda *_: None)
        assert run_stage(world.environment(), "prepare", "r1") == 65
    assert store.refused == set()
    assert any(verb == "create" and "/failures/prepare-1" in key for verb, key in store.used)


def test_training_sends_restores_and_removes_its_checkpoints(tmp_path: Path) -> None:
    guarded = GuardedObjects(open_objects(str(tmp_path / "objects")), "train")
    folder = tmp_path / "work" / "checkpoints"
    folder.mkdir(parents=True)
    prefix = stage_checkpoints_prefix("k", "distill@one")
    mirror = CheckpointMirror(guarded, prefix, folder, tmp_path / "work" / "scratch")
    for content in (b"step 1", b"step 20"):
        (folder / "last.pt").unlink(missing_ok=True)
        (folder / "last.pt").write_bytes(content)
        assert mirror.sync()
    assert CheckpointMirror(guarded, prefix, tmp_path / "again", tmp_path / "scratch").restore()
    mirror.discard()
    assert guarded.refused == set()
    assert {verb for verb, _ in guarded.used} >= {"write", "read", "delete"}


def test_the_guard_guards(tmp_path: Path) -> None:
    guarded = GuardedObjects(open_objects(str(tmp_path)), "data")
    for key in ("work/k/stages/distill@one.json", entry_key(OPERATIONS, 1)):
        with pytest.raises(SourceUnavailableError, match="data may not create"):
            guarded.create(key, b"")
    assert {verb for verb, _ in guarded.refused} == {"create"}


def test_registering_withdrawing_and_promoting_need_the_rights_of_the_ledger(tmp_path: Path) -> None:
    landing, objects = open_objects(str(tmp_path / "landing")), open_objects(str(tmp_path / "objects"))
    land(landing, "new-1")
    landing.put("torn/COMPLETE.json", b"{")
    guarded = GuardedObjects(objects, "ledger")
    found = Registrar(GuardedObjects(landing, "ledger", "landing"), guarded).look()
    assert (found.registered, [one.id for one in found.rejected]) == (["new-1"], ["torn"])
    assert Operations(guarded).withdraw("new-1", "a test")
    chain = Chain(guarded, champion_chain("stormsight-sar"))
    chain.append(chain.append(None, {"action": "promote"}), {"action": "rollback"})
    assert guarded.refused == set()


def test_housekeeping_needs_its_rights_and_no_others_delete(tmp_path: Path) -> None:
    plain = Places(open_objects(str(tmp_path / "objects")), open_objects(str(tmp_path / "remote")), tmp_path)
    history = History(plain)
    history.training("old")
    history.training("new")
    for key in (
        "deliveries/never-registered/0123/a.tif",
        "maps/plans/r1.json",
        "maps/work/x-0/blocks/000001",
    ):
        plain.objects.put(key, b"tile")
    objects = GuardedObjects(plain.objects, "housekeeping")
    remote = GuardedObjects(plain.remote, "housekeeping", "remote")
    pruned = prune(
        Places(objects, remote, tmp_path),
        Policy(
            keep_runs=1,
            keep_gb=None,
            keep_cache_days=90,
            keep_deliveries_days=30,
            abandoned_h=LEASE.total_seconds() / 3600,
        ),
        clock=lambda: history.now,
    )
    assert all(freed.objects for freed in pruned.freed)
    assert objects.refused | remote.refused == set()
    reading = GuardedObjects(plain.objects, "ledger")
    verify(reading)
    assert reading.refused == set()


LEDGER_KEYS = [
    entry_key(OPERATIONS, 7),
    head_key(OPERATIONS),
    entry_key(champion_chain("stormsight-sar"), 7),
    head_key(champion_chain("stormsight-sar")),
    catalogue_key("new-1"),
    "runs/r1/plan.json",
    "work/abc/decisions.json",
    "work/abc/decisions-change-sgsln.json",
    "work/abc/stages/evaluate.json",
    "work/abc/stages/promote.json",
    "work/abc/checkpoints/distill@one/manifest.json",
]


@pytest.mark.parametrize("key", LEDGER_KEYS)
@pytest.mark.parametrize("verb", ["create", "write", "delete"])
@pytest.mark.parametrize("account", ["data", "map"])
def test_pods_that_parse_foreign_rasters_change_nothing_that_decisions_rest_on(
    account: str, verb: Verb, key: str
) -> None:
    assert not allows(account, "objects", verb, key)


def test_mapping_writes_maps_alone_and_replaces_no_plan_and_no_block() -> None:
    for grant in RIGHTS["map"]:
        assert not {"create", "write", "delete"} & {*grant.verbs} or grant.keys.startswith(("maps/", PROBE))
    for key in ("maps/plans/r1.json", "maps/work/x/blocks/000001", "maps/models/stormsight-sar/1/item.json"):
        assert not allows("map", "objects", "write", key)


@pytest.mark.parametrize("account", sorted(set(RIGHTS) - {"ledger"}))
def test_ledgers_are_written_by_their_account_alone(account: str) -> None:
    for key in LEDGER_KEYS[:5]:
        assert not any(allows(account, "objects", verb, key) for verb in ("create", "write", "delete"))


@pytest.mark.parametrize("account", sorted(RIGHTS))
def test_no_account_replaces_or_removes_an_entry_of_a_ledger(account: str) -> None:
    for key in (entry_key(OPERATIONS, 7), entry_key(champion_chain("m"), 7), catalogue_key("new-1")):
        assert not any(allows(account, "objects", verb, key) for verb in ("write", "delete"))


def test_what_deletes_what() -> None:
    """Training removes checkpoints, mapping blocks, promote an overtaken decision, housekeeping the rest."""
    deleting = {
        (account, grant.store, grant.keys)
        for account, grants in RIGHTS.items()
        for grant in grants
        if "delete" in grant.verbs
    }
    assert deleting == {
        ("train", "objects", "work/*/checkpoints/*"),
        ("ledger", "objects", "work/*/decisions.json"),
        ("ledger", "objects", "work/*/decisions-*.json"),
        ("housekeeping", "objects", "runs/*"),
        ("housekeeping", "objects", "work/*"),
        ("housekeeping", "objects", "deliveries/*"),
        ("housekeeping", "objects", "maps/plans/*"),
        ("housekeeping", "objects", "maps/work/*"),
        ("map", "objects", "maps/work/*"),
        ("housekeeping", "objects", "removals/*"),
        ("housekeeping", "remote", "*"),
    }


def test_every_stage_of_the_graph_may_leave_its_record() -> None:
    """The profile `change` has all stages, those that other profiles leave out among them."""
    for stage in load_graph(ROOT / "dvc.yaml", ROOT / "params.yaml", "change").stages:
        account = Work((), stage.requirements, stage=stage.address).pod_account
        assert allows(account, "objects", "create", f"work/0/stages/{stage.address}.json")
        assert allows(account, "objects", "create", f"work/0/failures/{stage.address}-1.json")
        assert allows(account, "objects", "create", f"work/0/intents/{stage.address}-0123.json")
        assert allows(account, "objects", "list", "removals/")
        assert allows(account, "objects", "write", alive_key("r1"))
        assert (account == "data") == (stage.address.partition("@")[0] in DATA_STAGES)
