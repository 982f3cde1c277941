"""A store of roads whose prediction is known, and the network that makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from rasterio.transform import Affine

from components.lib.config.scoring import ScoringSettings
from components.lib.roads.labels import RoadLine, rasterise_roads
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, Pointwise

SIDE = 200
SETTINGS = ScoringSettings(block_m=100.0)

CROSS = [[(0, 60), (90, 60)], [(90, 60), (200, 60)], [(90, 0), (90, 60)], [(90, 60), (90, 200)]]
DOUBT = [(20, 150), (70, 150)]
NAMES = ("north", "south", "empty", "missed", "false", "half")
TRUE = {"north", "south", "missed", "half"}
PREDICTED = {"north", "south", "false", "half"}


def masks(roads: list[RoadLine]) -> npt.NDArray[np.uint8]:
    return rasterise_roads(roads, Affine.identity(), (SIDE, SIDE), half_width_m=5.0, own_widths=False)


def write_roads(folder: Path, *, table: bool = True) -> Store:
    """Six tiles of 100 m with a crossing; SAR is 200 where a road is predicted, 0 without data."""
    crossing = [RoadLine(shapely.LineString(line)) for line in CROSS]
    doubt = RoadLine(shapely.LineString(DOUBT), uncertain=True)
    index, roads = [], []
    target = np.zeros((len(NAMES), SIDE, SIDE, 3), dtype=np.uint8)
    sar = np.full((len(NAMES), SIDE, SIDE, 4), 100, dtype=np.uint8)
    for k, name in enumerate(NAMES):
        lines = [*crossing, doubt] if name in TRUE else []
        target[k] = masks(lines)
        sar[k][target[k][..., [0, 2]].any(axis=-1) & (name in PREDICTED)] = 200
        if name == "false":
            sar[k][masks(crossing)[..., 0] > 0] = 200
        if name == "half":
            sar[k, 120:] = 0
        if name == "south":
            target[k], sar[k] = np.rot90(target[k], 2), np.rot90(sar[k], 2)
        index.append({"image_id": name, "tile": k, "row": k, "x_left_m": 592_000.0 + 100 * k})
        roads += [
            {"image_id": name, "road_id": n, "wkt_px": road.line.wkt, "uncertain": road.uncertain}
            for n, road in enumerate(lines)
        ]
    of_all = {"acquisition": "tiny", "sensor": AIRBORNE}
    tiles = pd.DataFrame(index).assign(
        **of_all,
        strip="s",
        orientation=[int(name == "south") for name in NAMES],
        y_top_m=5_750_000.0,
        gsd_m=0.5,
        height=SIDE,
        width=SIDE,
        split="test",
        kang=True,
        clean=[name in {"north", "missed"} for name in NAMES],
        nodata_share=0.0,
        n_buildings=0,
        has_optical=False,
    )
    layers = {(AIRBORNE, "sar"): sar, (AIRBORNE, "target"): target}
    drawn = pd.DataFrame(roads).assign(**of_all) if table else None
    write_store(folder, tiles, pd.DataFrame(), layers, task="roads", roads=drawn)
    return Store.open(folder)


def net() -> Pointwise:
    found = Pointwise()
    found.config = found.config.model_copy(update={"task": "roads"})
    return found
