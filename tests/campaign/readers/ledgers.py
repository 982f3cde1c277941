"""The operations ledger, its head note and the sealed records beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from components.lib.objects.opening import open_objects
from tests.acquisitions.releases import land, release, strip_of_day
from tests.campaign.mutations import TEXT, mutate_bytes, mutate_value
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, Outcome, judged, last_line

FIRST, SECOND, THIRD = "first", "second", "third"


class Ledgers(SingleReader):
    """A damaged ledger takes no entry and does not verify; one that is whole does both."""

    name = "ledger"

    def set_up(self) -> None:
        """Register three tiny acquisitions and withdraw one; load what the commands import."""
        sound = self.fresh("sound")
        landing = open_objects(str(sound / "landing"))
        for day, name in enumerate((FIRST, SECOND, THIRD), start=1):
            land(landing, name, release(1, day, strip_of_day(day)))
        self.variables = {"STORMSIGHT_LANDING": str(sound / "landing"), "STORMSIGHT_OBJECTS": "objects"}
        for work in (
            command("components.acquisitions", "register"),
            command("components.acquisitions", "withdraw", FIRST, "--reason", "a test"),
            command("components.housekeeping", "verify"),
        ):
            ended = preload(work, sound, variables=self.variables)
            assert ended.code == 0, ended.stderr
        self.sound = sound / "objects"
        self.contents = snapshot(self.sound)
        assert len([name for name in self.contents if "operations/" in name]) == 4

    def judge_one(self, seed: int) -> Judgement:
        """Damage one store; add an entry, then verify."""
        rng = Random(seed)
        folder = self.fresh("case")
        shutil.copytree(self.sound, folder / "objects")
        described = rng.choice((_json, _json, _json, _bytes, _bytes, _moved, _moved, _moved, _strange))(
            rng, folder / "objects"
        )
        before = snapshot(folder / "objects")
        added = self._run(folder, "components.acquisitions", "withdraw", SECOND, "--reason", "a campaign")
        after = snapshot(folder / "objects")
        verified = self._run(folder, "components.housekeeping", "verify")
        wrong = self._wrong(before, after, added, verified)
        if wrong is not None:
            return Judgement(
                self.name, seed, described, Outcome.BREACH, wrong, added.seconds + verified.seconds
            )
        worse = added if added.code else verified
        names = ("ledger", "operations", "catalogue", "rejected", "objects", ".json")
        return judged(self.name, seed, described, worse, names=names, accepted=None)

    def _run(self, folder: Path, *arguments: str) -> Ended:
        return run_forked(command(*arguments), folder, variables=self.variables)

    def _wrong(
        self, before: dict[str, bytes], after: dict[str, bytes], added: Ended, verified: Ended
    ) -> str | None:
        for name, ended in (("withdraw", added), ("verify", verified)):
            flaw = ended.flaw()
            if flaw is not None:
                return f"{name}: {flaw}"
        damaged = self._damaged(before)
        if added.code != 0 and before != after:
            return f"refused ({last_line(added.message)[:60]}), and yet changed the store"
        if damaged and added.code == 0:
            return f"added an entry to a ledger whose {damaged}"
        if damaged and verified.code == 0:
            return f"verified a ledger whose {damaged}"
        return None

    def _damaged(self, found: dict[str, bytes]) -> str | None:
        """Return what is damaged in the ledger itself; a lost note alone is no damage."""
        for name, content in self.contents.items():
            if name.startswith("ledger/operations/") and found.get(name) != content:
                return f"entry {name[-6]} is {'changed' if name in found else 'lost'}"
            if name == "ledger/operations.head.json" and name in found and not _alike(found[name], content):
                return "head note is changed"
        more = [name for name in found if name.startswith("ledger/operations/") and name not in self.contents]
        return f"folder holds {more[0]!r}" if more else None


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, those of unfinished writes too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _alike(a: bytes, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except (ValueError, RecursionError):
        return False


def _chosen(rng: Random, objects: Path) -> Path:
    """Return a file of the ledger, in one of four cases a catalogue entry or a rejection."""
    places = ("ledger", "catalogue", "rejected")
    files = sorted(path for place in places for path in (objects / place).rglob("*.json"))
    ledger = [path for path in files if "ledger" in path.parts]
    return rng.choice(ledger if rng.random() < 0.75 else files)


def _json(rng: Random, objects: Path) -> str:
    path = _chosen(rng, objects)
    described, changed = mutate_value(rng, json.loads(path.read_bytes()))
    path.write_text(json.dumps(changed), encoding="utf-8", errors="surrogatepass")
    return f"{path.name}: {described}"


def _bytes(rng: Random, objects: Path) -> str:
    path = _chosen(rng, objects)
    described, content = mutate_bytes(rng, path.read_bytes(), TEXT)
    path.write_bytes(content)
    return f"{path.name}: {described}"


def _moved(rng: Random, objects: Path) -> str:
    """Remove, swap, repeat or rename entries."""
    entries = sorted((objects / "ledger" / "operations").iterdir())
    note = objects / "ledger" / "operations.head.json"
    first = rng.randrange(len(entries))
    kinds: dict[str, Callable[[], object]] = {
        "removed": entries[first].unlink,
        "the last removed": entries[-1].unlink,
        "all removed": lambda: _remove(entries),
        "the note removed": note.unlink,
        "renamed": lambda: entries[first].rename(entries[first].with_name("000000009.json")),
        "repeated": lambda: shutil.copy(entries[first], entries[-1].with_name("000000005.json")),
        "copied over another": lambda: shutil.copy(entries[first], entries[(first + 1) % 4]),
        "the folder removed": lambda: shutil.rmtree(entries[0].parent),
    }
    kind = rng.choice(list(kinds))
    kinds[kind]()
    return f"entry {first + 1}: {kind}"


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()


def _strange(rng: Random, objects: Path) -> str:
    """Put something else in the place of a file."""
    path = _chosen(rng, objects)
    kind = rng.choice(
        ("a folder", "a dangling link", "a link to another", "a link to itself", "lists 100,000 deep")
    )
    other = path.with_name("another")
    path.rename(other if kind == "a link to another" else path.with_name(f"{path.name}.gone"))
    if kind == "a folder":
        path.mkdir()
    elif kind == "lists 100,000 deep":
        path.write_text("[" * 100_000 + "]" * 100_000)
    else:
        path.symlink_to({"a dangling link": "nowhere", "a link to another": other.name}.get(kind, path.name))
    path.with_name(f"{path.name}.gone").unlink(missing_ok=True)
    return f"{path.name} is {kind}"
