"""Tables of drawn acquisitions, kept on disk, so that a study goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from components.contract.errors import ParameterError
from components.contract.hashing import sha256_json
from components.experiments.drift.shifts import MOVED_M, USUAL, imagings
from components.experiments.drift.world import (
    OFFSET_EAST,
    OFFSET_RANGE,
    Imaging,
    Scale,
    draw,
    moved_column,
    table,
)
from components.lib.files import atomic_file, read_json, write_json
from components.lib.telling import telling

_FORMER = {"offset_east_m": OFFSET_EAST, "offset_range_m": OFFSET_RANGE}
"""Names of columns in tables that were drawn before validation measured offsets, and their names now."""

Job = tuple[Imaging, int]
"""Imaging, and number of the acquisition."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of tile statistics below a folder, one for each acquisition that was drawn.

    Attributes:
        folder: Folder of the tables; ``scale.json`` says what all of them were drawn by.
        scale: Size of the acquisitions.
    """

    folder: Path
    scale: Scale

    def check(self) -> None:
        """Note the scale in a new folder.

        Raises:
            ParameterError: If the folder holds tables of another scale.
        """
        note = self.folder / "scale.json"
        if not note.exists():
            write_json(note, asdict(self.scale))
        if read_json(note, made_by="drift") != asdict(self.scale):
            raise ParameterError(
                f"{self.folder} holds acquisitions of another size", next_step="name another folder"
            )

    def path(self, job: Job) -> Path:
        """Return the file of one acquisition."""
        imaging, number = job
        name = "usual" if imaging == USUAL else sha256_json(asdict(imaging))[:12]
        return self.folder / name / f"{number:04}.parquet"

    def draw(self, jobs: Sequence[Job], repeats: int = 0) -> None:
        """Draw the acquisitions that are not there yet, and anew those that lack a distance of outlines.

        A drawing is the same whenever it is made, so that one made anew differs by its columns alone.

        Args:
            jobs: The acquisitions.
            repeats: Usual acquisitions, of the first numbers, in which moved outlines are looked for.
        """

        def moved(job: Job) -> tuple[float, ...]:
            imaging, number = job
            return MOVED_M if imaging == USUAL and number < repeats else ()

        missing = [job for job in jobs if not self._complete(job, moved(job))]
        with telling("acquisitions", len(missing), "acquisition") as advance:
            for job in missing:
                imaging, number = job
                found = table(draw(self.scale, number, imaging), moved(job))
                with atomic_file(self.path(job), sweep=False) as path:
                    found.to_parquet(path, index=False)
                advance(1)

    def _complete(self, job: Job, moved_m: Sequence[float]) -> bool:
        """Return whether the table of an acquisition is there, with a column for each distance."""
        path = self.path(job)
        if not path.exists():
            return False
        return {moved_column(distance) for distance in moved_m} <= set(pq.read_schema(path).names)

    def read(self, job: Job) -> pd.DataFrame | None:
        """Return the table of an acquisition, None if it was not drawn."""
        path = self.path(job)
        return _read(path) if path.exists() else None


@lru_cache(maxsize=512)
def _read(path: Path) -> pd.DataFrame:
    """Return a table, kept: each is part of many references; nobody may change it."""
    return pd.read_parquet(path).rename(columns=_FORMER)


def jobs(nulls: int, repeats: int) -> Iterator[Job]:
    """Yield the acquisitions of a study: all null ones, then one repetition of all shifts after another."""
    for number in range(nulls):
        yield USUAL, number
    for number in range(repeats):
        for imaging in imagings():
            yield imaging, number
