from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError, ChampionChangedError, MissingInputError
from components.lib.registry.agreement import ANNOUNCED, HEAD_TAG
from components.lib.registry.artefact import CHAMPION, by_alias
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry
from components.lib.tracking.connection import Connection
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.models import HASH, MODEL, promote, register_version
from tests.lib.registry.test_ledger import change


def written(registry: ChampionRegistry, version: str, previous: str, *, announced: bool) -> ChampionEntry:
    """An entry that a process appended before it was killed, or somebody past the gate."""
    entry = registry.ledger.next_entry(registry.ledger.entries()[-1], change("promote", version, previous))
    if announced:
        registry.connection.client.set_registered_model_tag(MODEL, ANNOUNCED + entry.hash, entry.hash)
    registry.ledger.append(entry)
    return entry


def test_promotions_move_the_alias_and_are_recorded(registry: ChampionRegistry) -> None:
    registry.require_agreement()
    assert registry.current() is None
    promote(registry, "1", "3")
    registry.require_agreement()
    assert registry.current() == "3"
    entries = registry.ledger.entries()
    assert [(e.action, e.version, e.previous_version) for e in entries] == [
        ("promote", "1", None),
        ("promote", "3", "1"),
    ]
    assert registry.connection.client.get_registered_model(MODEL).tags[HEAD_TAG] == entries[-1].hash


def test_a_decision_against_a_former_champion_is_refused_and_leaves_no_trace(
    registry: ChampionRegistry,
) -> None:
    promote(registry, "1", "2")
    with pytest.raises(
        ChampionChangedError, match="judged against version 1, but the champion is version 2 by now"
    ):
        registry.promote("3", decided_against="1", decision=HASH, reason="a test")
    with pytest.raises(ChampionChangedError, match="judged against none"):
        registry.promote("3", decided_against=None, decision=HASH, reason="a test")
    assert registry.current() == "2"
    assert len(registry.ledger.entries()) == 2
    registry.require_agreement()


def test_rollback_goes_back_one_champion_at_a_time(registry: ChampionRegistry) -> None:
    promote(registry, "1", "2", "3")
    assert registry.rollback("a test").version == "2"
    assert registry.current() == "2"
    assert registry.rollback("a test").version == "1"
    registry.require_agreement()
    with pytest.raises(MissingInputError, match="no earlier champion"):
        registry.rollback("a test")
    promote(registry, "3")
    assert registry.rollback("a test").version == "1"
    assert [e.action for e in registry.ledger.entries()] == ["promote"] * 3 + ["rollback"] * 2 + [
        "promote",
        "rollback",
    ]


def test_rollback_without_any_champion_is_a_clear_error(registry: ChampionRegistry) -> None:
    with pytest.raises(MissingInputError, match="stormsight-sar has no earlier champion"):
        registry.rollback("a test")


def test_rollback_refuses_an_artefact_that_changed(
    registry: ChampionRegistry, tracking: TrackingParameters
) -> None:
    promote(registry, "1", "2")
    for weights in Path(tracking.artifacts).rglob("weights.safetensors"):
        weights.write_text("other")
    with pytest.raises(BadDataError, match=r"version 1: weights\.safetensors is not the file"):
        registry.rollback("a test")
    assert registry.current() == "2"
    registry.require_agreement()


def test_a_version_that_does_not_exist_is_not_promoted(registry: ChampionRegistry) -> None:
    with pytest.raises(MissingInputError, match="stormsight-sar has no version 17"):
        registry.promote("17", decided_against=None, decision=HASH, reason="a test")
    assert registry.ledger.entries() == []


def test_an_alias_moved_by_other_means_is_found_and_stops_changes(registry: ChampionRegistry) -> None:
    promote(registry, "1", "2")
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="champion is version 2, the alias points to version 3"):
        registry.require_agreement()
    with pytest.raises(BadDataError, match="disagree"):
        registry.rollback("a test")
    with pytest.raises(BadDataError, match="disagree"):
        registry.promote("1", decided_against="3", decision=HASH, reason="a test")


def test_a_cut_tail_is_found_although_the_chain_is_whole(registry: ChampionRegistry, tmp_path: Path) -> None:
    promote(registry, "1", "2", "1")
    chain = tmp_path / "ledger" / MODEL
    (chain / "000000003.json").unlink()
    with pytest.raises(BadDataError, match="entry 3: it is missing: the chain once had 3 entries"):
        registry.promote("3", decided_against="1", decision=HASH, reason="a test")
    chain.with_name(f"{MODEL}.head.json").unlink()  # the registry knows, too
    assert len(registry.ledger.entries()) == 2
    with pytest.raises(BadDataError, match="entries are missing"):
        registry.require_agreement()
    for path in chain.iterdir():
        path.unlink()
    with pytest.raises(BadDataError, match="entries are missing"):
        registry.promote("3", decided_against="1", decision=HASH, reason="a test")


