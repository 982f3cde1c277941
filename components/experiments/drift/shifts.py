"""The shifts that are injected, with their sizes, and what has to be drawn for them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from components.experiments.drift.world import OFFSET_EAST, Imaging, moved_column
from components.lib.datasets.base import QUAD_POL
from components.simulation.radiometry import radiometry_of

USUAL = Imaging()
"""Imaging of the reference and of the null acquisitions."""

OTHER = Imaging(other_sensor=True)

GEOLOCATION = "geolocation"

Case = tuple[str, float]
"""Name and size of a shift."""

NONE: Case = ("none", 0.0)
"""Case without a shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One kind of shift.

    Attributes:
        name: Name in tables.
        unit: Unit of the sizes, in words.
        sizes: Sizes that are tried, ascending in their effect.
    """

    name: str
    unit: str
    sizes: tuple[float, ...]

    def imaging(self, size: float) -> Imaging:
        """Return the imaging of the acquisition that a shift of this size is made from."""
        match self.name:
            case "fewer looks":
                return Imaging(looks=size)
            case "incidence":
                return Imaging(incidence_deg=size)
            case "season":
                return Imaging(vegetation_db=size)
            case "other sensor":
                return OTHER
            case _:
                return USUAL

    def column(self, size: float) -> str | None:
        """Return the column that a table must have for this size beside the statistics, None for none."""
        return moved_column(size) if self.name == GEOLOCATION else None

    def applied(self, drawn: pd.DataFrame, usual: pd.DataFrame, size: float) -> pd.DataFrame:
        """Return the tile statistics of a shifted acquisition.

        Args:
            drawn: Tiles drawn by :meth:`imaging`.
            usual: The same acquisition, drawn as the reference is.
            size: Size of the shift.
        """
        if self.name == "gain":
            return _brighter(drawn, size)
        if self.name == GEOLOCATION:
            moved: pd.DataFrame = drawn.assign(**{OFFSET_EAST: drawn[moved_column(size)]})
            return moved
        if self.name == "other sensor":
            first = usual["strip_index"] < round(size * (usual["strip_index"].max() + 1))
            mixed: pd.DataFrame = pd.concat([drawn[first.to_numpy()], usual[~first]])
            return mixed
        return drawn


SHIFTS = (
    Shift(name="gain", unit="dB", sizes=(0.1, 0.2, 0.5, 1.0, 2.0)),
    Shift(name="fewer looks", unit="of 4 looks", sizes=(0.95, 0.9, 0.8, 0.6)),
    Shift(name="incidence", unit="degrees more", sizes=(1.0, 2.0, 5.0, 10.0, 15.0, 20.0)),
    Shift(name="season", unit="dB, vegetation", sizes=(-0.5, -1.0, -2.0, -4.0, -8.0)),
    Shift(name="other sensor", unit="of the strips", sizes=(0.17, 0.33, 0.5, 1.0)),
    Shift(name=GEOLOCATION, unit="m", sizes=(1.0, 2.0, 4.0, 8.0, 16.0)),
)

MOVED_M = next(shift.sizes for shift in SHIFTS if shift.name == GEOLOCATION)
"""Distances that images are moved by, metres: each is measured when an acquisition is drawn. The search of
:mod:`components.lib.drift.geolocation` reaches 24 m, beyond the largest with what flights differ by."""


def imagings() -> list[Imaging]:
    """Return every imaging that the shifts are drawn by, without the usual one, each once."""
    found = [shift.imaging(size) for shift in SHIFTS for size in shift.sizes]
    return [imaging for imaging in dict.fromkeys(found) if imaging != USUAL]


def _brighter(tiles: pd.DataFrame, gain_db: float) -> pd.DataFrame:
    """Return the statistics of tiles whose every pixel is ``gain_db`` brighter: the means move.

    Raises:
        ValueError: If a pixel would leave the product's range, where it is cut off.
    """
    highest = radiometry_of("simulated-airborne").highest
    columns: dict[str, pd.Series] = {}
    for band in QUAD_POL:
        if float(tiles[f"sar_max_{band}"].max()) + gain_db > highest:
            raise ValueError(f"a gain of {gain_db:g} dB saturates {band}")
        columns |= {
            f"sar_{name}_{band}": tiles[f"sar_{name}_{band}"] + gain_db for name in ("mean", "min", "max")
        }
    return tiles.assign(**columns)
