"""Describe the simulated pairs of two dates (`python -m components.experiments.second_date`).

Prints what the pairs hold by split, and draws a sheet of them where a PNG is named: optical and radar image
of the first date, the same of the second, and the label (added, removed, enlarged, no data).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
import shapely
from tqdm import tqdm

from components.lib.change.pair import Pair
from components.lib.change.terms import CHANGED, UNKNOWN, Kind, Split
from components.lib.cli import run
from components.lib.config.loader import validated
from components.lib.geo.rasterise import rasterise_instances
from components.lib.report.panels import BUILDING, FALSE_ALARM, MISSED, Colour, Picture, sar_picture, save_png
from components.simulation.change.later_city import later_city_of
from components.simulation.change.pairs import simulated_pairs
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import PairPlan, plan_pairs
from components.simulation.change.revision import SMALLEST_M2, AlterationKind
from components.simulation.city import city_of

KINDS: tuple[Kind, ...] = get_args(Kind)
ALTERATIONS = get_args(AlterationKind)
COLOURS: dict[Kind, Colour] = {"added": MISSED, "removed": FALSE_ALARM, "enlarged": BUILDING}
NO_DATA: Colour = (90, 90, 90)
RULE = 4
"""White pixels between the pictures of a sheet."""


@dataclass(slots=True)
class Totals:
    """Counts of one split.

    Attributes:
        pairs: Pairs.
        pixels: Pixels by what they are: all, changed, unknown.
        buildings: Buildings that meet a tile, by what happened to them; ``before`` counts those of at least
            20 square metres at the first date.
        opposite: Pairs whose second radar image is taken from the other side.
    """

    pairs: int = 0
    pixels: Counter[str] = field(default_factory=Counter)
    buildings: Counter[str] = field(default_factory=Counter)
    opposite: int = 0

    def count(self, pair: Pair, plan: PairPlan, parameters: SimulatedPairsParameters) -> None:
        """Add one pair."""
        bounds = plan.frame.bounds
        self.pairs += 1
        self.pixels["all"] += pair.label.size
        self.pixels["changed"] += int(np.count_nonzero(pair.label == CHANGED))
        self.pixels["unknown"] += int(np.count_nonzero(pair.label == UNKNOWN))
        self.buildings.update(building.kind for building in pair.buildings)
        self.buildings.update(a.kind for a in later_city_of(parameters).alterations_in(bounds))
        standing = city_of(parameters.seed).objects_in(bounds).polygons
        large = standing[shapely.area(standing) >= SMALLEST_M2]
        self.buildings["before"] += int(np.count_nonzero(shapely.intersects(large, shapely.box(*bounds))))
        self.opposite += plan.from_south[0] != plan.from_south[1]

    def cells(self) -> list[str]:
        """Return the row of the table."""
        shares = [f"{100 * self.pixels[kind] / self.pixels['all']:.2f} %" for kind in ("changed", "unknown")]
        counts = [self.buildings[kind] for kind in ("before", *KINDS, *ALTERATIONS)]
        return [str(self.pairs), *shares, *map(str, counts), str(self.opposite)]


def main() -> None:
    """Print the table and draw the sheet."""
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.second_date",
        description="Describe the simulated pairs of two dates.",
    )
    defaults = SimulatedPairsParameters()
    parser.add_argument("--pairs", type=int, default=defaults.pairs, help="pairs to draw (%(default)s)")
    parser.add_argument("--tile-px", type=int, default=defaults.tile_px, help="tile side (%(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed of the world (%(default)s)")
    parser.add_argument("--cloud-share", type=float, default=0.0, help="share under cloud (%(default)s)")
    parser.add_argument("--sheet", type=Path, help="PNG to write")
    parser.add_argument("--rows", type=int, default=4, help="pairs of each split on the sheet (%(default)s)")
    arguments = vars(parser.parse_args())
    sheet, rows = arguments.pop("sheet"), arguments.pop("rows")
    parameters = validated("options", SimulatedPairsParameters, arguments, Path("the options"))
    totals: dict[Split, Totals] = {split: Totals() for split in get_args(Split)}
    pictures: list[Picture] = []
    plans = plan_pairs(parameters)
    drawn = tqdm(simulated_pairs(parameters), total=len(plans), unit="pair", disable=None)
    for pair, plan in zip(drawn, plans, strict=True):
        totals[pair.split].count(pair, plan, parameters)
        if sheet is not None and totals[pair.split].pairs <= rows:
            pictures.append(picture_of(pair))
    sys.stdout.write(table(totals))
    if sheet is not None:
        picture = np.concatenate(pictures)
        save_png(sheet, picture, side=max(picture.shape), colours=None)


def table(totals: dict[Split, Totals]) -> str:
    """Return the counts as a table in Markdown."""
    head = ["split", "pairs", "changed", "no data", "buildings", *KINDS, *ALTERATIONS, "opposite look"]
    lines = [head, ["---"] * len(head), *([split, *counts.cells()] for split, counts in totals.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def picture_of(pair: Pair) -> Picture:
    """Return a pair as one row of pictures: both modalities of both dates, and the label."""
    label = np.zeros((*pair.label.shape, 3), dtype=np.uint8)
    for kind, colour in COLOURS.items():
        outlines = [building.outline for building in pair.buildings if building.kind == kind]
        label[rasterise_instances(outlines, *pair.label.shape) > 0] = colour
    label[pair.label == UNKNOWN] = NO_DATA
    images = [
        view for date in (pair.before, pair.after) for view in (date["optical"], sar_picture(date["sar"]))
    ]
    border = ((0, RULE), (0, RULE), (0, 0))
    return np.concatenate([np.pad(i, border, constant_values=255) for i in (*images, label)], axis=1)


if __name__ == "__main__":
    run(main)
