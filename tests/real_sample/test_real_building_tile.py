"""Train, predict, vectorise, score and draw on a real tile with its 43 real footprints (SpaceNet 4, Atlanta).

The network sees the tile that it is scored on, so the score says that the path works, never how well a
model does. ``make real-sample`` keeps the report under ``reports/real-sample``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from components.lib.config.scoring import ScoringSettings
from components.lib.engine.loop import fit, seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.supervised import SupervisedTask
from components.lib.files import atomic_directory
from components.lib.geo.footprints import read_geojson, to_crs, to_pixels
from components.lib.geo.raster import read_geotiff
from components.lib.geo.rasterise import rasterise_targets
from components.lib.inference.tiles import predict_tiles
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.report.content import Gallery, Panel, ReportContent, TilePanels
from components.lib.report.page import write_report
from components.lib.report.panels import (
    backdrop,
    difference_panel,
    optical_picture,
    probability_panel,
    truth_panel,
)
from components.lib.scoring.score import Scores, score_model
from components.lib.store.layout import write_store
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from components.lib.tasks.labels import BUILDING_BAND, target_of

SENSOR = "capella-airborne"
IMAGE_ID = "atlanta"
ROWS = np.array([0])
SETTINGS = ScoringSettings()
STEPS = 100
TRAINING = TrainingParameters(
    encoder="timm-mobilenetv3_small_minimal_100",
    encoder_weights=None,
    decoder_channels=32,
    crop=256,
    batch=4,
    lr=0.05,
    momentum=0.9,
    weight_decay=1e-4,
    device="cpu",
    seed=3,
    checkpoint_every=1000,
    log_every=10,
)

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def store(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of the one tile: panchromatic in all four optical channels, its footprints as the truth."""
    atlanta = real_data / "spacenet4_atlanta"
    raster = read_geotiff((atlanta / "sample_geotiff.tif").read_bytes(), "sample_geotiff.tif")
    labels = read_geojson((atlanta / "geotiff_labels.geojson").read_bytes(), "geotiff_labels.geojson")
    crs = str(raster.profile.crs)
    polygons = [
        to_pixels(f.polygon, raster.transform)
        for f in to_crs(labels, crs, "geotiff_labels.geojson").footprints
    ]
    assert len(polygons) == 43
    low, high = np.percentile(raster.array, [1, 99])
    pan = np.clip((raster.array[0] - low) / (high - low) * 254 + 1, 1, 255).astype(np.uint8)
    optical = np.repeat(pan[None, ..., None], 4, axis=3)
    target = rasterise_targets([p for p in polygons if p.area > 80], 900, 900, edge_px=3, contact_px=9)
    tile = {"acquisition": "spacenet4", "sensor": SENSOR, "image_id": IMAGE_ID}
    place = {"strip": IMAGE_ID, "tile": 1, "orientation": 0, "row": 0, "split": "train"}
    ground = {"x_left_m": raster.transform.c, "y_top_m": raster.transform.f, "gsd_m": 0.5}
    facts = {"height": 900, "width": 900, "kang": False, "clean": False, "has_optical": True}
    counts = {"nodata_share": 0.0, "n_buildings": len(polygons)}
    index = pd.DataFrame([tile | place | ground | facts | counts])
    footprints = pd.DataFrame(
        [
            tile | {"building_id": number, "wkt_px": p.wkt, "area_px": p.area, "height_m": np.nan}
            for number, p in enumerate(polygons)
        ]
    )
    folder = tmp_path_factory.mktemp("atlanta") / "prepared"
    layers = {(SENSOR, "optical"): optical, (SENSOR, "sar"): optical, (SENSOR, "target"): target[None]}
    write_store(folder, index, footprints, layers)
    return Store.open(folder)


def network() -> SegmentationNetwork:
    seed_everything(TRAINING.seed)
    return build_network(
        NetworkConfig(
            kind="deeplabv3plus",
            encoder=TRAINING.encoder,
            decoder_channels=TRAINING.decoder_channels,
            modality="optical",
            sensors=(SENSOR,),
        )
    )


@pytest.mark.timeout(300)
def test_a_network_learns_the_tile_and_the_report_shows_it(store: Store, tmp_path: Path) -> None:
    net = network()
    sampler = CropSampler(
        store, SENSOR, ROWS, layers=("optical", "target"), crop=TRAINING.crop, batch=TRAINING.batch, seed=1
    )
    untrained = score_model(net.eval(), store, sensor=SENSOR, rows=ROWS, settings=SETTINGS)
    result = fit(
        SupervisedTask(net.train()),
        sampler.batch,
        TRAINING,
        STEPS,
        name="real sample",
        checkpoint_dir=tmp_path / "checkpoints",
    )
    losses = [float(record["loss"]) for record in result.history]
    assert losses[-1] < 0.8 * losses[0]

    save_bundle(tmp_path / "model", net.eval(), {"data": "SpaceNet 4 Atlanta"})
    loaded = load_bundle(tmp_path / "model")
    scores = score_model(loaded, store, sensor=SENSOR, rows=ROWS, settings=SETTINGS)
    assert iou(scores) > 2 * iou(untrained)
    assert (scores.objects["kind"] == "truth").sum() > 30

    folder = Path(os.environ.get("STORMSIGHT_REAL_SAMPLE", str(tmp_path / "report")))
    draw(folder, loaded, store, scores)
    assert "43 footprints" in (folder / "index.html").read_text()
    assert len(list(folder.rglob("*.png"))) == 4


def iou(scores: Scores) -> float:
    """Pixel intersection over union of the building class."""
    sums = scores.tiles[["px_tp", "px_fp", "px_fn"]].sum()
    return float(sums["px_tp"] / sums.sum())


def draw(folder: Path, net: SegmentationNetwork, store: Store, scores: Scores) -> None:
    """The picture report of the one tile."""
    ((_, prediction),) = predict_tiles(net, store, SENSOR, ROWS)
    probability = prediction.band(BUILDING_BAND)
    picture = optical_picture(store.layer(SENSOR, "optical")[0])
    truth: npt.NDArray[np.bool_] = target_of(store.layer(SENSOR, "target")[0])
    under = backdrop(picture)
    panels = [
        Panel(title="Panchromatic", picture=picture, alt="The real tile from above"),
        Panel(title="Truth", picture=truth_panel(truth, under), alt="Its footprints"),
        Panel(title="Probability", picture=probability_panel(probability), alt="The network's output"),
        Panel(
            title="Found, missed, false",
            picture=difference_panel(truth, probability > net.config.threshold, under),
            alt="Where network and footprints agree",
            note=f"IoU {iou(scores):.2f}",
        ),
    ]
    row = scores.tiles.iloc[0]
    counts = f"{row['tp']} buildings matched, {row['fp']} false, {row['fn']} missed"
    tile = TilePanels(image_id=IMAGE_ID, heading="The tile", facts=("43 footprints", counts), panels=panels)
    summary = (
        f"Trained {STEPS} steps on this very tile: it shows that the path works, not how well a model does."
    )
    gallery = Gallery(title="SpaceNet 4, Atlanta", rule="The only tile.", tiles=[tile])
    with atomic_directory(folder) as temporary:
        report = ReportContent(
            title="Real sample", simulated="", spread="", summary=[summary], tables=[], galleries=[gallery]
        )
        write_report(temporary, report)
