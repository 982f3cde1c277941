"""Scoring finished cells on the test split, with counts per tile kept beside each cell."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pandas as pd

from components.evaluate.parameters import EvaluateParameters
from components.experiments.cell import Cell, Seal
from components.experiments.documents import digest
from components.experiments.stages import StageGraph
from components.experiments.world import World
from components.lib.files import atomic_file, read_json, sha256_file, write_json

RULER = ("geo", "metrics", "nets", "scoring", "sensors", "store")
"""Concepts of ``components/lib`` whose code decides what a score is."""

DRAWING = {"confidence", "resamples", "pictures", "batch", "device"}
"""Keys of the section `evaluate` that change no count of a tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """How cells are scored.

    Attributes:
        parameters: Section `evaluate`.
        target: The sensor without labels, for the group ``target``.
        graph: Hashes the code.
        threads: Of PyTorch, while one cell is scored.
    """

    parameters: EvaluateParameters
    target: str | None
    graph: StageGraph
    threads: int = 1

    def key(self, cell: Cell, weights: str, world: World) -> Seal:
        """Hashes of all that the scores depend on."""
        settings = self.parameters.model_dump(mode="json", exclude=DRAWING)
        return {
            "weights_sha256": weights,
            "network": digest(dict(cell.method.network)),
            "world": world.sha256,
            "settings": digest(settings),
            "group": cell.method.group,
            "target": self.target if cell.method.group == "target" else None,
            "code": self.graph.code_hash(f"components/lib/{concept}" for concept in RULER),
        }

    def scored(self, cell: Cell, weights: str, world: World) -> pd.DataFrame | None:
        """The tile table, if it was made by the present rules from the present weights."""
        seal, table = cell.folder / "scored.json", cell.folder / "tiles.parquet"
        if not (seal.exists() and table.exists()):
            return None
        known = read_json(seal, made_by="evidence")
        if known["key"] != self.key(cell, weights, world) or known["tiles_sha256"] != sha256_file(table):
            return None
        return pd.read_parquet(table)

    def score(self, cell: Cell, weights: str, world: World) -> pd.DataFrame:
        """Score the cell on all test tiles of its sensor; clean ones are told apart by a column.

        Raises:
            BadDataError: If there is no test tile.
        """
        # Seconds of import that --dry-run and --help need not pay.
        import torch  # noqa: PLC0415

        from components.evaluate.stage import choose_device  # noqa: PLC0415
        from components.lib.nets.bundle import load_bundle  # noqa: PLC0415
        from components.lib.scoring.score import score_model  # noqa: PLC0415
        from components.lib.scoring.settings import ScoringSettings  # noqa: PLC0415
        from components.lib.store.store import Store  # noqa: PLC0415

        begun = time.monotonic()
        torch.set_num_threads(self.threads)
        net = load_bundle(cell.bundle)
        known = net.config.sensors
        sensor = self.target if cell.method.group == "target" and self.target else known[0]
        store = Store.open(world.store)
        scores = score_model(
            net,
            store,
            sensor=sensor,
            rows=store.rows(sensor, "test"),
            settings=ScoringSettings.of(self.parameters),
            device=choose_device(self.parameters.device),
            # A network that never met the sensor looks at it as at its own.
            statistics_of=sensor if sensor in known else known[0],
        )
        table = cell.folder / "tiles.parquet"
        with atomic_file(table) as temporary:
            scores.tiles.to_parquet(temporary, index=False)
        write_json(
            cell.folder / "scored.json",
            {
                "key": self.key(cell, weights, world),
                "tiles_sha256": sha256_file(table),
                "seconds": round(time.monotonic() - begun, 1),
            },
        )
        return scores.tiles
