"""The fixed world: prepared stores, made once by the pipeline's own stages, and their hashes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.experiments.children import Children
from components.experiments.documents import Documents, digest
from components.experiments.grid import WORLDS
from components.experiments.stages import StageGraph
from components.lib.files import sha256_files, write_json, write_text
from components.lib.store.store import Store

STAGES = ("components.download", "components.validate", "components.prepare")
PREPARED = Path("data/prepared")


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
    """Makes the worlds that are asked for, or finds them made.

    Args:
        folder: Where they lie: ``<folder>/<name>``.
        documents: The parameters.
        graph: What the stages depend on.
        children: Runs the stages.
        given: A store that stands for the base world; others cannot be made then.
    """

    def __init__(
        self,
        folder: Path,
        documents: Documents,
        graph: StageGraph,
        children: Children,
        given: Path | None = None,
    ) -> None:
        self.folder, self.documents, self.graph, self.children = folder, documents, graph, children
        self.given = given

    def key(self, name: str) -> str:
        """Hash of everything a world is made from."""
        stages = [self.graph.needs(module) for module in STAGES]
        code = self.graph.code_hash({folder for needs in stages for folder in needs.code})
        sections = {section for needs in stages for section in needs.sections}
        return digest({"code": code, "sections": self.documents.sections(sections, WORLDS[name])})

    def found(self, name: str) -> World | None:
        """The world, if it is made of the present code and parameters."""
        if self.given is not None:
            Store.open(self.given)
            return World(self.given, store_hash(self.given, self.folder / "given.json"))
        seal = self.folder / name / "world.json"
        if not seal.exists() or json.loads(seal.read_text("utf-8"))["key"] != self.key(name):
            return None
        store = self.folder / name / PREPARED
        return World(store, store_hash(store, self.folder / name / "files.json"))

    def make(self, name: str) -> World:
        """The world, made if it is not there; a killed attempt goes on where its stages were.

        Raises:
            StormsightError: If a stage fails, naming its log.
        """
        found = self.found(name)
        if found is not None:
            return found
        work, key = self.folder / name, self.key(name)
        if name != "base":
            self.make("base")
        _keep_only_if_begun(work, key)
        write_text(work / "params.yaml", self.documents.document(WORLDS[name]))
        stages: tuple[str, ...] = STAGES
        if name != "base":
            stages = STAGES[-1:]
            for part in ("raw", "validated"):
                link(self.folder / "base" / "data" / part, work / "data" / part)
        for module in stages:
            self.children.run([sys.executable, "-m", module], work, work / "world.log", what=f"world {name}")
        write_json(work / "world.json", {"key": key})
        made = self.found(name)
        assert made is not None
        return made


def link(existing: Path, at: Path) -> None:
    """A relative link at ``at``, in place of whatever link was there."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.unlink(missing_ok=True)
    at.symlink_to(os.path.relpath(existing.resolve(), at.parent.resolve()))


def store_hash(store: Path, cache: Path) -> str:
    """SHA-256 over the names and contents of a store's files.

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
    sha256 = sha256_files(files, store)
    write_json(cache, {"files": stamps, "sha256": sha256})
    return sha256


def _keep_only_if_begun(work: Path, key: str) -> None:
    """Empty ``work`` unless an attempt with the same key began there."""
    begun = work / "begun.json"
    if not begun.exists() or json.loads(begun.read_text("utf-8"))["key"] != key:
        shutil.rmtree(work, ignore_errors=True)
    write_json(begun, {"key": key})
