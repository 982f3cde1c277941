from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from components.contract.hashing import seal
from components.housekeeping.verify import Finding, verify
from components.lib.objects.protocol import Objects, ObjectStore
from tests.housekeeping.history import History


def wrong(history: History) -> list[Finding]:
    return [finding for finding in verify(history.places.objects) if not finding.sound]


def test_a_sound_history(history: History) -> None:
    history.training("one", decision={"sha256": "1" * 64})
    history.champion("1", "1" * 64)
    assert [(f.subject, f.state) for f in verify(history.places.objects)] == [
        ("ledger/operations", "3 entries, unbroken"),
        ("ledger/champions/stormsight-sar", "1 entries, unbroken"),
        ("catalogue", "1 entries, as registered"),
        ("records", "5 sealed records, intact"),
    ]


def test_an_empty_store_is_sound(folder: History) -> None:
    assert wrong(folder) == []


def test_a_changed_entry_is_named(folder: History) -> None:
    folder.training("one")
    key = "ledger/operations/000000002.json"
    folder.places.objects.put(key, folder.places.objects.get(key).replace(b"run-1", b"run-2"))
    found = wrong(folder)[0]
    assert (found.subject, "entry 2" in found.state) == ("ledger/operations", True)


def test_a_lost_tail_is_named(folder: History) -> None:
    folder.training("one")
    folder.places.objects.delete("ledger/operations/000000003.json")
    assert "once had 3" in wrong(folder)[0].state


def test_a_champions_ledger_without_entries_is_named(folder: History) -> None:
    folder.champion("1", "1" * 64)
    folder.places.objects.delete("ledger/champions/stormsight-sar/000000001.json")
    assert [f.subject for f in wrong(folder)] == ["ledger/champions/stormsight-sar"]


def test_a_changed_approval_is_named(folder: History) -> None:
    folder.approval("1" * 64)
    assert wrong(folder) == []
    key = "ledger/approvals/stormsight-sar/000000001.json"
    folder.places.objects.put(key, folder.places.objects.get(key).replace(b"requested", b"approved"))
    assert [f.subject for f in wrong(folder)] == ["ledger/approvals/stormsight-sar"]


def test_a_removed_ledger_is_named(folder: History) -> None:
    folder.training("one")
    for info in folder.places.objects.list("ledger/"):
        folder.places.objects.delete(info.key)
    assert "was removed" in wrong(folder)[0].state


def test_every_damage_is_named(folder: History) -> None:
    plan, _ = folder.training("one")
    folder.places.objects.put("catalogue/first.json", b"{ }")
    folder.places.objects.put(f"work/{plan.key}/stages/optical.json", b"{}")
    folder.places.objects.put(f"runs/{plan.run}/plan.json", b"?")
    assert {f.subject for f in wrong(folder)} == {
        "catalogue/first",
        f"work/{plan.key}/stages/optical.json",
        f"runs/{plan.run}/plan.json",
    }


class Changing:
    """Store in which something happens once, when an object is read or a prefix is listed."""

    def __init__(self, inner: ObjectStore, at: str, happens: Callable[[], object]) -> None:
        self._inner = inner
        self._at = at
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, key: str) -> bytes:
        self._now(key)
        return self._inner.get(key)

    def list(self, prefix: str = "") -> Objects:
        self._now(prefix)
        return self._inner.list(prefix)

    def _now(self, name: str) -> None:
        if self._happens is not None and name == self._at:
            happens, self._happens = self._happens, None
            happens()


def test_a_checkpoint_that_is_removed_while_it_is_looked_at_is_no_alarm(folder: History) -> None:
    plan, _ = folder.training("one")
    objects = folder.places.objects
    manifest = f"work/{plan.key}/checkpoints/optical/manifest.json"
    objects.put(manifest, seal({"files": {}, "made": "now"}))
    found = verify(cast("ObjectStore", Changing(objects, manifest, lambda: objects.delete(manifest))))
    assert [finding for finding in found if not finding.sound] == []
    assert not objects.exists(manifest)


def test_a_first_training_that_begins_while_the_ledger_is_read_is_no_alarm(folder: History) -> None:
    changing = Changing(folder.places.objects, "runs/", lambda: folder.training("one"))
    found = verify(cast("ObjectStore", changing))
    assert [finding for finding in found if not finding.sound] == []
