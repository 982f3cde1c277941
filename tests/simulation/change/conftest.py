"""Smallest pairs, drawn once per session."""

from __future__ import annotations

import pytest

from components.lib.change.pair import Pair
from components.simulation.change.pairs import simulated_pairs
from components.simulation.change.parameters import SimulatedPairsParameters

SMALLEST = SimulatedPairsParameters(seed=7, pairs=3, tile_px=112, swath_edge=1.0)


@pytest.fixture(scope="session")
def pairs() -> list[Pair]:
    return list(simulated_pairs(SMALLEST, workers=1))
