"""Changes of the champion that are killed in between, overtaken, or made by two at once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from components.contract.errors import ChampionChangedError
from components.lib.objects.protocol import ObjectStore
from components.lib.registry.agreement import ANNOUNCED, ChampionReader
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry
from components.lib.tracking.connection import Connection
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.models import HASH, MODEL, promote, three_versions


class _Killed(BaseException):
    """The process ends here."""


class _Mortal:
    """A registry client or an object store that dies at its n-th write, before or after doing it."""

    def __init__(self, inner: Any, left: list[int], *, after: bool) -> None:
        self._inner, self._left, self._after = inner, left, after

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not name.startswith(("set_", "create", "put", "delete")):
            return value

        def write(*arguments: Any, **options: Any) -> Any:
            self._left[0] -= 1
            if self._left[0] == 0 and not self._after:
                raise _Killed
            result = value(*arguments, **options)
            if self._left[0] == 0:
                raise _Killed
            return result

        return write


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, 6))
def test_a_crash_at_any_write_leaves_a_champion_that_the_next_change_agrees_with(
    registry: ChampionRegistry, step: int, after: bool
) -> None:
    """The writes of a change: announcement, entry, the chain's note, alias, head tag."""
    promote(registry, "1")
    left = [step]
    mortal = ChampionRegistry(
        replace(
            registry.connection, client=cast("Any", _Mortal(registry.connection.client, left, after=after))
        ),
        replace(
            registry.ledgers,
            objects=cast("ObjectStore", _Mortal(registry.ledgers.objects, left, after=after)),
        ),
        MODEL,
    )
    with pytest.raises(_Killed):
        mortal.promote("2", decided_against="1", decision=HASH, reason="a test")
    registry.recover()
    registry.require_agreement()
    recorded = [entry.version for entry in registry.ledger.entries()]
    assert recorded in (["1"], ["1", "2"])
    assert (len(recorded) == 2) == (step > 2 or (step == 2 and after))
    assert registry.current() == recorded[-1]
    promote(registry, "3")
    registry.require_agreement()
    assert registry.rollback("a test").version == recorded[-1]


@pytest.mark.parametrize("late", ["set_registered_model_alias", "set_registered_model_tag"])
def test_a_slow_process_does_not_leave_its_alias_over_a_later_one(
    registry: ChampionRegistry, late: str
) -> None:
    """While one is about to move the alias, or to tag the head, another sees its entry and goes on."""
    promote(registry, "1")

    class Slow:
        def __init__(self, inner: Any) -> None:
            self._inner, self._overtaken = inner, False

        def __getattr__(self, name: str) -> Any:
            recorded = len(registry.ledger.entries()) == 2
            if name == late and recorded and not self._overtaken:
                self._overtaken = True
                promote_after_recovery(registry, "3")
            return getattr(self._inner, name)

    slow = replace(
        registry,
        connection=replace(registry.connection, client=cast("Any", Slow(registry.connection.client))),
    )
    slow.promote("2", decided_against="1", decision=HASH, reason="a test")
    registry.require_agreement()
    assert registry.current() == "3"
    assert [entry.version for entry in registry.ledger.entries()] == ["1", "2", "3"]


def promote_after_recovery(registry: ChampionRegistry, version: str) -> None:
    registry.recover()
    promote(registry, version)


RIVAL = """
import sys
from components.contract.errors import ChampionChangedError
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters

uri, artifacts, ledger, version = sys.argv[1:]
connection = connect(TrackingParameters(uri=uri, artifacts=artifacts))
registry = ChampionRegistry(connection, open_ledgers(ledger), "stormsight-sar")
against = registry.current()
print("ready", flush=True)
sys.stdin.readline()
try:
    registry.promote(version, decided_against=against, decision="d" * 64, reason="a test")
    print("won")
except ChampionChangedError as error:
    print(f"lost: {error.message}")
"""


def test_of_two_concurrent_promotions_one_wins(
    connection: Connection, tracking: TrackingParameters, tmp_path: Path, bucket: str, repository: Path
) -> None:
    """Two processes, as two pods would be."""
    store_uri = f"s3://{bucket}/ledger"
    registry = three_versions(connection, tmp_path, store_uri)
    promote(registry, "1")
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, tracking.uri, tracking.artifacts, store_uri, version],
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
    entries = registry.ledger.entries()
    assert len(entries) == 2
    assert registry.current() == entries[-1].version
    registry.require_agreement()


def test_whoever_loses_the_entry_is_refused_and_leaves_no_trace(
    connection: Connection, tmp_path: Path, store_uri: str
) -> None:
    """Both have passed all checks; one is held up just before it writes."""
    registry = three_versions(connection, tmp_path, store_uri)
    promote(registry, "1")
    change_of = ChampionRegistry._change

    def held_up(self: ChampionRegistry, entries: Any, change: Any) -> ChampionEntry:
        if change.version == "2":
            promote(registry, "3")
        return change_of(self, entries, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChampionRegistry, "_change", held_up)
        with pytest.raises(ChampionChangedError, match="version 1, but the champion is version 3 by now"):
            registry.promote("2", decided_against="1", decision=HASH, reason="a test")
    registry.require_agreement()
    assert registry.current() == "3"
    tags = connection.client.get_registered_model(MODEL).tags
    assert len([name for name in tags if name.startswith(ANNOUNCED)]) == 2
    assert registry.rollback("a test").version == "1"


def test_a_change_of_another_process_between_recovery_and_check_is_carried_out(
    registry: ChampionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has recorded its entry, and not yet moved the alias."""
    promote(registry, "1")
    recover = ChampionRegistry.recover
    overtaken: list[bool] = []

    def recorded_afterwards(self: ChampionRegistry) -> bool:
        done = recover(self)
        if not overtaken:
            overtaken.append(True)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ChampionRegistry, "_carry_out", lambda self, entry: None)
                promote(registry, "3")
        return done

    monkeypatch.setattr(ChampionRegistry, "recover", recorded_afterwards)
    with pytest.raises(ChampionChangedError, match="version 1, but the champion is version 3 by now"):
        registry.promote("2", decided_against="1", decision=HASH, reason="a test")
    assert registry.current() == "3"
    assert [entry.version for entry in registry.require_agreement()] == ["1", "3"]


@pytest.mark.parametrize("before", ["tags", "current"])
def test_a_change_made_while_ledger_and_registry_are_compared_is_no_disagreement(
    registry: ChampionRegistry, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """The ledger has been read; then another process promotes."""
    promote(registry, "1")
    read = getattr(ChampionReader, before)
    overtaken: list[bool] = []

    def overtaking(self: ChampionReader) -> Any:
        if not overtaken:
            overtaken.append(True)
            promote(registry, "2")
        return read(self)

    reader = ChampionReader(registry.connection, registry.ledgers, MODEL)
    monkeypatch.setattr(ChampionReader, before, overtaking)
    assert [entry.version for entry in reader.require_agreement()] == ["1", "2"]
