"""Probabilities of a model on drawn acquisitions, kept on disk: a study goes on where it was stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.contract.errors import ParameterError
from components.experiments.drift.answers import LEVELS, Mapper
from components.experiments.drift.shifts import NONE, Case
from components.experiments.drift.world import Scale
from components.lib.drift.answers import block_probabilities
from components.lib.drift.expected_score import BlockProbabilities
from components.lib.files import atomic_file, read_json, write_json
from components.lib.store.store import Store
from components.lib.telling import telling

SLICE = "selection"
"""Split that calibrates."""


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Probabilities below a folder, one file for each acquisition and shift, of one model and size.

    Attributes:
        folder: Folder of the files; ``of.json`` says what they are of.
        mapper: The model.
        scale: Size of the acquisitions.
    """

    folder: Path
    mapper: Mapper
    scale: Scale

    def check(self) -> None:
        """Note model, settings and size in a new folder.

        Raises:
            ParameterError: If the folder holds results of others.
        """
        settings = self.mapper.settings.model_dump(mode="json")
        identity = {"scale": asdict(self.scale), "model": self.mapper.net.metadata, "settings": settings}
        note = self.folder / "of.json"
        if not note.exists():
            write_json(note, identity)
        if read_json(note, made_by="drift") != identity:
            raise ParameterError(
                f"{self.folder} holds results of another model, size or section `scoring`",
                next_step="name another folder with --work",
            )

    def reference(self, store: Store) -> BlockProbabilities:
        """Return the probabilities on the selection slice of the store that the model was trained from."""
        file, mapper = self.folder / "reference.npz", self.mapper
        if not file.exists():
            sensor = mapper.net.config.sensors[0]
            rows = store.rows(sensor, SLICE)
            _write(file, block_probabilities(mapper.net, store, sensor, rows, settings=mapper.settings))
        return _read(file)

    def draw(self, nulls: int, repeats: int) -> None:
        """Measure what is missing, level by level of :data:`LEVELS`; only the first acquisitions are shifted.

        Args:
            nulls: Acquisitions without shift.
            repeats: The first of them, to which every shift is applied, too.
        """
        jobs = [
            (number, [case for case in level if not self.path(number, case).exists()])
            for level in LEVELS
            for number in range(nulls if level == (NONE,) else repeats)
        ]
        with telling("cases", sum(len(wanted) for _, wanted in jobs), "case") as advance:
            for number, wanted in jobs:
                for case, found in self.mapper.cases(self.scale, number, wanted) if wanted else ():
                    _write(self.path(number, case), found)
                    advance(1)

    def path(self, number: int, case: Case) -> Path:
        """Return the file of one acquisition with one shift."""
        name, size = case
        return self.folder / f"{number:04}" / f"{name.replace(' ', '-')}_{size:g}.npz"

    def read(self, number: int, case: Case) -> BlockProbabilities | None:
        """Return the probabilities on an acquisition with one shift, None if they were not measured."""
        path = self.path(number, case)
        return _read(path) if path.exists() else None


def _write(file: Path, found: BlockProbabilities) -> None:
    assert found.building is not None
    with atomic_file(file, sweep=False) as path, path.open("wb") as stream:
        np.savez_compressed(
            stream, blocks=np.array(found.blocks), pixels=found.pixels, building=found.building
        )


def _read(file: Path) -> BlockProbabilities:
    with np.load(file, allow_pickle=False) as held:
        blocks = tuple(str(block) for block in held["blocks"])
        return BlockProbabilities(blocks, held["pixels"], held["building"])