def test_a_ledger_put_back_to_an_older_state_and_written_on_is_found(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    promote(registry, "1", "2")
    (tmp_path / "ledger" / MODEL / "000000002.json").unlink()
    (tmp_path / "ledger" / f"{MODEL}.head.json").unlink()
    written(registry, "3", "1", announced=False)
    with pytest.raises(BadDataError, match="entries are missing, or another copy"):
        registry.promote("1", decided_against="2", decision=HASH, reason="a test")
    assert not registry.recover()


def test_an_entry_written_past_the_gate_is_never_carried_out(registry: ChampionRegistry) -> None:
    promote(registry, "1")
    written(registry, "3", "1", announced=False)
    assert not registry.recover()
    with pytest.raises(BadDataError, match="disagree"):
        registry.promote("2", decided_against="1", decision=HASH, reason="a test")
    assert registry.current() == "1"


def test_a_damaged_note_is_renewed_only_where_the_registry_confirms_the_end(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    promote(registry, "1", "2")
    assert not registry.renew_note()
    note = tmp_path / "ledger" / f"{MODEL}.head.json"
    note.write_text("null")
    with pytest.raises(BadDataError, match=r"head\.json is damaged") as caught:
        registry.promote("3", decided_against="2", decision=HASH, reason="a test")
    assert "verify --repair" in caught.value.next_step
    last = tmp_path / "ledger" / MODEL / "000000002.json"
    content = last.read_bytes()
    last.unlink()
    assert not registry.renew_note(), "the registry knows of an entry that the ledger lacks"
    last.write_bytes(content)
    assert registry.renew_note()
    promote(registry, "3")
    registry.require_agreement()


@pytest.mark.parametrize("alias_moved", [False, True])
def test_a_change_cut_off_by_a_crash_is_completed(registry: ChampionRegistry, alias_moved: bool) -> None:
    promote(registry, "1")
    written(registry, "2", "1", announced=True)
    if alias_moved:
        registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    with pytest.raises(BadDataError, match="entry 2 was recorded but not carried out"):
        registry.require_agreement()
    assert registry.recover()
    registry.require_agreement()
    assert registry.current() == "2"
    assert not registry.recover()


def test_an_interrupted_change_does_not_undo_a_champion_set_by_hand(registry: ChampionRegistry) -> None:
    promote(registry, "1")
    written(registry, "2", "1", announced=True)
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "3")
    assert not registry.recover()
    assert registry.current() == "3"


def delete(registry: ChampionRegistry, *versions: str) -> None:
    """Delete versions as MLflow's page does."""
    for version in versions:
        registry.connection.client.delete_model_version(MODEL, version)


def test_a_deleted_champion_is_named_and_the_latest_intact_one_restored(registry: ChampionRegistry) -> None:
    promote(registry, "1", "2", "3")
    delete(registry, "3", "2")
    with pytest.raises(BadDataError, match="champion is version 3, which was deleted in MLflow") as caught:
        registry.require_agreement()
    assert "promote rollback --model stormsight-sar" in caught.value.next_step
    with pytest.raises(BadDataError, match="deleted in MLflow"):
        registry.promote("1", decided_against="3", decision=HASH, reason="a test")
    assert registry.rollback("a test").version == "1"
    assert registry.current() == "1"
    assert len(registry.require_agreement()) == 4


def test_the_only_champion_deleted_leaves_none_and_the_line_goes_on(registry: ChampionRegistry) -> None:
    promote(registry, "1")
    delete(registry, "1")
    assert registry.rollback("a test").version is None
    assert registry.require_agreement()[-1].previous_version == "1"
    assert registry.current() is None
    with pytest.raises(MissingInputError, match="no earlier champion"):
        registry.rollback("a test")
    promote(registry, "2")
    assert registry.current() == "2"
    registry.require_agreement()


def test_a_registry_older_than_the_ledger_is_told_and_the_advice_works(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    """A backup of MLflow's database was restored: it knows nothing of the last change."""
    promote(registry, "1")
    client = registry.connection.client
    head = client.get_registered_model(MODEL).tags[HEAD_TAG]
    promote(registry, "2")
    client.set_registered_model_tag(MODEL, HEAD_TAG, head)
    client.delete_registered_model_tag(MODEL, ANNOUNCED + registry.ledger.entries()[-1].hash)
    client.set_registered_model_alias(MODEL, CHAMPION, "1")
    with pytest.raises(BadDataError, match=r"with 1 that were never announced.*older state") as caught:
        registry.require_agreement()
    assert "restore a newer backup of the registry" in caught.value.next_step
    assert not registry.recover()
    (tmp_path / "ledger").rename(tmp_path / "away")
    client.delete_registered_model_alias(MODEL, CHAMPION)
    client.delete_registered_model_tag(MODEL, HEAD_TAG)
    promote(registry, "3")
    registry.require_agreement()


def test_a_registry_started_anew_is_told_and_the_advice_works(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    promote(registry, "1")
    registry.connection.client.delete_registered_model(MODEL)
    with pytest.raises(BadDataError, match="has 1 entries, the registry knows none") as caught:
        registry.rollback("a test")
    assert f"{MODEL}.head.json away" in caught.value.next_step
    (tmp_path / "ledger").rename(tmp_path / "away")
    version = register_version(registry.connection, tmp_path / "models", "four")
    promote(registry, version)
    registry.require_agreement()


def test_the_alias_of_an_unknown_model_is_none(connection: Connection) -> None:
    assert by_alias(connection, "stormsight-optical", CHAMPION) is None
