"""The champions' history as a chain of changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import champion_chain
from components.contract.parameters import read_sections
from components.lib.ledger.chain import GENESIS, Chain
from components.lib.ledger.chain import Entry as Link
from components.lib.objects.opening import objects_from_environment
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import (
    Action,
    ChampionChange,
    ChampionEntry,
    ChampionLedger,
    champions,
    decision_of,
    open_ledgers,
)
from components.runs.environment import Environment

HASH = "d" * 64
MODEL = "stormsight-sar"
STEPS: tuple[tuple[Action, str, str | None], ...] = (
    ("promote", "1", None),
    ("promote", "2", "1"),
    ("promote", "3", "2"),
    ("rollback", "2", "3"),
    ("promote", "4", "2"),
)


def change(action: Action, version: str, previous: str | None, **fields: Any) -> ChampionChange:
    values = {"model": MODEL, "decision": HASH, "reason": "a test", **fields}
    return ChampionChange(action=action, version=version, previous_version=previous, **values)


def fill(ledger: ChampionLedger) -> list[ChampionEntry]:
    """Promote 1, 2, 3, roll back to 2, promote 4."""
    for step in STEPS:
        entries = ledger.entries()
        ledger.append(ledger.next_entry(entries[-1] if entries else None, change(*step)))
    return ledger.entries()


@pytest.fixture
def ledger(tmp_path: Path) -> ChampionLedger:
    return open_ledgers(str(tmp_path / "ledger")).of(MODEL)


def test_entries_come_back_in_order_and_linked(ledger: ChampionLedger) -> None:
    entries = fill(ledger)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.chained.prev_hash for entry in entries] == [GENESIS, *(e.hash for e in entries[:-1])]
    assert [(e.action, e.version, e.previous_version) for e in entries] == list(STEPS)
    assert champions(entries) == ["1", "2", "4"]
    assert ledger.entries() == entries


def test_a_restored_champion_has_the_decision_that_promoted_it(ledger: ChampionLedger) -> None:
    entries: list[ChampionEntry] = []
    for step, letter in zip(STEPS, "abcde", strict=True):
        head = entries[-1] if entries else None
        entries.append(ledger.next_entry(head, change(*step, decision=letter * 64)))
    assert [decision_of(entries[:length])[:1] for length in range(6)] == ["", "a", "b", "c", "b", "e"]


def test_an_absent_ledger_is_empty(ledger: ChampionLedger) -> None:
    assert ledger.entries() == []


@pytest.mark.parametrize(
    "body",
    [
        change("promote", "5", "3").body(),  # from a champion that is none
        change("promote", "5", None).body(),
        change("rollback", "4", "4").body(),  # not back at all
        {**change("promote", "5", "4").body(), "version": None},
        {**change("promote", "5", "4").body(), "version": 5},
        {**change("promote", "5", "4").body(), "decision": None},
        {**change("promote", "5", "4").body(), "reason": ["a", "list"]},
        change("rollback", "3", "4").body(),  # not the one before
        change("promote", "5", "4", model="stormsight-optical").body(),
        {**change("promote", "5", "4").body(), "surplus": 1},
        {**change("promote", "5", "4").body(), "action": "crown"},
        {},
    ],
)
def test_a_change_that_cannot_follow_breaks_the_ledger(ledger: ChampionLedger, body: dict[str, Any]) -> None:
    fill(ledger)
    links: list[Link] = ledger.chain.entries()
    ledger.chain.append(links[-1], body)
    with pytest.raises(BadDataError, match=rf"ledger .*/{MODEL}, entry 6:"):
        ledger.entries()


@pytest.mark.parametrize(("version", "left"), [("2", ["1", "2"]), ("1", ["1"]), (None, [])])
def test_a_rollback_may_skip_champions_that_are_gone(
    ledger: ChampionLedger, version: str | None, left: list[str]
) -> None:
    entries = fill(ledger)
    back = ChampionChange(
        action="rollback", model=MODEL, version=version, previous_version="4", decision=HASH, reason="gone"
    )
    ledger.append(ledger.next_entry(entries[-1], back))
    assert champions(ledger.entries()) == left


def remove_last(folder: Path) -> None:
    (folder / "000000005.json").unlink()


def change_version(folder: Path) -> None:
    path = folder / "000000002.json"
    path.write_bytes(path.read_bytes().replace(b'"version":"2"', b'"version":"9"'))


@pytest.mark.parametrize(("tamper", "entry"), [(remove_last, 5), (change_version, 2)])
def test_tampering_is_found(
    ledger: ChampionLedger, tmp_path: Path, tamper: Callable[[Path], None], entry: int
) -> None:
    fill(ledger)
    tamper(tmp_path / "ledger" / MODEL)
    with pytest.raises(BadDataError, match=rf"/{MODEL}, entry {entry}:"):
        open_ledgers(str(tmp_path / "ledger")).of(MODEL).entries()


def test_the_object_store_of_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))
    fill(open_ledgers(str(tmp_path / "ledger")).of(MODEL))
    assert not (tmp_path / "ledger").exists()
    assert (tmp_path / "objects" / "ledger" / "champions" / MODEL / "000000005.json").is_file()
    monkeypatch.delenv("STORMSIGHT_OBJECTS")
    assert isinstance(open_ledgers(str(tmp_path / "ledger")).of(MODEL).chain, Chain)
    assert open_ledgers(str(tmp_path / "ledger")).of(MODEL).entries() == []


def test_the_default_place_is_that_of_the_object_store(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The champions' history is one, whether ``dvc repro``, Airflow's local mode or a command asks for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORMSIGHT_OBJECTS", raising=False)
    default = read_sections(repository / "params.yaml")["promote"]["ledger"]
    entries = fill(open_ledgers(default).of(MODEL))
    monkeypatch.setenv("STORMSIGHT_OBJECTS", Environment.read({}).objects_uri)
    assert open_ledgers(default).of(MODEL).entries() == entries
    assert Chain(objects_from_environment(), champion_chain(MODEL)).entries()
    assert not (tmp_path / default / ".unfinished").exists()


def test_entries_of_former_code_without_an_actor_are_read_and_followed(
    registry: ChampionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {
        "action": "promote",
        "model": MODEL,
        "version": "1",
        "previous_version": None,
        "decision": "d" * 64,
        "reason": "by former code",
    }
    chain = registry.ledger.chain
    client = registry.connection.client
    former = chain.next_entry(None, body)
    client.set_registered_model_tag(MODEL, f"ledger_entry.{former.hash}", former.hash)
    chain.put_entry(former)
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    registry.promote("2", decided_against="1", decision="e" * 64, reason="a test")
    first, second = registry.require_agreement()
    assert (first.hash, first.change.actor, first.change.body()) == (former.hash, None, body)
    assert (second.chained.prev_hash, second.change.actor) == (former.hash, "ada")
    assert set(second.change.files or {}) == {"weights.safetensors", "model.json"}
    monkeypatch.setenv("STORMSIGHT_ACTOR", "grace")
    assert registry.rollback("a test").change.actor == "grace"
    registry.require_agreement()
