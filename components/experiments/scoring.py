"""Scores of finished trials on the test split, with counts per tile kept beside each trial."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from components.contract.hashing import sha256_file, sha256_json
from components.evaluate.parameters import EvaluateParameters
from components.experiments.grid import Variant
from components.experiments.identity import Key, StageGraph, current_stamp
from components.experiments.world import World
from components.lib.config.scoring import ScoringSettings
from components.lib.files import atomic_file, write_json

WITHOUT_EFFECT = {"batch"}
"""Keys of the section `scoring` that change no count of a tile."""


class TrainedTrial(Protocol):
    """A trial whose training is finished."""

    @property
    def folder(self) -> Path:
        """Folder of its scores."""

    @property
    def bundle(self) -> Path:
        """Folder of the model that is scored."""

    @property
    def method(self) -> Variant:
        """Row of its table; group and network are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Scores trials by the rules of the stage `evaluate`.

    Attributes:
        parameters: Section `evaluate`.
        settings: Section `scoring`.
        target: Sensor without labels, for the group ``target``.
        graph: Declarations of the stages.
        threads: Threads of PyTorch while trials are scored, ``training.threads``; None leaves it to PyTorch.
    """

    parameters: EvaluateParameters
    settings: ScoringSettings
    target: str | None
    graph: StageGraph
    threads: int | None = None

    def key(self, trial: TrainedTrial, weights: str, world: World) -> Key:
        """Return hashes of all that the scores depend on."""
        settings = self.settings.model_dump(mode="json", exclude=WITHOUT_EFFECT)
        return {
            "weights_sha256": weights,
            "network": sha256_json(dict(trial.method.network)),
            "world": world.sha256,
            "settings": sha256_json(settings),
            "threads": self.threads,
            "group": trial.method.group,
            "target": self.target if trial.method.group == "target" else None,
            "code": self.graph.scoring_code_hash(),
        }

    def scored(self, trial: TrainedTrial, weights: str, world: World) -> pd.DataFrame | None:
        """Return the tile table if it was made by the present rules from the present weights."""
        table = trial.folder / "tiles.parquet"
        stamp = current_stamp(trial.folder / "scored.json", self.key(trial, weights, world))
        if stamp is None or not table.exists() or stamp["tiles_sha256"] != sha256_file(table):
            return None
        return pd.read_parquet(table)

    def score(self, trial: TrainedTrial, weights: str, world: World) -> pd.DataFrame:
        """Score a trial on all test tiles of its sensor; a column marks the clean ones.

        Tiles of roads have the sums of their graphs and of scores within a tolerance, too.

        Raises:
            BadDataError: If there is no test tile.
        """
        # Seconds of import that --dry-run and --help need not pay.
        import torch  # noqa: PLC0415

        from components.lib.inference.device import choose_device  # noqa: PLC0415
        from components.lib.nets.bundle import load_bundle  # noqa: PLC0415
        from components.lib.scoring.graphs import RoadGraphs  # noqa: PLC0415
        from components.lib.scoring.road_sums import with_road_sums  # noqa: PLC0415
        from components.lib.scoring.score import score_model  # noqa: PLC0415
        from components.lib.store.store import Store  # noqa: PLC0415

        begun = time.monotonic()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        net = load_bundle(trial.bundle)
        known = net.config.sensors
        sensor = self.target if trial.method.group == "target" and self.target else known[0]
        store = Store.open(world.store)
        roads = RoadGraphs(store, sensor) if store.task == "roads" else None
        scores = score_model(
            net,
            store,
            sensor=sensor,
            rows=store.rows(sensor, "test"),
            settings=self.settings,
            device=choose_device(self.parameters.device, "evaluate.device"),
            # A network that was not trained on the sensor takes the statistics of its own.
            statistics_of=sensor if sensor in known else known[0],
            graphs=None if roads is None else roads.score,
        )
        tiles = scores.tiles if roads is None else with_road_sums(scores)
        table = trial.folder / "tiles.parquet"
        with atomic_file(table) as temporary:
            tiles.to_parquet(temporary, index=False)
        write_json(
            trial.folder / "scored.json",
            {
                "key": self.key(trial, weights, world),
                "tiles_sha256": sha256_file(table),
                "seconds": round(time.monotonic() - begun, 1),
            },
        )
        return tiles
