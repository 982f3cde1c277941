"""A ledger file from before there were chains is imported once, whole, and not lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError
from components.lib.objects.opening import open_objects
from components.lib.registry.artefact import CHAMPION
from components.lib.registry.champion import FORMER_NEXT_TAG, HEAD_TAG, ChampionLine
from components.lib.registry.former import FormerLedger
from components.lib.registry.ledger import Entry, Ledgers, open_ledgers
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.former import former_lines, write_former
from tests.lib.registry.models import MODEL, register_version
from tests.lib.registry.test_ledger import STEPS, change


def ledgers(store_uri: str, tmp_path: Path) -> Ledgers:
    return Ledgers(open_objects(store_uri), "ledger/champions", tmp_path / "former")


def told(entries: list[Entry]) -> list[tuple[str, str, str | None]]:
    return [(entry.action, entry.version, entry.previous_version) for entry in entries]


def test_a_former_file_is_imported_once(store_uri: str, tmp_path: Path) -> None:
    lines = former_lines(MODEL, STEPS)
    path = write_former(tmp_path / "former", MODEL, lines)
    content = path.read_bytes()
    ledger = ledgers(store_uri, tmp_path).of(MODEL)
    entries = ledger.entries()
    assert told(entries) == list(STEPS)
    assert [entry.time for entry in entries] == [line["time"] for line in lines]
    assert all(entry.known_as(line["hash"]) for entry, line in zip(entries, lines, strict=True))
    assert not path.exists()
    assert path.with_suffix(".jsonl.imported").read_bytes() == content
    ledger.append(ledger.next_entry(entries[-1], change("promote", "5", "4")))
    assert told(ledgers(store_uri, tmp_path).of(MODEL).verify()) == [*STEPS, ("promote", "5", "4")]


@pytest.mark.parametrize("written", range(6))
def test_an_import_that_was_cut_off_is_completed(tmp_path: Path, written: int) -> None:
    lines = former_lines(MODEL, STEPS)
    write_former(tmp_path / "former", MODEL, lines[:written])
    ledgers(str(tmp_path / "store"), tmp_path).of(MODEL).entries()
    (tmp_path / "former" / f"{MODEL}.jsonl.imported").unlink(missing_ok=True)
    write_former(tmp_path / "former", MODEL, lines)
    assert told(ledgers(str(tmp_path / "store"), tmp_path).of(MODEL).verify()) == list(STEPS)


def test_processes_that_import_at_once_agree(store_uri: str, tmp_path: Path) -> None:
    write_former(tmp_path / "former", MODEL, former_lines(MODEL, STEPS))
    found: list[list[Entry]] = []
    barrier = threading.Barrier(4)

    def read() -> None:
        ledger = ledgers(store_uri, tmp_path).of(MODEL)
        barrier.wait()
        found.append(ledger.entries())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [told(entries) for entries in found] == [list(STEPS)] * 4


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"action":"pro')


def test_a_last_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    tear(write_former(tmp_path / "former", MODEL, former_lines(MODEL, STEPS)))
    assert told(ledgers(str(tmp_path / "store"), tmp_path).of(MODEL).entries()) == list(STEPS)


def edit(line: int, **fields: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda lines: [{**one, **fields} if k == line - 1 else one for k, one in enumerate(lines)]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (edit(2, version="9"), 2),
        (edit(1, surplus=1), 1),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: [*lines, {}], 6),
    ],
)
def test_a_broken_file_is_not_imported(
    tmp_path: Path, tamper: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], line: int
) -> None:
    path = write_former(tmp_path / "former", MODEL, tamper(former_lines(MODEL, STEPS)))
    with pytest.raises(BadDataError, match=rf"{MODEL}\.jsonl, line {line}:"):
        ledgers(str(tmp_path / "store"), tmp_path).of(MODEL).entries()
    assert path.exists()
    assert open_objects(str(tmp_path / "store")).list() == []


def test_a_file_in_another_spelling_is_not_imported(tmp_path: Path) -> None:
    path = write_former(tmp_path / "former", MODEL, former_lines(MODEL, STEPS))
    for text in ("not json\n", "\n", '["a list"]\n', json.dumps(former_lines(MODEL, STEPS)[0]) + "\n"):
        path.write_text(text)
        with pytest.raises(BadDataError, match="line 1: it is not"):
            ledgers(str(tmp_path / "store"), tmp_path).of(MODEL).entries()


def test_two_histories_are_not_mixed(tmp_path: Path) -> None:
    ledger = open_ledgers(str(tmp_path / "ledger")).of(MODEL)
    ledger.append(ledger.next_entry(None, change("promote", "7", None)))
    path = write_former(tmp_path / "ledger", MODEL, former_lines(MODEL, STEPS))
    with pytest.raises(BadDataError, match="tell different histories from entry 1 on"):
        ledger.entries()
    assert path.exists()


@pytest.fixture
def line(tracking: TrackingParameters, store_uri: str, tmp_path: Path) -> ChampionLine:
    """A registry as the former ledger left it: version 2 is champion, its tag names the file's last line."""
    connection = connect(tracking)
    for content in ("one", "two", "three"):
        register_version(connection, tmp_path / "models", content)
    lines = former_lines(MODEL, STEPS[:2])
    write_former(tmp_path / "former", MODEL, lines)
    connection.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    connection.client.set_registered_model_tag(MODEL, HEAD_TAG, lines[-1]["hash"])
    connection.client.set_registered_model_tag(MODEL, FORMER_NEXT_TAG, lines[-1]["hash"])
    return ChampionLine(connection, ledgers(store_uri, tmp_path), MODEL)


def test_the_registry_agrees_with_the_imported_ledger_and_goes_on(line: ChampionLine) -> None:
    line.require_agreement()
    line.promote("3", decided_against="2", decision="d" * 64, reason="a test")
    assert line.rollback("a test").version == "2"
    assert line.rollback("a test").version == "1"
    line.require_agreement()
    assert len(line.ledger.verify()) == 5


def test_a_change_that_the_former_ledger_left_undone_is_completed(line: ChampionLine) -> None:
    lines = former_lines(MODEL, STEPS[:2])
    client = line.connection.client
    client.set_registered_model_alias(MODEL, CHAMPION, "1")
    client.set_registered_model_tag(MODEL, HEAD_TAG, lines[0]["hash"])
    with pytest.raises(BadDataError, match="entry 2 was recorded but not carried out"):
        line.require_agreement()
    assert line.recover()
    line.require_agreement()
    assert line.current() == "2"


def test_a_cut_tail_of_the_former_file_is_found(line: ChampionLine, tmp_path: Path) -> None:
    write_former(tmp_path / "former", MODEL, former_lines(MODEL, STEPS[:1]))
    with pytest.raises(BadDataError, match="entries are missing"):
        line.require_agreement()
    assert FormerLedger(tmp_path / "former", MODEL).lines() == []
