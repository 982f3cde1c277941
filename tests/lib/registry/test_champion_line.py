from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.lib.errors import BadDataError, GateRefusedError, MissingInputError
from components.lib.registry import CHAMPION, HEAD_TAG, ChampionLine, by_alias
from components.lib.registry.champion import NEXT_TAG
from components.lib.tracking import Connection, TrackingParameters, connect
from tests.lib.registry.models import MODEL, register_version

HASH = "d" * 64


@pytest.fixture
def connection(tracking: TrackingParameters) -> Connection:
    return connect(tracking)


@pytest.fixture
def line(connection: Connection, tmp_path: Path) -> ChampionLine:
    """Three registered versions, none of them champion yet."""
    for content in ("one", "two", "three"):
        register_version(connection, tmp_path / "models", content)
    return ChampionLine(connection, tmp_path / "ledger", MODEL)


def promote(line: ChampionLine, *versions: str) -> None:
    for version in versions:
        line.promote(version, decided_against=line.current(), decision=HASH, reason="a test")


def test_promotions_move_the_alias_and_are_recorded(line: ChampionLine) -> None:
    line.require_agreement()
    assert line.current() is None
    promote(line, "1", "3")
    line.require_agreement()
    assert line.current() == "3"
    entries = line.ledger.entries()
    assert [(e.action, e.version, e.previous_version) for e in entries] == [
        ("promote", "1", None),
        ("promote", "3", "1"),
    ]
    assert line.connection.client.get_registered_model(MODEL).tags[HEAD_TAG] == entries[-1].hash


def test_a_decision_against_a_former_champion_is_refused_and_leaves_no_trace(line: ChampionLine) -> None:
    promote(line, "1", "2")
    with pytest.raises(
        GateRefusedError, match="judged against version 1, but the champion is version 2 by now"
    ):
        line.promote("3", decided_against="1", decision=HASH, reason="a test")
    with pytest.raises(GateRefusedError, match="judged against none"):
        line.promote("3", decided_against=None, decision=HASH, reason="a test")
    assert line.current() == "2"
    assert len(line.ledger.entries()) == 2
    line.require_agreement()


def test_rollback_goes_back_one_champion_at_a_time(line: ChampionLine) -> None:
    promote(line, "1", "2", "3")
    assert line.rollback("a test").version == "2"
    assert line.current() == "2"
    assert line.rollback("a test").version == "1"
    line.require_agreement()
    with pytest.raises(MissingInputError, match="no earlier champion"):
        line.rollback("a test")
    promote(line, "3")
    assert line.rollback("a test").version == "1"
    assert [e.action for e in line.ledger.entries()] == ["promote"] * 3 + ["rollback"] * 2 + [
        "promote",
        "rollback",
    ]


def test_rollback_without_any_champion_is_a_clear_error(line: ChampionLine) -> None:
    with pytest.raises(MissingInputError, match="stormsight-sar has no earlier champion"):
        line.rollback("a test")


def test_rollback_refuses_an_artefact_that_changed(line: ChampionLine, tracking: TrackingParameters) -> None:
    promote(line, "1", "2")
    for weights in Path(tracking.artifacts).rglob("weights.safetensors"):
        weights.write_text("other")
    with pytest.raises(BadDataError, match=r"version 1: weights\.safetensors is not the file"):
        line.rollback("a test")
    assert line.current() == "2"
    line.require_agreement()


def test_a_version_that_does_not_exist_is_not_promoted(line: ChampionLine) -> None:
    with pytest.raises(MissingInputError, match="stormsight-sar has no version 17"):
        line.promote("17", decided_against=None, decision=HASH, reason="a test")
    assert line.ledger.entries() == []


def test_an_alias_moved_by_other_means_is_found_and_stops_changes(line: ChampionLine) -> None:
    promote(line, "1", "2")
    line.connection.client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="champion is version 2, the alias points to version 3"):
        line.require_agreement()
    with pytest.raises(BadDataError, match="disagree"):
        line.rollback("a test")
    with pytest.raises(BadDataError, match="disagree"):
        line.promote("1", decided_against="3", decision=HASH, reason="a test")


