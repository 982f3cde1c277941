"""Rows of the comparison of pre-training: with which masks, and for how many passes over clean labels."""

from __future__ import annotations

from dataclasses import dataclass

from components.simulation.openstreetmap.noise import PRESETS

CLEAN = "clean"
"""Row without pre-training, which all others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

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

ROWS: tuple[Row, ...] = (
    Row(name=CLEAN, label="clean labels alone", noise=None),
    *(
        Row(name="perfect" if noise == "none" else noise, label=_LABELS[noise], noise=noise)
        for noise in PRESETS
    ),
)
"""All rows, from no pre-training over perfect masks to the worst."""


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
