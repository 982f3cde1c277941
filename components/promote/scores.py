"""Scores of a model on every clean test tile of every sensor it knows."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from components.contract.hashing import sha256_bytes
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store


@dataclass(frozen=True, slots=True)
class CleanTestScores:
    """One model's scores on the clean test tiles.

    Attributes:
        sensors: Sensors the model knows.
        untested: Those of them that have no clean test tile.
        scores: Score tables of all the others together; None if there is no tile at all.
    """

    sensors: tuple[str, ...]
    untested: tuple[str, ...]
    scores: Scores | None

    def on(self, sensors: tuple[str, ...]) -> Scores | None:
        """Return the scores on some of the sensors, None if there is no tile of them."""
        if self.scores is None:
            return None
        tiles, objects = (
            table[table["sensor"].isin(sensors)] for table in (self.scores.tiles, self.scores.objects)
        )
        return None if tiles.empty else Scores(tiles, objects)

    @property
    def digest(self) -> str:
        """Return the SHA-256 over every count, area, confidence and IoU, to the last bit."""
        if self.scores is None:
            return sha256_bytes(b"")
        # Python writes floats so that they read back unchanged: equal text is equal bits.
        texts = [table.to_csv(index=False) for table in (self.scores.tiles, self.scores.objects)]
        return sha256_bytes("\n".join(texts).encode())


def score_clean_test(
    net: SegmentationNetwork, store: Store, settings: ScoringSettings, device: str = "cpu"
) -> CleanTestScores:
    """Score ``net`` on the clean test tiles of all its sensors.

    Clean tiles lie on ground that no train tile saw (docs/methods/spacenet6.md).
    """
    # The same network must give the same bits in every process.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    rows = {s: store.rows(s, "test", clean=True) for s in net.config.sensors if s in store.sensors}
    parts = [
        score_model(net, store, sensor=sensor, rows=chosen, settings=settings, device=device)
        for sensor, chosen in rows.items()
        if len(chosen)
    ]
    untested = tuple(s for s in net.config.sensors if s not in rows or not len(rows[s]))
    scores = None
    if parts:
        scores = Scores(
            pd.concat([part.tiles for part in parts], ignore_index=True),
            pd.concat([part.objects for part in parts], ignore_index=True),
        )
    return CleanTestScores(net.config.sensors, untested, scores)


def choose_device() -> str:
    """Return ``cuda`` if there is a GPU, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"
