"""Pseudo-labels of a round as a file, so that a killed run finds those it was training on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.contract.errors import MissingInputError
from components.contract.hashing import sha256_file
from components.lib.files import read_json, write_json
from components.lib.nets.network import SegmentationNetwork
from components.lib.selftraining.collapse import class_agreement
from components.lib.selftraining.pseudolabels import LabelSummary, PseudoLabelSettings, make_pseudo_labels
from components.lib.store.store import Store

LAYER = "sar"
"""The only layer of the target that training opens, unless ``adapt.labels`` is ``truth``."""


@dataclass(frozen=True)
class LabelFolder:
    """Folder of the rounds' labels, and how they are made.

    Attributes:
        folder: Scratch folder of this stage.
        store: The prepared tiles.
        sensor: The target.
        rows: The target's rows to label, ascending.
        settings: Settings of pseudo-labelling.
        classes: Classes of the network.
    """

    folder: Path
    store: Store
    sensor: str
    rows: np.ndarray[Any, np.dtype[np.int64]]
    settings: PseudoLabelSettings
    classes: int = 2

    def make(self, round_: int, net: SegmentationNetwork, device: torch.device) -> tuple[LabelSummary, str]:
        """Label all tiles with ``net`` as it is now; return a summary, and the SHA-256 of the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        summary = make_pseudo_labels(
            net,
            self.store.layer(self.sensor, LAYER),
            self.rows,
            sensor=self.sensor,
            settings=self.settings,
            output=self._path(round_),
            device=device,
        )
        return summary, sha256_file(self._path(round_))

    def agreement(self, before: int, now: int) -> tuple[float, ...]:
        """Return the agreement (IoU) of the labels of two rounds, per class."""
        old, new = (np.load(self._path(r), mmap_mode="r", allow_pickle=False) for r in (before, now))
        return class_agreement(old, new, self.classes)

    def note(
        self, round_: int, summary: LabelSummary, agreement: Sequence[float] | None, reason: str | None
    ) -> None:
        """Write down the summary of a round, and the reason if it was refused."""
        content = {
            **summary.as_dict(),
            "agreement": agreement,
            "trained_on": reason is None,
            "refused_because": reason,
        }
        write_json(self._summary(round_), content)

    def open(self, round_: int, digest: str) -> Tensor:
        """Return the labels of a round, (N, H, W) uint8, mapped from the file.

        Raises:
            MissingInputError: If the file is gone or is not the one with that SHA-256.
        """
        path = self._path(round_)
        if not path.exists() or sha256_file(path) != digest:
            raise MissingInputError(
                f"adapt: the pseudo-labels of round {round_ + 1} of the interrupted run are gone",
                next_step=f"remove {self.folder.parent} and run the stage again, from the beginning",
            )
        # Copy-on-write: torch wants writable memory, and the file must stay as it is.
        return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))

    def summaries(self, rounds: int) -> list[dict[str, Any]]:
        """Return the summary of each round that was begun, in order."""
        made = [self._summary(r) for r in range(rounds) if self._summary(r).exists()]
        return [read_json(path, made_by="adapt") for path in made]

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, round_: int) -> Path:
        return self.folder / f"round-{round_}.npy"

    def _summary(self, round_: int) -> Path:
        return self.folder / f"round-{round_}.json"
