"""One cell of the grid: its folder, what it is made from, and the seals that say it is finished.

A cell's folder holds ``work`` (the workspace in which the stage ran), its logs, ``trained.json`` and, once
scored, ``tiles.parquet`` and ``scored.json``. A seal names everything its result depends on, by hash; where
that is still so, nothing is done again.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract.errors import StormsightError
from components.experiments.children import Children
from components.experiments.documents import Documents, digest, without_noise
from components.experiments.grid import CellName, Method, distillation_methods
from components.experiments.stages import StageGraph
from components.experiments.world import PREPARED, World, link
from components.lib.files import read_json, write_json, write_text

Seal = dict[str, Any]

SIGNATURE = "model.json"
WEIGHTS = "weights.safetensors"
_BY = "evidence"


class CodeChangedError(StormsightError):
    """The code was edited while a cell trained: nobody could say what the result was made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all cells of a run share.

    Attributes:
        folder: Of all cells.
        documents: The parameters.
        graph: What the stages depend on.
        children: Runs the stages.
    """

    folder: Path
    documents: Documents
    graph: StageGraph
    children: Children


class Cell:
    """A method with a seed, below ``<bench.folder>/<method>/seed-<n>``."""

    def __init__(self, bench: Bench, method: Method, name: CellName) -> None:
        self.bench, self.method, self.name = bench, method, name
        self.folder = bench.folder / method.name / f"seed-{name.seed}"
        self.work = self.folder / "work"
        self.log = self.folder / "train.log"
        self.overrides: tuple[Mapping[str, Any], ...] = (
            method.overrides,
            bench.documents.budget_times(method.times),
            {"training": {"seed": name.seed}},
        )

    @property
    def bundle(self) -> Path:
        """The model that is scored."""
        return self.work / "models" / self.method.model

    def upstream(self, method: str) -> Path:
        """Folder of the cell of the same seed that this one starts from."""
        return self.bench.folder / method / f"seed-{self.name.seed}"

    def key(self, world: World) -> Seal | None:
        """Hashes of all that the training depends on; None while an upstream model is missing."""
        upstream: dict[str, str] = {}
        for one in self.method.links:
            seal = _seal(self.upstream(one.method) / "trained.json")
            if seal is None:
                return None
            upstream[one.name] = seal["weights_sha256"]
        if self.method.command is None:
            return {"upstream": upstream, "network": dict(self.method.network), "world": world.sha256}
        needs = self.bench.graph.needs(self.method.command[0])
        distilled = self.method.command[2] if self.method.command[0] == "components.distill" else None
        sections = without_noise(
            self.bench.documents.sections(needs.sections, *self.overrides),
            method=distilled,
            methods=distillation_methods(),
        )
        return {
            "command": list(self.method.command),
            "parameters": digest(sections),
            "upstream": upstream,
            "world": world.sha256,
            "code": self.bench.graph.code_hash(needs.code),
        }

    def trained(self, world: World) -> Seal | None:
        """The seal, if the training is finished and nothing it depends on has changed since."""
        seal = _seal(self.folder / "trained.json")
        if seal is None or seal["key"] != self.key(world):
            return None
        signature = self.bundle / SIGNATURE
        present = signature.exists() and (self.bundle / WEIGHTS).exists()
        if not present or read_json(signature, made_by=_BY)["weights_sha256"] != seal["weights_sha256"]:
            return None
        return seal

    def train(self, world: World) -> Seal:
        """Run the stage, or derive the bundle where nothing is trained, and seal the result.

        An attempt that was killed goes on from its checkpoint, if nothing it depends on has changed.

        Raises:
            ChildFailedError: If the stage fails.
            CodeChangedError: If the code was edited meanwhile.
        """
        key = self.key(world)
        assert key is not None, f"{self.name}: its upstream cells come first"
        self._begin(key, world)
        (self.folder / "trained.json").unlink(missing_ok=True)
        seconds = 0.0
        if self.method.command is None:
            self._derive()
        else:
            command = [sys.executable, "-m", *self.method.command]
            seconds = self.bench.children.run(command, self.work, self.log, what=str(self.name))
        if self.key(world) != key:
            raise CodeChangedError(
                f"{self.name}: code or upstream models changed while it trained",
                next_step="let the code rest (or work in a checkout of its own) and run the command again",
            )
        signature = read_json(self.bundle / SIGNATURE, made_by=_BY)
        metrics = self.work / "reports" / self.method.reports / "metrics.json"
        seal = {
            "key": key,
            "method": self.method.name,
            "seed": self.name.seed,
            "overrides": dict(self.method.overrides),
            "weights_sha256": signature["weights_sha256"],
            "parameters": signature["parameters"],
            "seconds": round(seconds, 1),
            "metrics": read_json(metrics, made_by=_BY) if self.method.command else {},
        }
        write_json(self.folder / "trained.json", seal)
        return seal

    def _begin(self, key: Seal, world: World) -> None:
        """A workspace for ``key``: the one of an earlier attempt with its checkpoint, or a new one."""
        begun = _seal(self.folder / "begun.json")
        if begun is None or begun["key"] != key:
            shutil.rmtree(self.work, ignore_errors=True)
            self.log.unlink(missing_ok=True)
        write_json(self.folder / "begun.json", {"key": key})
        write_text(self.work / "params.yaml", self.bench.documents.document(*self.overrides))
        link(world.store, self.work / PREPARED)
        for one in self.method.links:
            if self.method.command is not None:
                link(self.upstream(one.method) / "work/models" / one.model, self.work / "models" / one.name)

    def _derive(self) -> None:
        """The linked bundle with another configuration: the same weights under a new signature."""
        (one,) = self.method.links
        existing = self.upstream(one.method) / "work/models" / one.model
        shutil.rmtree(self.bundle, ignore_errors=True)
        link(existing / WEIGHTS, self.bundle / WEIGHTS)
        signature = json.loads((existing / SIGNATURE).read_text("utf-8"))
        signature["config"] |= self.method.network
        write_json(self.bundle / SIGNATURE, signature)


def _seal(path: Path) -> Seal | None:
    """A seal, or None where there is none that can be read."""
    try:
        seal = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return seal if isinstance(seal, dict) else None
