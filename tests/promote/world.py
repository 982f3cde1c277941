"""A tiny prepared store, networks of known quality, and the files the stage reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from shapely.geometry import box

from components.lib.config.scoring import ScoringSettings
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import Modality, NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sensorset import use_sensor
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.promote.buildings import PromotionSettings
from components.promote.parameters import PromoteParameters, TrainingSpread

ROOT = Path(__file__).parents[2]
AIRBORNE, SPACEBORNE = "simulated-airborne", "simulated-spaceborne"
SIDE, TILES = 64, 6

PARAMETERS = PromoteParameters(
    metric="iou",
    confidence=0.95,
    min_blocks=2,
    floor=0.02,
    min_gain=0.0,
    error_budget=0.1,
    min_control_gain=0.0,
    training_spread=TrainingSpread(iou=0.01, f1=0.01),
    guard_margin=0.03,
    guard_level=0.05,
    guard_slices=("orientation", "building_size", "nodata", "sensor"),
    min_slice_buildings=4,
    min_slice_blocks=2,
    ledger="var/objects/ledger/champions",
)
"""A few blocks: for tests of the machinery only."""


def write_world(root: Path, *, verdict: str = "good") -> None:
    """Everything the stage reads but the models: one building per tile, one tile per place and sensor."""
    rng = np.random.default_rng(0)
    index, footprints, layers = [], [], {}
    for sensor in (AIRBORNE, SPACEBORNE):
        target = np.zeros((TILES, SIDE, SIDE, 3), dtype=np.uint8)
        for row in range(TILES):
            left = 8 + 4 * row
            target[row, 20:44, left : left + 24, 0] = 1
            image = f"20190804111224_20190804111453_tile_{row}"
            index.append(_tile(sensor, image, row))
            footprints.append(
                {
                    "acquisition": sensor,
                    "sensor": sensor,
                    "image_id": image,
                    "building_id": 1,
                    "wkt_px": box(left, 20, left + 24, 44).wkt,
                    "area_px": 576.0,
                    "height_m": 9.0,
                }
            )
        layers[sensor, "target"] = target
        # Buildings are bright, so that a network can be made that finds them.
        bright = np.where(target[..., :1] > 0, 180, 40)
        layers[sensor, "sar"] = (bright + rng.integers(0, 60, (TILES, SIDE, SIDE, 4))).astype(np.uint8)
    layers[AIRBORNE, "optical"] = rng.integers(1, 255, (TILES, SIDE, SIDE, 4), dtype=np.uint8)
    write_store(root / "data/prepared", pd.DataFrame(index), pd.DataFrame(footprints), layers)
    report = root / "reports/validate/verdict.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"verdict": verdict, "tiles": 12, "quarantined": 0, "simulated": True}))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["promote"] = PARAMETERS.model_dump(mode="json")
    (root / "params.yaml").write_text(yaml.safe_dump(params))


FINDS = 99.0
"""Stands for a building logit that depends on the pixel: the network finds the buildings of its sensors."""


def write_model(
    folder: Path,
    building: float,
    *,
    sensors: tuple[str, ...] = (AIRBORNE, SPACEBORNE),
    modality: Modality = "sar",
    start_from: str = "concord",
) -> Path:
    """A network that gives every pixel the building logit ``building``: > 0 finds all, < 0 nothing.

    With ``FINDS`` it finds the buildings of the store in the working directory.
    """
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=sensors,
        modality=modality,
        sensor_specific=len(sensors) > 1,
    )
    net = build_network(config)
    last = [module for module in net.head.modules() if isinstance(module, torch.nn.Conv2d)][-1]  # type: ignore[union-attr]
    with torch.no_grad():
        last.weight.zero_()
        assert last.bias is not None
        last.bias.copy_(torch.tensor([0.0, building]))
    if building == FINDS:
        _fit(net, last)
    save_bundle(folder, net, {"simulated": True, "adapt": {"start_from": start_from}})
    return folder


def write_control(building: float = -5.0) -> None:
    """The SAR-only control: as it is by default, it finds nothing."""
    write_model(Path("models/sar/none"), building, sensors=(AIRBORNE,))


def _fit(net: SegmentationNetwork, last: torch.nn.Conv2d) -> None:
    """Fit the last layer to the truth of the airborne tiles by least squares."""
    store = Store.open(Path("data/prepared"))
    pixels, truth = (np.array(store.layer(AIRBORNE, name)) for name in ("sar", "target"))
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad(), use_sensor(net.eval(), AIRBORNE):
        net(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    hook.remove()
    features = seen[0].permute(0, 2, 3, 1)
    step = SIDE // features.shape[1]
    wanted = torch.from_numpy(truth[:, step // 2 :: step, step // 2 :: step, 0]).double().reshape(-1)
    columns = torch.cat([features.double().reshape(len(wanted), -1), torch.ones(len(wanted), 1)], dim=1)
    solved = torch.linalg.lstsq(columns, wanted - 0.5).solution
    with torch.no_grad():
        assert last.bias is not None
        last.weight[1] = 10.0 * solved[:-1].reshape(-1, 1, 1)
        last.bias[1] = 10.0 * solved[-1]


def settings(tracking: TrackingParameters) -> PromotionSettings:
    """The stage in the working directory, with everything but the fresh process real."""
    return PromotionSettings(
        parameters=PARAMETERS,
        scoring=ScoringSettings(threshold=0.5, min_area_px=80, iou=0.5, block_m=100.0),
        tracking=tracking,
    )


def _tile(sensor: str, image: str, row: int) -> dict[str, object]:
    return {
        "acquisition": sensor,
        "sensor": sensor,
        "image_id": image,
        "strip": "20190804111224_20190804111453",
        "tile": row,
        "orientation": row % 2,
        "row": row,
        "x_left_m": 596000.0 + 1350 * row,
        "y_top_m": 5746000.0,
        "gsd_m": 0.5,
        "height": SIDE,
        "width": SIDE,
        "split": "test",
        "kang": True,
        "clean": True,
        "nodata_share": 0.0 if row < 4 else 0.4,
        "n_buildings": 1,
        "has_optical": sensor == AIRBORNE,
    }
