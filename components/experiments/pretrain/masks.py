"""Masks of the comparison: for each degree of error a simulated extract, drawn by stage osm, once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from components.contract.hashing import sha256_folder
from components.experiments.identity import Key, StageGraph, begin_attempt, current_stamp, stage_key
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses
from components.experiments.world import PREPARED, World, link
from components.lib.files import write_json, write_text
from components.lib.store.store import Store
from components.lib.tasks.names import TaskName
from components.simulation.city import city_of
from components.simulation.openstreetmap.extract import boxes_of, write_extract
from components.simulation.parameters import WorldParameters

EXTRACT = "city.geojson"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskMaker:
    """Makes the masks of one store, or finds them made.

    Attributes:
        folder: Folder of all masks, each in ``<folder>/<noise>``.
        parameters: Sections under the profile.
        graph: Declarations of the stages.
        processes: Runs the stages.
        world: The prepared store.
        task: Task of the store: what the masks show.
    """

    folder: Path
    parameters: ParameterOverlay
    graph: StageGraph
    processes: StageProcesses
    world: World
    task: TaskName

    @property
    def place(self) -> Path:
        """Folder of the masks below a workspace."""
        return Path("data/osm") / self.task

    def masks(self, noise: str) -> Path:
        """Return the folder of the masks of a degree of error."""
        return self.folder / noise / self.place

    def make(self, noise: str) -> str:
        """Draw the masks of a degree of error if they are not there; return their SHA-256.

        Raises:
            StageFailedError: If the stage fails, naming its log.
            BadDataError: If the store is not of the simulated city.
        """
        work = self.folder / noise
        seed = self.parameters.checked("world", WorldParameters).seed
        boxes = boxes_of(Store.open(self.world.store))
        made = write_extract(work / EXTRACT, city_of(seed), boxes, noise, seed)
        command = ("components.osm", "--task", self.task)
        extract = {**made.declaration(), "path": EXTRACT}
        overrides = {"osm": {"tasks": [self.task], "extract": extract, "misregistration": False}}
        key: Key = {
            **stage_key(self.graph, command, self.parameters, (overrides,)),
            "store": self.world.sha256,
            "extract": made.sha256,
        }
        if current_stamp(work / "masks.json", key) is None or not self.masks(noise).is_dir():
            begin_attempt(work / "begun.json", key, [work / "data"])
            write_text(work / "params.yaml", self.parameters.document(overrides))
            link(self.world.store, work / PREPARED)
            self.processes.run(
                [sys.executable, "-m", *command], work, work / "masks.log", label=f"masks {noise}"
            )
            write_json(work / "masks.json", {"key": key, "counts": made.counts})
        return sha256_folder(self.masks(noise))
