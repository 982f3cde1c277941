"""Rows of the comparison of pre-training: which teacher, with which masks, and the steps of both stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.simulation.openstreetmap.noise import PRESETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Beginning of a training: initial weights, or those learnt from masks first.

    Attributes:
        name: Name in files and on the command line.
        label: Name in the table.
        noise: Errors of the masks that are learnt from first, a name of ``PRESETS``; None for none.
    """

    name: str
    label: str
    noise: str | None


_LABELS = {
    "none": "pre-trained, perfect masks",
    "light": "pre-trained, light errors",
    "vegas": "pre-trained, errors as in Las Vegas",
    "poor": "pre-trained, poor masks",
}

CLEAN = Start(name="clean", label="clean labels alone", noise=None)
"""No pre-training."""

STARTS: tuple[Start, ...] = (
    CLEAN,
    *(
        Start(name="perfect" if noise == "none" else noise, label=_LABELS[noise], noise=noise)
        for noise in PRESETS
    ),
)
"""All beginnings, from no pre-training over perfect masks to the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table: a kind of teacher and its beginning."""

    kind: str
    start: Start

    @property
    def name(self) -> str:
        """Name in files."""
        return f"{self.kind}-{self.start.name}"

    @property
    def label(self) -> str:
        """Name in the table."""
        return f"{self.kind}, {self.start.label}"

    @property
    def noise(self) -> str | None:
        """Errors of the masks that are learnt from first; None for none."""
        return self.start.noise


def rows_of(kinds: Sequence[str], starts: Sequence[Start] = STARTS) -> list[Row]:
    """Return a row for each kind and beginning, kind by kind."""
    return [Row(kind=kind, start=start) for kind in kinds for start in starts]


def baseline_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """Return the row that another is compared with: its kind on clean labels alone, of that the first kind's.

    None where there is no such row, or it is the same one.
    """
    clean = [other for other in rows if other.start is CLEAN]
    if row.start is not CLEAN:
        clean = [other for other in clean if other.kind == row.kind]
    return clean[0] if clean and clean[0] is not row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Steps of both stages.

    Attributes:
        pretrain: Steps of the pre-training.
        optical: Steps of the training that follows, in the rows that are pre-trained.
        optical_epochs: Passes of that training.
        clean_epochs: Passes over the clean labels in the row without pre-training.
        clean: Steps that these are; as near to the sum of the others as whole passes allow.
    """

    pretrain: int
    optical: int
    optical_epochs: int
    clean_epochs: int
    clean: int

    @classmethod
    def of(cls, pretrain_steps: int, epochs: int, epoch_steps: int) -> Budget:
        """Divide equal total steps.

        Args:
            pretrain_steps: Steps of the pre-training.
            epochs: Passes over the clean labels after it.
            epoch_steps: Steps of one pass over the clean labels.
        """
        more = round(pretrain_steps / epoch_steps)
        return cls(
            pretrain=pretrain_steps,
            optical=epochs * epoch_steps,
            optical_epochs=epochs,
            clean_epochs=epochs + more,
            clean=(epochs + more) * epoch_steps,
        )

    def total(self, row: Row) -> int:
        """Return the steps of a row, both stages together."""
        return self.clean if row.noise is None else self.pretrain + self.optical
