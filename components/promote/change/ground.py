"""Test ground of change models: the pairs of the split `test`, each scored as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch

from components.lib.change.inference import NetworkPredictor
from components.lib.change.nets.bundle import load_change_bundle
from components.lib.change.nets.config import ChangeConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.scoring.protocols import ScoringProtocol, score_split
from components.lib.change.scoring.scores import ChangeRules
from components.lib.change.store.store import PairStore
from components.lib.scoring.score import Scores
from components.promote.ground import Ground
from components.promote.scores import CleanTestScores

PROTOCOL: ScoringProtocol = "whole_tile"
SPLIT = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGround(Ground[ChangeNetwork]):
    """Test pairs of a store of pairs. The ground block of the gate's statistics is the scene.

    Where buildings have sensors, change has inputs: data set and modalities of both dates. A network is
    scored on the inputs that it was trained on and on no others, which its layers do not fit.

    Attributes:
        store: The store.
        rules: Matching of changed buildings.
        device: Device of the predictions.
    """

    unit: ClassVar[str] = "test pairs"

    store: PairStore
    rules: ChangeRules
    device: str

    @property
    def simulated(self) -> bool:
        """True if the pairs are of the rehearsal world."""
        return self.store.facts.simulated

    @property
    def acquisitions(self) -> list[str]:
        """Data set of the store."""
        return [self.store.facts.data_set]

    def load(self, folder: Path) -> ChangeNetwork:
        """Load a model folder; a network of a single date is refused."""
        return load_change_bundle(folder, self.device)

    def score(self, net: ChangeNetwork, others: Sequence[str] = ()) -> CleanTestScores:
        """Score a network on the test pairs, at the threshold of its own configuration.

        Without a test pair of its inputs it has no score at all. Inputs of ``others`` are never scored.
        """
        # The same network must give the same bits in every process.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        own = inputs_of(net.config)
        if not self._has_pairs_of(net.config):
            return CleanTestScores((own,), (own,), None)
        found = score_split(
            NetworkPredictor(net),
            self.store,
            SPLIT,
            PROTOCOL,
            before=net.config.before.modality,
            after=net.config.after.modality,
            rules=self.rules,
            threshold=net.config.threshold,
        )
        tiles = found.table().assign(sensor=own, acquisition=self.store.facts.data_set)
        return CleanTestScores((own,), (), Scores(tiles, pd.DataFrame({"sensor": []})))

    def _has_pairs_of(self, config: ChangeConfig) -> bool:
        of_data_set = {date.sensor for date in config.dates} == {self.store.facts.data_set}
        return of_data_set and bool(self.store.names(SPLIT))

    def method(self, net: ChangeNetwork) -> str:
        """Return the change method."""
        return net.config.kind

    def settings(self) -> dict[str, Any]:
        """Return protocol, split and rules."""
        return {"protocol": PROTOCOL, "split": SPLIT, **asdict(self.rules)}

    def tags(self, net: ChangeNetwork) -> dict[str, str]:
        """Return data set and modalities of both dates."""
        return {
            "modality": "change",
            "sensors": inputs_of(net.config),
            "before": net.config.before.modality,
            "after": net.config.after.modality,
        }


def inputs_of(config: ChangeConfig) -> str:
    """Return the data set and modalities that a network was trained on, ``levir-cd optical-to-sar``."""
    return f"{config.before.sensor} {config.before.modality}-to-{config.after.modality}"
