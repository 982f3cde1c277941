"""Ground, light and flights of every simulated pair, drawn before any of them is imaged."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from components.lib.change.terms import Split
from components.lib.datasets.rehearsal import REHEARSAL
from components.simulation.change.parameters import SHARES, SimulatedPairsParameters
from components.simulation.change.seasons import draw_conditions
from components.simulation.conditions import Conditions
from components.simulation.flights import CENTRE_Y_M, SLANT, WEST_M
from components.simulation.frame import GSD_M, Frame, Mask

BLOCK_M = (REHEARSAL.split.east_m - REHEARSAL.split.west_m) / 10
"""Side of a ground block: a tenth of the ground that the official split divides, 470 m. It holds one pair."""
MARGIN_M = 50.0
"""Ground between a tile and the border of its block at least."""
COLUMNS: dict[Split, tuple[int, ...]] = {"train": (0, 1, 2, 3, 4, 5), "val": (7,), "test": (9, 10)}
"""Columns of blocks by split, counted from the west. Columns 6 and 8 are left out, and test ground begins
where ``sn6-clean`` begins: no test pair shows ground that a building network was trained on."""
ROWS = 14
"""Rows of blocks around the middle of the airborne flights; more pairs than fit there lie farther south."""
UNSEEN = (0.05, 0.25)
"""Share of a tile beyond the end of a swath, least and most."""

Shift = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PairPlan:
    """One pair before it is drawn.

    Attributes:
        block: Column and row of the ground block.
        split: Part of the data set.
        frame: Place of the tile on the ground.
        from_south: Whether the radar stands south of the scene, at the first and at the second date.
        optical_shift: Displacement of the second optical image, metres east and north.
        sar_shift: Displacement of the second radar image.
        conditions: Light, season, haze and view of the second optical image.
        unseen: Share of the tile beyond the swath of the second radar image: from the north edge, or if
            negative from the south edge; 0 for none.
        slope: Northward drift of the swath per metre eastwards.
    """

    block: tuple[int, int]
    split: Split
    frame: Frame
    from_south: tuple[bool, bool]
    optical_shift: Shift
    sar_shift: Shift
    conditions: Conditions
    unseen: float
    slope: float

    @property
    def scene(self) -> str:
        """Name of the ground block."""
        return f"{self.block[0]}_{self.block[1]}"

    @property
    def seen(self) -> Mask:
        """Pixels of the second radar image that its swath covers, (rows, cols)."""
        x, y = self.frame.centres(slice(0, self.frame.rows), slice(0, self.frame.cols))
        side_m = self.frame.rows * self.frame.gsd
        # Distance of each pixel from the edge of the tile that the swath ends before.
        away = (-y if self.unseen > 0 else y + side_m) + self.slope * (x - side_m / 2)
        covered: Mask = away >= abs(self.unseen) * side_m if self.unseen else np.ones(away.shape, dtype=bool)
        return covered

    @property
    def name(self) -> str:
        """Name of the pair in its data set."""
        return f"simulated_{self.scene}"


def plan_pairs(parameters: SimulatedPairsParameters) -> list[PairPlan]:
    """Lay out all pairs: training, validation, test, each on a ground block of its own."""
    counts: dict[Split, int] = {s: max(1, round(share * parameters.pairs)) for s, share in SHARES.items()}
    counts = {"train": parameters.pairs - sum(counts.values()), **counts}
    plans: list[PairPlan] = []
    for part, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng([parameters.seed, 71, part])
        columns = COLUMNS[split]
        rows = max(ROWS, ceil(count / len(columns)))
        blocks = rng.permutation([(c, r) for c in columns for r in range(rows)])[:count]
        plans += [_plan(parameters, split, (column, row)) for column, row in blocks.tolist()]
    return plans


def _plan(parameters: SimulatedPairsParameters, split: Split, block: tuple[int, int]) -> PairPlan:
    rng = np.random.default_rng([parameters.seed, 72, *block])
    column, row = block
    free = BLOCK_M - 2 * MARGIN_M - parameters.tile_px * GSD_M
    west = WEST_M + column * BLOCK_M + MARGIN_M + rng.uniform(0, free)
    north = CENTRE_Y_M + (ROWS / 2 - row) * BLOCK_M - MARGIN_M - rng.uniform(0, free)
    before = bool(rng.random() < 0.5)
    unseen = rng.choice([-1.0, 1.0]) * rng.uniform(*UNSEEN)
    turns = bool(rng.random() < parameters.opposite_look)
    return PairPlan(
        block=block,
        split=split,
        frame=Frame(float(west), float(north), GSD_M, parameters.tile_px, parameters.tile_px),
        from_south=(before, before != turns),
        optical_shift=_shift(rng, parameters.misregistration_px),
        sar_shift=_shift(rng, parameters.misregistration_px),
        conditions=draw_conditions(rng),
        unseen=float(unseen) if rng.random() < parameters.swath_edge else 0.0,
        slope=float(rng.uniform(-SLANT, SLANT)),
    )


def _shift(rng: np.random.Generator, largest_px: float) -> Shift:
    """Draw a displacement, uniform over a disc of ``largest_px``, in metres."""
    length, angle = largest_px * GSD_M * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    return float(length * np.cos(angle)), float(length * np.sin(angle))
