from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.lib.errors import BadDataError
from components.lib.registry import GENESIS, Entry, Ledger, champions

HASH = "d" * 64


def fill(ledger: Ledger) -> list[Entry]:
    """Promote 1, 2, 3, roll back to 2, promote 4."""
    steps = [("promote", "1", None), ("promote", "2", "1"), ("promote", "3", "2")]
    steps += [("rollback", "2", "3"), ("promote", "4", "2")]
    with ledger.locked():
        for action, version, previous in steps:
            ledger.append(ledger.sealed_entry(action, version, previous, decision=HASH, reason="a test"))  # type: ignore[arg-type]
    return ledger.entries()


def test_entries_come_back_in_order_and_linked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", "stormsight-sar")
    entries = fill(ledger)
    assert [e.seq for e in entries] == [1, 2, 3, 4, 5]
    assert [e.prev_hash for e in entries] == [GENESIS, *(e.hash for e in entries[:-1])]
    assert all(e.intact for e in entries)
    assert champions(entries) == ["1", "2", "4"]
    first = json.loads(ledger.path.read_text().splitlines()[0])
    assert set(first) == set(Entry.__dataclass_fields__)


def test_an_absent_ledger_is_empty(tmp_path: Path) -> None:
    assert Ledger(tmp_path, "m").entries() == []


def change_version(lines: list[str]) -> list[str]:
    return [
        line.replace('"version":"2"', '"version":"9"') if k == 1 else line for k, line in enumerate(lines)
    ]


def forge_with_new_hash(lines: list[str]) -> list[str]:
    fields = {**json.loads(lines[1]), "decision": "e" * 64, "hash": ""}
    return [lines[0], Entry(**fields).sealed().line().decode().strip(), *lines[2:]]


def of_another_model(lines: list[str]) -> list[str]:
    fields = {**json.loads(lines[-1]), "model": "stormsight-optical", "hash": ""}
    return [*lines[:-1], Entry(**fields).sealed().line().decode().strip()]


def other_champion_before(lines: list[str]) -> list[str]:
    fields = {**json.loads(lines[-1]), "previous_version": "3", "hash": ""}
    return [*lines[:-1], Entry(**fields).sealed().line().decode().strip()]


def rollback_to_anything(lines: list[str]) -> list[str]:
    fields = {**json.loads(lines[3]), "version": "1", "hash": ""}
    return [*lines[:3], Entry(**fields).sealed().line().decode().strip()]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (change_version, 2),
        (forge_with_new_hash, 3),
        (of_another_model, 5),
        (other_champion_before, 5),
        (rollback_to_anything, 4),
        (lambda lines: [lines[0], *lines[2:]], 2),  # removed from the middle
        (lambda lines: lines[1:], 1),  # removed from the front
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1),  # reordered
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),  # repeated
        (lambda lines: [*lines, "{}"], 6),
        (lambda lines: [*lines, "not json"], 6),
        (lambda lines: [*lines, '["a list"]'], 6),
        (lambda lines: [lines[0].replace(",", ", "), *lines[1:]], 1),  # reformatted
        (lambda lines: ["", *lines], 1),
    ],
)
def test_tampering_is_found_and_nothing_is_added_to_it(
    tmp_path: Path, tamper: Callable[[list[str]], list[str]], line: int
) -> None:
    ledger = Ledger(tmp_path, "stormsight-sar")
    fill(ledger)
    ledger.path.write_text("\n".join(tamper(ledger.path.read_text().splitlines())) + "\n")
    with pytest.raises(BadDataError, match=rf"stormsight-sar\.jsonl, line {line}:"):
        ledger.entries()
    with pytest.raises(BadDataError), ledger.locked():
        ledger.sealed_entry("promote", "5", "4", decision=HASH, reason="a test")


def test_a_half_written_line_is_dropped_only_after_the_known_head(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "stormsight-sar")
    entries = fill(ledger)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + b'{"action":"pro')
    with pytest.raises(BadDataError, match="line 6: the line is incomplete"):
        ledger.entries()
    assert not ledger.drop_torn_tail(entries[-2].hash)
    assert ledger.drop_torn_tail(entries[-1].hash)
    assert ledger.path.read_bytes() == whole
    assert not ledger.drop_torn_tail(entries[-1].hash)


def test_a_half_written_first_line_is_dropped(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "m")
    ledger.path.write_bytes(b'{"action":"pro')
    assert ledger.drop_torn_tail(GENESIS)
    assert ledger.entries() == []
