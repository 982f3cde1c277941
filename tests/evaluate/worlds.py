"""A tiny prepared store and tiny networks, written as the stages upstream would leave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import shapely
import torch
from torch import Tensor

from components.lib.geo.rasterise import rasterise_targets
from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import Maps, SegmentationNetwork
from components.lib.store.layout import write_store
from components.lib.store.store import Store

AIRBORNE = "simulated-airborne"
SPACEBORNE = "simulated-spaceborne"
SIDE = 96


def boxes_of(tile: int) -> list[tuple[int, int, int, int]]:
    """Footprints of a tile in its original orientation: a small, a medium and a large one, never touching."""
    shift = tile % 4
    return [
        (4 + shift, 4, 16 + shift, 18),
        (30, 5 + shift, 60, 30 + shift),
        (10 + shift, 40, 70 + shift, 84),
    ]


Boxes: TypeAlias = list[tuple[int, int, int, int]]


def touching_boxes(tile: int) -> Boxes:
    """Two buildings that share a wall, and one by itself."""
    shift = tile % 3
    return [(4 + shift, 10, 30 + shift, 50), (30 + shift, 10, 62 + shift, 50), (20, 60 + shift, 60, 90)]


def write_tiny_store(
    folder: Path,
    *,
    tiles: int = 8,
    empty: Sequence[int] = (),
    nodata_rows: int = 0,
    boxes_of: Callable[[int], Boxes] = boxes_of,
    selection: Sequence[int] = (),
) -> Store:
    """Two sensors over the same ground; every second tile is flown from the south.

    The SAR layer's first three bands are 200 on footprint, edge and contact, and 100 elsewhere: a network
    that reads them knows the truth. The last quarter of the tiles is train, the rest is test; the first half
    is clean. Rows named in ``selection`` are neither.
    """
    index, footprints, layers = [], [], {}
    for sensor in (AIRBORNE, SPACEBORNE):
        sar = np.zeros((tiles, SIDE, SIDE, 4), dtype=np.uint8)
        target = np.zeros((tiles, SIDE, SIDE, 3), dtype=np.uint8)
        for k in range(tiles):
            boxes = [] if k in empty else boxes_of(k)
            orientation = k % 2
            polygons = [shapely.box(*box) for box in boxes]
            upright = rasterise_targets(polygons, SIDE, SIDE, edge_px=3, contact_px=9)
            target[k] = np.rot90(upright, 2 * orientation)
            sar[k, :, :, :3] = np.where(target[k] > 0, 200, 100)
            sar[k, :, :, 3] = 100
            if k == 1 and nodata_rows:
                sar[k, :nodata_rows] = 0
            image_id = f"20190804111224_20190804111453_tile_{k}"
            test = k < 3 * tiles // 4 and k not in selection
            other = "selection" if k in selection else "train"
            index.append(
                {
                    "acquisition": f"rehearsal-{sensor}",
                    "sensor": sensor,
                    "image_id": image_id,
                    "strip": "20190804111224_20190804111453",
                    "tile": k,
                    "orientation": orientation,
                    "row": k,
                    "x_left_m": 596000.0 + 48 * k,
                    "y_top_m": 5752000.0,
                    "gsd_m": 0.5,
                    "height": SIDE,
                    "width": SIDE,
                    "split": "test" if test else other,
                    "kang": test,
                    "clean": test and k < tiles // 2,
                    "nodata_share": float((sar[k] == 0).all(axis=-1).mean()),
                    "n_buildings": len(boxes),
                    "has_optical": sensor == AIRBORNE,
                }
            )
            footprints += [
                {
                    "acquisition": f"rehearsal-{sensor}",
                    "sensor": sensor,
                    "image_id": image_id,
                    "building_id": b,
                    "wkt_px": shapely.box(*box).wkt,
                    "area_px": shapely.box(*box).area,
                    "height_m": 9.0,
                }
                for b, box in enumerate(boxes)
            ]
        layers[sensor, "sar"] = sar
        layers[sensor, "target"] = target
        if sensor == AIRBORNE:
            layers[sensor, "optical"] = sar.copy()
    write_store(folder, pd.DataFrame(index), pd.DataFrame(footprints), layers)
    return Store.open(folder)


class Pointwise(SegmentationNetwork):
    """Building where the first band exceeds 150: the truth of the tiny store; remembers its input sizes."""

    contours = False

    def __init__(self, sensors: tuple[str, ...] = (AIRBORNE,), modality: str = "sar") -> None:
        super().__init__(
            NetworkConfig.model_validate(
                {
                    "kind": "deeplabv3plus",
                    "encoder": "resnet18",
                    "modality": modality,
                    "sensors": sensors,
                    "sensor_specific": len(sensors) > 1,
                    "contours": self.contours,
                }
            )
        )
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        score = (x[:, :1].float() - 150) / 10
        return torch.cat([-score, score], dim=1)

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self(x),)


class Contoured(Pointwise):
    """With a contour head: footprint, edge and contact from the first three bands, as sure as ``gain``."""

    contours = True

    def __init__(self, gain: float = 0.1) -> None:
        super().__init__()
        self.gain = gain

    def forward_maps(self, x: Tensor) -> Maps:
        return Maps(self(x), (x[:, :3].float() - 150) * self.gain)
