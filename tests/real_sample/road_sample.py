"""One real tile of SpaceNet 3 taken from its files to scores, by the functions that the stages use.

The stages themselves pair each optical image with a SAR tile, which SpaceNet 3 does not have. So the tile
goes through the same parts without them: label drawing of ``prepare``, PP-LinkNet and its loss in the
engine's loop, prediction, tracing, APLS in both definitions, relaxed scores.

A few steps are trained on the very tile that is predicted: it shows that the path works, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from components.evaluate.apls.command import Choices, score_files
from components.lib.datasets.spacenet3 import SPACENET3
from components.lib.engine.focal import FocalTask
from components.lib.engine.loop import fit, seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.geo.geoarray import GeoArray
from components.lib.inference.tiles import predict_images
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.roads.apls.rules import JAVA, PIXEL_M
from components.lib.roads.apls.score import score_lines
from components.lib.roads.graph.faults import repaired
from components.lib.roads.graph.files import read_roads
from components.lib.roads.graph.frame import common_frame
from components.lib.roads.imagery import RoadTile, read_road_tile
from components.lib.roads.labels import rasterise_roads
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import TracedRoads, trace_roads
from components.lib.roads.writing.geojson import write_geojson
from components.lib.store.sampler import keyed_generator
from components.lib.tasks.labels import pack_masks
from components.lib.tasks.names import ROAD_TOLERANCE_M
from components.lib.tasks.roads import ROADS

HALF_WIDTH_M = 2.0
"""From a centre line to the edge of the road it is drawn as, metres (CosmiQ)."""

STEPS = 16
TRAINING = TrainingParameters(
    encoder="timm-mobilenetv3_small_minimal_100",
    encoder_weights=None,
    decoder_channels=32,
    crop=160,
    batch=2,
    scale_jitter=None,
    contour_weight=0.0,
    optimiser="adamw",
    lr=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    device="cpu",
    seed=3,
    checkpoint_every=1000,
    log_every=2,
)

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What became of the tile.

    Attributes:
        tile: Image and road lines.
        masks: Label layers as ``prepare`` draws them, (H, W, 3).
        probability: Road probability of the trained network, (H, W).
        predicted: Mask of it, (H, W).
        losses: Losses at the logs of the training.
        traced: Graph of the true mask.
        guessed: Graph of the predicted mask.
        scores: Scores of the sheet's panels.
    """

    tile: RoadTile
    masks: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    predicted: Mask
    losses: list[float]
    traced: TracedRoads
    guessed: TracedRoads
    scores: dict[str, Any]


def run_tile(folder: Path, work: Path, image_id: str = "AOI_2_Vegas_img0") -> Sample:
    """Take the tile through the path; graphs and checkpoints are left in ``work``."""
    truth = folder / "truth" / f"{image_id}.geojson"
    tile = read_road_tile(folder / f"RGB-PanSharpen_{image_id}.tif", truth, SPACENET3)
    masks = rasterise_roads(
        tile.roads.lines,
        Affine(*tile.image.transform),
        tile.image.shape,
        half_width_m=HALF_WIDTH_M,
        own_widths=False,
    )
    net, losses = trained(tile, masks, work)
    # One window: untrained borders of windows would show as lines.
    (prediction,) = predict_images(net, [tile.image], window_px=max(tile.image.shape))
    true = masks[..., 0] > 0
    predicted = ROADS.predicted_mask(prediction, likeliest(ROADS.probability(prediction), true))
    traced, guessed = (trace_roads(mask_of(road, tile.image)) for road in (true, predicted))
    paths = work / "traced.geojson", work / "guessed.geojson"
    for path, roads in zip(paths, (traced, guessed), strict=True):
        write_geojson(path, roads)
    within = ROADS.relaxed(predicted, true, tile.image.valid, SPACENET3.gsd_m)
    assert within is not None
    return Sample(
        tile=tile,
        masks=masks,
        probability=ROADS.probability(prediction),
        predicted=predicted,
        losses=losses,
        traced=traced,
        guessed=guessed,
        scores={
            "traced_truth": both_definitions(truth, paths[0]),
            "traced_prediction": both_definitions(truth, paths[1]),
            "predicted_pixels": {
                "tolerance_m": ROAD_TOLERANCE_M, "length": within.by_length(), "area": within.by_area()
            },
        },
    )  # fmt: skip


def likeliest(probability: npt.NDArray[np.float32], true: Mask) -> float:
    """Probability that as many pixels exceed as there are true ones: the network has learnt no threshold."""
    return float(np.quantile(probability, 1.0 - true.mean()))