def test_a_cut_tail_is_found_although_the_chain_is_whole(line: ChampionLine) -> None:
    promote(line, "1", "2", "1")
    lines = line.ledger.path.read_bytes().splitlines(keepends=True)
    line.ledger.path.write_bytes(b"".join(lines[:-1]))
    assert len(line.ledger.entries()) == 2
    with pytest.raises(BadDataError, match="entries are missing"):
        line.require_agreement()
    line.ledger.path.unlink()
    with pytest.raises(BadDataError, match="entries are missing"):
        line.promote("3", decided_against="1", decision=HASH, reason="a test")


def test_an_entry_written_past_the_gate_is_never_carried_out(line: ChampionLine) -> None:
    promote(line, "1")
    ledger = line.ledger
    with ledger.locked():
        ledger.append(ledger.sealed_entry("promote", "3", "1", decision=HASH, reason="a test"))
    assert not line.recover()
    with pytest.raises(BadDataError, match="disagree"):
        line.promote("2", decided_against="1", decision=HASH, reason="a test")
    assert line.current() == "1"


@pytest.mark.parametrize("alias_moved", [False, True])
def test_a_change_cut_off_by_a_crash_is_completed(line: ChampionLine, alias_moved: bool) -> None:
    promote(line, "1")
    ledger, client = line.ledger, line.connection.client
    with ledger.locked():
        entry = ledger.sealed_entry("promote", "2", "1", decision=HASH, reason="a test")
        client.set_registered_model_tag(MODEL, NEXT_TAG, entry.hash)
        ledger.append(entry)
        if alias_moved:
            client.set_registered_model_alias(MODEL, CHAMPION, "2")
    with pytest.raises(BadDataError, match="entry 2 was recorded but not carried out"):
        line.require_agreement()
    assert line.recover()
    line.require_agreement()
    assert line.current() == "2"
    assert not line.recover()


def test_a_crash_in_the_middle_of_the_line_leaves_the_champion(line: ChampionLine) -> None:
    promote(line, "1")
    ledger = line.ledger
    with ledger.locked():
        entry = ledger.sealed_entry("promote", "2", "1", decision=HASH, reason="a test")
        line.connection.client.set_registered_model_tag(MODEL, NEXT_TAG, entry.hash)
    ledger.path.write_bytes(ledger.path.read_bytes() + entry.line()[:40])
    with pytest.raises(BadDataError, match="incomplete"):
        line.require_agreement()
    promote(line, "3")
    assert line.current() == "3"
    line.require_agreement()


RIVAL = """
import sys
from pathlib import Path
from components.lib.errors import GateRefusedError
from components.lib.registry import ChampionLine
from components.lib.tracking import TrackingParameters, connect

uri, artifacts, ledger, version = sys.argv[1:]
line = ChampionLine(connect(TrackingParameters(uri=uri, artifacts=artifacts)), Path(ledger), "stormsight-sar")
against = line.current()
print("ready", flush=True)
sys.stdin.readline()
try:
    line.promote(version, decided_against=against, decision="d" * 64, reason="a test")
    print("won")
except GateRefusedError as error:
    print(f"lost: {error.message}")
"""


def test_of_two_concurrent_promotions_one_wins(
    line: ChampionLine, tracking: TrackingParameters, repository: Path
) -> None:
    promote(line, "1")
    arguments = [tracking.uri, tracking.artifacts, str(line.ledger.path.parent)]
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, *arguments, version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=repository,
        )
        for version in ("2", "3")
    ]
    for rival in rivals:
        assert rival.stdout is not None
        assert rival.stdout.readline() == "ready\n"  # both have judged against version 1
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    said = sorted(rival.communicate(timeout=120)[0].strip() for rival in rivals)
    assert [text.split(":")[0] for text in said] == ["lost", "won"]
    assert "judged against version 1, but the champion is version" in said[0]
    entries = line.ledger.entries()
    assert len(entries) == 2
    assert line.current() == entries[-1].version
    line.require_agreement()


def test_the_alias_of_an_unknown_model_is_none(connection: Connection) -> None:
    assert by_alias(connection, "stormsight-optical", CHAMPION) is None
