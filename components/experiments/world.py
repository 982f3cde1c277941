"""Worlds of a run: prepared stores, made once by the pipeline's own stages, and their hashes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_json
from components.contract.identity import data_hash
from components.contract.partitions import PARTITIONS, partition_names
from components.experiments.grid import WORLDS
from components.experiments.identity import StageGraph, begin_attempt, current_stamp, stage_key
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses
from components.lib.files import write_json, write_text
from components.lib.store.store import Store

PREPARED = Path("data/prepared")


def data_commands(partitions: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the modules and arguments that make ``data/raw`` and ``data/validated``, in order."""
    names = list(partitions)
    return [
        *(("components.download", "--partition", name) for name in names),
        *(("components.validate", "--partition", name) for name in names),
        ("components.validate", "--verdict"),
    ]


def store_commands(partitions: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the modules and arguments that make the store from those, in order."""
    return [
        *(("components.prepare", "--partition", name) for name in partitions),
        ("components.prepare", "--split"),
    ]


@dataclass(frozen=True, slots=True)
class World:
    """A prepared store.

    Attributes:
        store: Its folder.
        sha256: Hash over names and contents of its files.
    """

    store: Path
    sha256: str


class WorldMaker:
    """Makes the worlds of a run, or finds them made.

    Args:
        folder: Folder of all worlds, each in ``<folder>/<name>``.
        parameters: Sections under the run's profile.
        graph: Declarations of the stages.
        processes: Runs the stages.
        given: Store that stands for the base world; others cannot be made then.
    """

    def __init__(
        self,
        folder: Path,
        parameters: ParameterOverlay,
        graph: StageGraph,
        processes: StageProcesses,
        given: Path | None = None,
    ) -> None:
        self.folder, self.parameters, self.graph, self.processes = folder, parameters, graph, processes
        self.given = given

    def key(self, name: str) -> str:
        """Return the hash of everything a world is made from."""
        return sha256_json(
            [
                stage_key(self.graph, command, self.parameters, (WORLDS[name],))
                for command in (*data_commands(self._partitions()), *store_commands(self._partitions()))
            ]
        )

    def found(self, name: str) -> World | None:
        """Return the world if it is made of the present code and parameters."""
        if self.given is not None:
            Store.open(self.given)
            return World(self.given, store_hash(self.given, self.folder / "given.json"))
        if current_stamp(self.folder / name / "world.json", self.key(name)) is None:
            return None
        store = self.folder / name / PREPARED
        return World(store, store_hash(store, self.folder / name / "files.json"))

    def make(self, name: str) -> World:
        """Return the world, made if it is not there; a killed attempt goes on where its stages were.

        Raises:
            StormsightError: If a stage fails, naming its log.
        """
        found = self.found(name)
        if found is not None:
            return found
        work, key = self.folder / name, self.key(name)
        if name != "base":
            self.make("base")
        begin_attempt(work / "begun.json", key, [work])
        write_text(work / "params.yaml", self.parameters.document(WORLDS[name]))
        commands = store_commands(self._partitions())
        if name == "base":
            commands = [*data_commands(self._partitions()), *commands]
        else:
            for part in ("raw", "validated"):
                link(self.folder / "base" / "data" / part, work / "data" / part)
        for command in commands:
            self.processes.run(
                [sys.executable, "-m", *command], work, work / "world.log", label=f"world {name}"
            )
        write_json(work / "world.json", {"key": key})
        made = self.found(name)
        assert made is not None
        return made

    def _partitions(self) -> list[str]:
        return partition_names(self.parameters.sections((PARTITIONS,)))


def link(existing: Path, at: Path) -> None:
    """Make a relative symbolic link at ``at``, in place of whatever link was there."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.unlink(missing_ok=True)
    at.symlink_to(os.path.relpath(existing.resolve(), at.parent.resolve()))


def store_hash(store: Path, cache: Path) -> str:
    """Return the SHA-256 over the names and contents of a store's files.

    Files are read again only if a size or a time of change differs from what ``cache`` remembers.
    """
    files = sorted(path for path in store.rglob("*") if path.is_file())
    stamps: dict[str, Any] = {
        path.relative_to(store).as_posix(): [path.stat().st_size, path.stat().st_mtime_ns] for path in files
    }
    if cache.exists():
        remembered = json.loads(cache.read_text("utf-8"))
        if remembered["files"] == stamps:
            return str(remembered["sha256"])
    sha256 = data_hash(store)
    write_json(cache, {"files": stamps, "sha256": sha256})
    return sha256