def mask_of(road: Mask, image: GeoArray) -> RoadMask:
    """The pixels of a tile that are road, on its grid."""
    return RoadMask(road=road & image.valid, transform=image.transform, crs=image.crs)


def trained(
    tile: RoadTile, masks: npt.NDArray[np.uint8], work: Path
) -> tuple[SegmentationNetwork, list[float]]:
    """PP-LinkNet after ``STEPS`` steps on random crops of the tile, and its losses."""
    seed_everything(TRAINING.seed)
    mean, std = (127.5,) * 3, (31.875,) * 3
    net = build_network(
        NetworkConfig(
            kind="pp_linknet",
            encoder=TRAINING.encoder,
            decoder_channels=TRAINING.decoder_channels,
            in_channels=3,
            modality="optical",
            task="roads",
            sensors=(SPACENET3.name,),
            input_mean=mean,
            input_std=std,
        )
    )
    image = np.ascontiguousarray(np.moveaxis(tile.image.values, 0, -1))
    layers = {"optical": image, "target": pack_masks(masks)}

    def crops(step: int) -> dict[str, npt.NDArray[np.uint8]]:
        random = keyed_generator(TRAINING.seed, step)
        room = np.array(tile.image.shape) - TRAINING.crop
        corners = random.integers(0, room + 1, (TRAINING.batch, 2)).tolist()
        return {
            name: np.stack([pixels[y : y + TRAINING.crop, x : x + TRAINING.crop] for y, x in corners])
            for name, pixels in layers.items()
        }

    result = fit(
        FocalTask(net.train()), crops, TRAINING, STEPS, name="real roads", checkpoint_dir=work / "checkpoints"
    )
    return net.eval(), [float(record["loss"]) for record in result.history]


def both_definitions(truth: Path, proposal: Path) -> dict[str, Any]:
    """APLS of a proposal by both definitions, and the relaxed scores of its lines.

    The Java scorer's truth must be without faults; that of img0 draws one section twice, so it is repaired
    before.
    """
    cosmiq = score_files(truth, proposal, Choices(definition="cosmiq"))
    files = read_roads(truth), read_roads(proposal)
    frame = common_frame(*files)
    true, ours = (
        repaired(frame.roads(file, 1.0, 1.0 / PIXEL_M)[""], close=JAVA.close, grid=JAVA.grid)
        for file in files
    )
    java = score_lines(true.lines, ours.lines, JAVA)
    return {
        "java": {
            "apls": java.apls,
            "truth_onto_proposal": java.truth_onto_proposal,
            "proposal_onto_truth": java.proposal_onto_truth,
        },
        "cosmiq": {name: cosmiq[name] for name in ("apls", "truth_onto_proposal", "proposal_onto_truth")},
        "relaxed": cosmiq["relaxed"],
        "truth_repairs": cosmiq["repairs"]["truth"],
        "warnings": cosmiq["warnings"],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """OpenStreetMap against the truth of one tile, lines in metres of one plane.

    Attributes:
        image_id: Key of the tile.
        both: Truth within ``ROAD_TOLERANCE_M`` of a road of OpenStreetMap.
        only_truth: The rest of the truth.
        only_osm: Roads of OpenStreetMap farther than that from the truth.
        scores: As of :func:`both_definitions`.
    """

    image_id: str
    both: BaseGeometry
    only_truth: BaseGeometry
    only_osm: BaseGeometry
    scores: dict[str, Any]


def compare_osm(folder: Path) -> list[Compared]:
    """Every tile with an extract of OpenStreetMap; stop lines are no roads."""
    return [
        compared(folder / "truth" / path.name, path) for path in sorted((folder / "osm").glob("*.geojson"))
    ]


def compared(truth: Path, osm: Path) -> Compared:
    """One tile."""
    files = read_roads(truth), read_roads(osm)
    frame = common_frame(*files)
    true, theirs = (
        shapely.MultiLineString([part for road in frame.roads(file, 1.0, 1.0)[""] for part in road.parts])
        for file in files
    )
    near_osm, near_truth = (shapely.buffer(lines, ROAD_TOLERANCE_M) for lines in (theirs, true))
    return Compared(
        image_id=truth.stem,
        both=true.intersection(near_osm),
        only_truth=true.difference(near_osm),
        only_osm=theirs.difference(near_truth),
        scores=both_definitions(truth, osm),
    )
