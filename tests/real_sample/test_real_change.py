"""Sample files of LEVIR-CD and SpaceNet 8 through the change branch: pairs, training, both protocols, sheets.

Few pairs and few steps: it shows that the path works, not how well a method does. The masks of SpaceNet 8's
sample are road lines and no change of buildings, so its scores have no meaning at all. ``make real-sample``
keeps the sheets under ``reports/real-sample-change``; LEVIR-CD's pictures are for academic use only.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.windows import Window

from components.change.__main__ import main as train
from components.evaluate.__main__ import main as evaluate
from components.lib.report.panels import HEADING_PX
from components.pairs.__main__ import main as read_pairs
from tests.lib.engine.tiny_store import write_parameters

METHODS = ("sgsln", "siamese_unet")
CHANGED = {"levir-cd": {"train": 11_433, "val": 7_556, "test": 7_933}, "spacenet8": {"test": 1_225}}
"""Changed pixels of the samples' labels by split, as their files have them."""
SIDE = {"levir-cd": 256, "spacenet8": 512}
"""Side of the test pair, pixels."""
CHANGE: dict[str, Any] = {
    "methods": list(METHODS), "crop": 64, "crops_per_tile": 4, "batch": 2, "epochs": 2
}  # fmt: skip

pytestmark = pytest.mark.real_data


def levir(source: Path, folder: Path) -> None:
    """Copy the four crops, with lists that make one of them a test pair."""
    shutil.copytree(source / "levir", folder)
    write_lists(
        folder, train=["train_36_0512_0512", "train_386_0512_0768"], val=["train_412_0512_0768"],
        test=["val_27_0000_0256"],
    )  # fmt: skip


def spacenet8(source: Path, folder: Path) -> None:
    """Copy the two pairs; halves of one are for training and validation, the other is the test pair."""
    shutil.copytree(source / "spacenet8" / "sample_48", folder / "sample_48")
    for name, column in (("west", 0), ("east", 256)):
        (folder / name).mkdir()
        for path in (source / "spacenet8" / "sample_2170").glob("*.tif"):
            cut(path, folder / name / path.name, Window(column, 0, 256, 512))
    write_lists(folder, train=["west"], val=["east"], test=["sample_48"])


def cut(source: Path, target: Path, window: Window) -> None:
    """Write a part of a GeoTIFF on its own grid."""
    with rasterio.open(source) as whole:
        profile = whole.profile | {
            "width": window.width,
            "height": window.height,
            "transform": whole.window_transform(window),
            "tiled": False,
        }
        with rasterio.open(target, "w", **{k: v for k, v in profile.items() if "block" not in k}) as part:
            part.write(whole.read(window=window))


def write_lists(folder: Path, **splits: list[str]) -> None:
    (folder / "list").mkdir()
    for split, names in splits.items():
        (folder / "list" / f"{split}.txt").write_text("\n".join(names))


SAMPLES: dict[str, Callable[[Path, Path], None]] = {"levir-cd": levir, "spacenet8": spacenet8}


@pytest.fixture(scope="module", params=SAMPLES)
def branch(
    request: pytest.FixtureRequest,
    real_data: Path,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A working directory in which the stages of the branch have run on one sample."""
    name: str = request.param
    if not (real_data / "change").is_dir():
        pytest.skip("the sample files of change (../shared/data/change) are not on this machine")
    folder = tmp_path_factory.mktemp("change") / name
    folder.mkdir()
    SAMPLES[name](real_data / "change", folder / "files")
    write_parameters(
        repository,
        folder,
        pairs={"data_sets": [name], "folders": {name: "files"}},
        change=CHANGE | {"data_set": name},
        methods={method: {"width": 8} for method in METHODS},
        evaluate={"device": "cpu"},
        tracking={"uri": "none"},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["pairs", "--data-set", name])
        read_pairs()
        for method in METHODS:
            patch.setattr("sys.argv", ["change", "--method", method])
            train()
            evaluate(["change", "--method", method])
    return folder


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_every_pair_of_the_samples_is_read(branch: Path) -> None:
    details = read(branch / "reports" / "pairs" / branch.name / "details.json")
    assert details["left_out"] == details["leaks"] == []
    assert not details["simulated"]
    counted = {split: found["changed_pixels"] for split, found in details["splits"].items()}
    assert counted.items() >= CHANGED[branch.name].items()
    if branch.name == "spacenet8":
        assert counted["train"] + counted["val"] == 595
        assert "never for a score of building change" in details["about"]["meaning"]


@pytest.mark.parametrize("method", METHODS)
def test_networks_are_trained_on_real_pairs(branch: Path, method: str) -> None:
    details = read(branch / "reports" / "change" / method / "details.json")
    assert (details["data_set"], details["simulated"]) == (branch.name, False)
    assert details["steps"] == 2 * 4
    with (branch / "reports" / "change" / method / "curve.csv").open() as table:
        losses = [float(row["loss"]) for row in csv.DictReader(table)]
    assert losses
    assert all(math.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("method", METHODS)
def test_both_protocols_score_every_known_pixel(branch: Path, method: str) -> None:
    details = read(branch / "reports" / "evaluate_change" / method / "details.json")
    for found in details["protocols"].values():
        pixels = found["pixels"]
        assert sum(pixels[count] for count in ("tp", "fp", "fn", "tn", "unknown")) == SIDE[branch.name] ** 2
        assert pixels["tp"] + pixels["fn"] == CHANGED[branch.name]["test"]
        assert (found["pairs"], found["scenes"]) == (1, 1)
    whole, crops = (details["protocols"][protocol] for protocol in ("whole_tile", "crops_256"))
    if branch.name == "levir-cd":
        assert whole["pixels"] == crops["pixels"], "a pair of 256 pixels is its own crop"


@pytest.mark.parametrize("method", METHODS)
def test_the_sheet_shows_both_dates_truth_and_prediction(branch: Path, method: str) -> None:
    sheet = branch / "reports" / "evaluate_change" / method / "sheet.png"
    with Image.open(sheet) as picture:
        assert picture.size == (4 * 320 + 3 * 6, HEADING_PX + 320)
        pixels = np.asarray(picture.convert("L"))[HEADING_PX:]
    for panel in range(4):
        assert pixels[:, panel * 326 : panel * 326 + 320].std() > 5, "a picture, not one grey"
    kept = os.environ.get("STORMSIGHT_REAL_SAMPLE")
    if kept is not None:
        target = Path(f"{kept}-change") / branch.name / f"{method}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sheet, target)
        shutil.copyfile(
            branch / "reports" / "pairs" / branch.name / "sheet.png", target.with_name("pairs.png")
        )
