"""Look-up of data sets of pairs by name."""

from __future__ import annotations

from difflib import get_close_matches

from components.contract.errors import ParameterError
from components.lib.change.datasets.aerial import SYSU_CD, WHU_CD
from components.lib.change.datasets.base import PairDataset
from components.lib.change.datasets.bright import BRIGHT
from components.lib.change.datasets.generic import GENERIC, GEOREFERENCED
from components.lib.change.datasets.google_earth import CDD, DSIFN
from components.lib.change.datasets.levir import LEVIR_CD, LEVIR_CD_PLUS
from components.lib.change.datasets.s2looking import S2LOOKING
from components.lib.change.datasets.spacenet8 import SPACENET8

PAIR_DATASETS = {
    dataset.name: dataset
    for dataset in (
        GENERIC,
        GEOREFERENCED,
        LEVIR_CD,
        LEVIR_CD_PLUS,
        WHU_CD,
        SYSU_CD,
        DSIFN,
        CDD,
        S2LOOKING,
        SPACENET8,
        BRIGHT,
    )
}
"""All data sets of pairs by name; a new one is a declaration in this package and an entry here."""


def get_pair_dataset(name: str) -> PairDataset:
    """Return the data set of that name.

    Raises:
        ParameterError: If the name is unknown, naming the nearest known one.
    """
    if name not in PAIR_DATASETS:
        nearest = get_close_matches(name, PAIR_DATASETS, n=1, cutoff=0.0)
        raise ParameterError(
            f"unknown data set of pairs {name!r}; the nearest known one is {nearest[0]!r}",
            next_step=f"use one of {', '.join(PAIR_DATASETS)}",
        )
    return PAIR_DATASETS[name]
