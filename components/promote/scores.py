"""Scores of a model on the clean test tiles of sensors that it knows, and of sensors that it does not."""

from __future__ import annotations

from collections.abc import Sequence
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
        unadapted: Sensors the model does not know but was scored on all the same, with the statistics of the
            first that it knows.
    """

    sensors: tuple[str, ...]
    untested: tuple[str, ...]
    scores: Scores | None
    unadapted: tuple[str, ...] = ()

    @property
    def scored(self) -> tuple[str, ...]:
        """Return the sensors that there are scores of."""
        return tuple(s for s in (*self.sensors, *self.unadapted) if s not in self.untested)

    def on(self, sensors: Sequence[str]) -> Scores | None:
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
    net: SegmentationNetwork,
    store: Store,
    settings: ScoringSettings,
    device: str = "cpu",
    *,
    others: Sequence[str] = (),
) -> CleanTestScores:
    """Score ``net`` on the clean test tiles of all its sensors.

    Clean tiles lie on ground that no train tile saw (docs/methods/spacenet6.md).

    Args:
        net: The network.
        store: Prepared tiles.
        settings: Section ``scoring``.
        device: Device of the prediction.
        others: Sensors to score as well where the network does not know them, with the normalisation
            statistics of the first that it knows.
    """
    # The same network must give the same bits in every process.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    known = net.config.sensors
    wanted = {**{s: s for s in known}, **{s: known[0] for s in others if s not in known}}
    rows = {s: store.rows(s, "test", clean=True) for s in wanted if s in store.sensors}
    filled = {s: chosen for s, chosen in rows.items() if len(chosen)}
    parts = [
        score_model(
            net,
            store,
            sensor=sensor,
            rows=chosen,
            settings=settings,
            device=device,
            statistics_of=wanted[sensor],
        )
        for sensor, chosen in filled.items()
    ]
    scores = None
    if parts:
        scores = Scores(
            pd.concat([part.tiles for part in parts], ignore_index=True),
            pd.concat([part.objects for part in parts], ignore_index=True),
        )
    return CleanTestScores(
        sensors=known,
        untested=tuple(s for s in known if s not in filled),
        scores=scores,
        unadapted=tuple(s for s in filled if s not in known),
    )
