"""Variance of a ratio of counts that were summed by ground block.

Blocks adjoin, and are of very unequal size at the edges of the test ground, so the plain jackknife over
blocks is too narrow. Here the products of adjoining blocks' deviations count as well, with the weights of
Bartlett's kernel (1/2 beside, 1/4 across a corner), as in spatial heteroscedasticity and autocorrelation
consistent estimates (Conley, J. Econometrics 92, 1999). Bias and degrees of freedom of that quadratic form
are those under a working model, as in Bell and McCaffrey (Survey Methodology 28, 2002): a block's deviation
is proportional to its size, and points correlate by the spherical model up to ``REACH`` sides of a block.
How well the intervals cover: docs/methods/metrics.md, by ``python -m components.experiments.coverage``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from components.contract.errors import BadDataError
from components.lib.metrics.blocksums import Floats

REACH = 0.8
"""Distance beyond which the working model sees no correlation, in sides of a block."""

_NAME = re.compile(r"-?\d+_-?\d+")

_QUADRATURE = 10
"""Points per side with which the correlation of two blocks is integrated."""


@dataclass(frozen=True, slots=True)
class BlockVariance:
    """Variance estimate of one layout of blocks.

    Attributes:
        form: Matrix of the quadratic form on jackknife deviations, bias removed, (blocks, blocks).
        freedom: Degrees of freedom of the estimate (Satterthwaite).
    """

    form: Floats
    freedom: float

    def covariance(self, first: Floats, second: Floats) -> Floats:
        """Return the covariance of two statistics, (...).

        Args:
            first: Deviations of one: value of all blocks minus value without each, (blocks, ...).
            second: Deviations of the other, of the same shape.
        """
        return cast("Floats", (first * np.tensordot(self.form, second, axes=1)).sum(axis=0))


def block_positions(names: Iterable[str]) -> Floats:
    """Return column and row in the grid of ground blocks named ``<column>_<row>``, (blocks, 2).

    Raises:
        BadDataError: If a name is not of that form.
    """
    wanted = list(names)
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise BadDataError(
                f"location {name!r} is no ground block, whose name is <column>_<row>",
                next_step="score the models again: `dvc repro --force evaluate`",
            )
    return np.array([name.split("_") for name in wanted], dtype=np.float64).reshape(-1, 2)


def block_variance(positions: Floats, sizes: Floats) -> BlockVariance:
    """Return the variance estimate of a layout.

    Args:
        positions: Column and row of every block in the grid, (blocks, 2).
        sizes: Pixels or buildings in each, (blocks,); not all zero. At least two blocks must have some.
    """
    shares = sizes / sizes.sum()
    steps = np.abs(positions[:, None] - positions[None])
    kernel = np.prod(np.clip(1.0 - steps / 2.0, 0.0, None), axis=-1)
    reach = 1 + int(np.ceil(REACH))
    near = np.minimum(steps, reach).astype(int)
    correlation = _correlations()[near[..., 0], near[..., 1]]
    model = np.outer(shares, shares) * correlation
    # Deviations from the ratio add up to zero: each lacks its share of the error of the whole.
    centring = np.eye(len(shares)) - np.outer(shares, np.ones(len(shares)))
    seen = centring.T @ kernel @ centring @ model
    expected = float(np.trace(seen))
    bias = float(model.sum()) / expected
    # A jackknife deviation is the block's own divided by what the others hold.
    others = 1.0 - shares
    return BlockVariance(
        form=bias * kernel * np.outer(others, others), freedom=expected**2 / float(np.trace(seen @ seen))
    )


@lru_cache(maxsize=1)
def _correlations() -> Floats:
    """Return the correlation of two blocks' means by columns and rows between them; zero in the last."""
    reach = 1 + int(np.ceil(REACH))
    axis = (np.arange(_QUADRATURE) + 0.5) / _QUADRATURE
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    table = np.zeros((reach + 1, reach + 1))
    for column in range(reach):
        for row in range(reach):
            apart = points[:, None] - points[None] - np.array([column, row])
            table[column, row] = spherical(np.hypot(apart[..., 0], apart[..., 1]) / REACH).mean()
    return cast("Floats", table / table[0, 0])


def spherical(distance: Floats) -> Floats:
    """Return the spherical correlation at distances in units of its range; zero beyond 1."""
    near = np.minimum(distance, 1.0)
    return 1.0 - 1.5 * near + 0.5 * near**3
