"""Landings: folder names, completeness markers, and files that do not fit them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from random import Random
from typing import Any

from components.lib.objects.opening import open_objects
from tests.acquisitions.releases import PREFIX, land, marker, release, strip_of_day
from tests.campaign.mutations import TEXT, mutate_bytes, mutate_value
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, Outcome, last_line

HOSTILE = "hostile"

_NAMES = (
    "new\nline", "tab\tname", "UPPER", "with blank", ".hidden", "-dash", "a" * 64, "a" * 255, "é", "\udcff",
    "..x",
    "COMPLETE.json", "a/b", "%2e%2e", "*", "'quoted'", '"', "con", "0", "a_b", "\u202e", "\x7f", "~", "$HOME",
)  # fmt: skip


class Landings(SingleReader):
    """A hostile acquisition lands beside a sound one, which must be registered all the same."""

    name = "landing"

    def set_up(self) -> None:
        """Register a sound landing; load what the commands import."""
        self.files = {f"good-{turn}": release(1, turn, strip_of_day(turn)) for turn in (1, 2)}
        folder = self.fresh("sound")
        self._land(folder)
        for arguments in (("register",), ("list", "--json")):
            ended = preload(command("components.acquisitions", *arguments), folder, variables=_VARIABLES)
            assert ended.code == 0, ended.stderr

    def judge_one(self, seed: int) -> Judgement:
        """Look at one landing place."""
        rng = Random(seed)
        folder = self.fresh("case")
        self._land(folder)
        # It sorts before, between or behind the sound ones.
        name = rng.choice(("a-hostile", "good-1x", "z-hostile"))
        files = release(1, 3, strip_of_day(3))
        described, name = rng.choice((_marker, _marker, _marker, _text, _name, _files, _files))(
            rng, folder / "landing", name, files
        )
        registered = run_forked(command("components.acquisitions", "register"), folder, variables=_VARIABLES)
        listed = run_forked(
            command("components.acquisitions", "list", "--json"), folder, variables=_VARIABLES
        )
        wrong = _wrong(folder / "landing", name, registered, listed)
        outcome = Outcome.BREACH if wrong else _outcome(name, listed)
        seconds = registered.seconds + listed.seconds
        return Judgement(self.name, seed, f"{name!r}: {described}", outcome, wrong or "", seconds)

    def _land(self, folder: Path) -> None:
        landing = open_objects(str(folder / "landing"))
        for name, files in self.files.items():
            land(landing, name, files)


_VARIABLES = {"STORMSIGHT_LANDING": "landing", "STORMSIGHT_OBJECTS": "objects"}


def _states(listed: Ended) -> dict[str, str]:
    return {row["id"]: row["state"] for row in json.loads(listed.stdout)}


def _outcome(name: str, listed: Ended) -> Outcome:
    return Outcome.ACCEPTED if _states(listed).get(name) == "registered" else Outcome.REFUSED


def _wrong(landing: Path, name: str, registered: Ended, listed: Ended) -> str | None:
    for words, ended in (("register", registered), ("list", listed)):
        flaw = ended.flaw()
        if flaw is not None:
            return f"{words}: {flaw}"
    if listed.code != 0:
        return f"list is stopped for all: {last_line(listed.message.split('next step')[0])}"
    try:
        states = _states(listed)
    except (ValueError, KeyError, TypeError):
        return "list --json printed no table"
    lost = [good for good in ("good-1", "good-2") if states.get(good) != "registered"]
    if lost == ["good-1"] and _tiles_of(landing / name) == _tiles_of(landing / "good-1"):
        # Whichever is looked at first keeps the ground that both cover.
        return None if states.get(name) == "registered" and registered.code == 65 else "neither is registered"
    if lost:
        return f"a sound acquisition is {states.get(lost[0])}: {registered.message[:80]}"
    if registered.code != (65 if states.get(name) == "rejected" else 0):
        return f"exit {registered.code} though two were registered and this one is {states.get(name)}"
    if states.get(name) == "registered":
        return _untrue(landing / name)
    return None


def _untrue(folder: Path) -> str | None:
    """Return what is not as the marker of a registered acquisition says."""
    try:
        stated = {
            file["key"]: file["sha256"]
            for file in json.loads((folder / "COMPLETE.json").read_bytes())["files"]
        }
    except (ValueError, KeyError, TypeError, OSError) as error:
        return f"registered, though its marker says nothing: {error}"
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "COMPLETE.json"
    }
    return None if stated == found else "registered with other files than its marker names"


def _tiles_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.tif")}


def _put(landing: Path, name: str, files: dict[str, bytes], text: bytes) -> None:
    for path, content in files.items():
        (landing / name / path).parent.mkdir(parents=True, exist_ok=True)
        (landing / name / path).write_bytes(content)
    (landing / name).mkdir(parents=True, exist_ok=True)
    (landing / name / "COMPLETE.json").write_bytes(text)


def _marker(rng: Random, landing: Path, name: str, files: dict[str, bytes]) -> tuple[str, str]:
    described, changed = mutate_value(rng, marker(name, files))
    _put(landing, name, files, json.dumps(changed).encode("utf-8", errors="surrogatepass"))
    return described, name


def _text(rng: Random, landing: Path, name: str, files: dict[str, bytes]) -> tuple[str, str]:
    content = json.dumps(marker(name, files)).encode()
    if rng.random() < 0.2:
        described, content = rng.choice(
            (
                ("lists 100,000 deep", b"[" * 100_000 + b"]" * 100_000),
                ("a key twice", content[:-1] + b', "id": "' + name.encode() + b'"}'),
                ("a number of 1 MB", content.replace(b'"tiles": 1', b'"tiles": ' + b"1" * 1_000_000)),
                ("70 MB", content + b" " * (70 << 20)),
            )
        )
    else:
        described, content = mutate_bytes(rng, content, TEXT)
    _put(landing, name, files, content)
    return f"marker: {described}", name


def _name(rng: Random, landing: Path, name: str, files: dict[str, bytes]) -> tuple[str, str]:
    name = rng.choice(_NAMES)
    text: dict[str, Any] = marker(name if rng.random() < 0.5 else HOSTILE, files)
    content = json.dumps(text).encode("utf-8", errors="surrogatepass")
    _put(landing, name, files if len(name) < 100 else {}, content)
    return "named so", name


def _files(  # noqa: C901 - a list of kinds
    rng: Random, landing: Path, name: str, files: dict[str, bytes]
) -> tuple[str, str]:
    """Lay down other files than the marker names."""
    text = json.dumps(marker(name, files)).encode()
    _put(landing, name, files, text)
    path = landing / name / rng.choice(sorted(files))
    kind = rng.choice(
        ("missing", "cut", "changed", "one more", "a folder", "a link", "a fifo", "an odd name", "no marker",
         "the marker is a folder", "the marker is a link", "a file, no folder", "an empty folder",
         "a known tile")
    )  # fmt: skip
    if kind in ("missing", "a folder", "a link", "a fifo"):
        path.unlink()
    complete = landing / name / "COMPLETE.json"
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif kind == "changed":
        path.write_bytes(b"x" * path.stat().st_size)
    elif kind == "one more":
        path.with_name("more.tif").write_bytes(b"")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a link":
        path.symlink_to("/etc/passwd")
    elif kind == "a fifo":
        os.mkfifo(path)
    elif kind == "an odd name":
        path.with_name("new\nline \udcff").write_bytes(b"")
    elif kind in ("no marker", "the marker is a folder", "the marker is a link"):
        complete.unlink()
        if kind == "the marker is a folder":
            complete.mkdir()
        elif kind == "the marker is a link":
            complete.symlink_to("/etc/passwd")
    elif kind == "a file, no folder":
        (landing / "stray").write_bytes(b"x")
    elif kind == "an empty folder":
        (landing / "empty").mkdir()
    elif kind == "a known tile":
        known = release(1, 1, strip_of_day(1))
        for old in files:
            (landing / name / old).unlink()
        _put(landing, name, known, json.dumps(marker(name, known, prefix=PREFIX)).encode())
    return f"{path.name[-30:]} {kind}", name
