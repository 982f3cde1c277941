"""One trial of the grid: its folder, what it is made from, and the stamps of what is finished.

A trial's folder holds ``work`` (the workspace in which the stage ran), its logs, ``trained.json`` and, once
scored, ``tiles.parquet`` and ``scored.json``. Both JSON files are stamps (see ``identity``): where their keys
still hold, nothing is done again.
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
from components.experiments.grid import TrialName, Variant
from components.experiments.identity import (
    Key,
    StageGraph,
    Stamp,
    begin_attempt,
    current_stamp,
    read_stamp,
    stage_key,
)
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses
from components.experiments.world import PREPARED, World, link
from components.lib.files import read_json, write_json, write_text

SIGNATURE = "model.json"
WEIGHTS = "weights.safetensors"
_BY = "evidence"


class CodeChangedError(StormsightError):
    """The code was edited while a trial trained: its result belongs to neither version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Shared context of all trials of a run.

    Attributes:
        folder: Folder of all trials.
        parameters: Sections under the run's profile.
        graph: Declarations of the stages.
        processes: Runs the stages.
    """

    folder: Path
    parameters: ParameterOverlay
    graph: StageGraph
    processes: StageProcesses


class Trial:
    """A method with a seed, below ``<context.folder>/<method>/seed-<n>``.

    Args:
        context: Shared by all trials.
        method: Row of the grid.
        name: Variant and seed.
    """

    def __init__(self, context: Context, method: Variant, name: TrialName) -> None:
        self.context, self.method, self.name = context, method, name
        self.folder = context.folder / method.name / f"seed-{name.seed}"
        self.work = self.folder / "work"
        self.log = self.folder / "train.log"
        self.overrides: tuple[Mapping[str, Any], ...] = (
            method.overrides,
            context.parameters.budget_times(method.times),
            {"training": {"seed": name.seed}},
        )

    @property
    def bundle(self) -> Path:
        """Folder of the model that is scored."""
        return self.work / "models" / self.method.model

    def upstream(self, method: str) -> Path:
        """Return the folder of the trial of the same seed that this one starts from."""
        return self.context.folder / method / f"seed-{self.name.seed}"

    def key(self, world: World) -> Key | None:
        """Return hashes of all that the training depends on; None while an upstream model is missing."""
        upstream: dict[str, str] = {}
        for one in self.method.links:
            stamp = read_stamp(self.upstream(one.method) / "trained.json")
            if stamp is None:
                return None
            upstream[one.name] = stamp["weights_sha256"]
        if self.method.command is None:
            return {"upstream": upstream, "network": dict(self.method.network), "world": world.sha256}
        stage = stage_key(self.context.graph, self.method.command, self.context.parameters, self.overrides)
        return {
            "command": list(self.method.command),
            "upstream": upstream,
            "world": world.sha256,
            **stage,
        }

    def trained(self, world: World) -> Stamp | None:
        """Return the stamp if the training is finished and nothing it depends on has changed since."""
        stamp = current_stamp(self.folder / "trained.json", self.key(world))
        if stamp is None:
            return None
        signature = self.bundle / SIGNATURE
        present = signature.exists() and (self.bundle / WEIGHTS).exists()
        if not present or read_json(signature, made_by=_BY)["weights_sha256"] != stamp["weights_sha256"]:
            return None
        return stamp

    def train(self, world: World) -> Stamp:
        """Run the stage, or derive the bundle where nothing is trained, and stamp the result.

        An attempt that was killed goes on from its checkpoint, if nothing it depends on has changed.

        Raises:
            StageFailedError: If the stage fails.
            CodeChangedError: If the code was edited meanwhile.
        """
        key = self.key(world)
        assert key is not None, f"{self.name}: its upstream trials come first"
        self._begin(key, world)
        (self.folder / "trained.json").unlink(missing_ok=True)
        seconds = 0.0
        if self.method.command is None:
            self._derive(world)
        else:
            command = [sys.executable, "-m", *self.method.command]
            seconds = self.context.processes.run(command, self.work, self.log, label=str(self.name))
        if self.key(world) != key:
            raise CodeChangedError(
                f"{self.name}: code or upstream models changed while it trained",
                next_step="let the code rest (or work in a checkout of its own) and run the command again",
            )
        signature = read_json(self.bundle / SIGNATURE, made_by=_BY)
        metrics = self.work / "reports" / self.method.reports / "details.json"
        stamp = {
            "key": key,
            "method": self.method.name,
            "seed": self.name.seed,
            "overrides": dict(self.method.overrides),
            "weights_sha256": signature["weights_sha256"],
            "parameters": signature["parameters"],
            "threads": signature["metadata"].get("threads"),
            "seconds": round(seconds, 1),
            "metrics": read_json(metrics, made_by=_BY) if self.method.command else {},
        }
        write_json(self.folder / "trained.json", stamp)
        return stamp

    def _begin(self, key: Key, world: World) -> None:
        """Prepare the workspace: that of an earlier attempt at ``key`` with its checkpoint, or a new one."""
        begin_attempt(self.folder / "begun.json", key, (self.work, self.log))
        write_text(self.work / "params.yaml", self.context.parameters.document(*self.overrides))
        link(world.store, self.work / PREPARED)
        for one in self.method.links:
            if self.method.command is not None:
                link(self.upstream(one.method) / "work/models" / one.model, self.work / "models" / one.name)

    def _derive(self, world: World) -> None:
        """Give the linked bundle another configuration: the same weights under a new signature.

        Another map has another threshold, chosen where a training chooses it.
        """
        (one,) = self.method.links
        existing = self.upstream(one.method) / "work/models" / one.model
        shutil.rmtree(self.bundle, ignore_errors=True)
        link(existing / WEIGHTS, self.bundle / WEIGHTS)
        signature = json.loads((existing / SIGNATURE).read_text("utf-8"))
        signature["config"] |= self.method.network
        self._sign(signature)
        if self.method.network:
            signature["config"]["threshold"] = _own_threshold(self.bundle, world)
            self._sign(signature)

    def _sign(self, signature: dict[str, Any]) -> None:
        from components.lib.nets.sealed import SEAL, seal_of  # noqa: PLC0415 - seconds of import

        write_json(self.bundle / SIGNATURE, {**signature, SEAL: seal_of(signature)})


def _own_threshold(bundle: Path, world: World) -> float:
    """Return the threshold of a model's deployed map, from the selection slice of the labelled sensor."""
    # Seconds of import that --dry-run and --help need not pay.
    import torch  # noqa: PLC0415

    from components.lib.engine.selection import pixel_histogram  # noqa: PLC0415
    from components.lib.nets.bundle import load_bundle  # noqa: PLC0415
    from components.lib.store.store import Store  # noqa: PLC0415

    net, store = load_bundle(bundle), Store.open(world.store)
    sensor = net.config.sensors[0]
    rows = store.rows(sensor, "selection")
    return pixel_histogram(net, store, sensor, rows, device=torch.device("cpu")).best_threshold()
