from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.evaluate.__main__ import main
from components.lib.geo.raster import write_geotiff

Mask = npt.NDArray[np.uint8]


def boxes(*found: tuple[int, int, int, int], value: int = 255, shape: tuple[int, int] = (32, 32)) -> Mask:
    """Mask with boxes (top, left, height, width)."""
    mask = np.zeros(shape, dtype=np.uint8)
    for top, left, height, width in found:
        mask[top : top + height, left : left + width] = value
    return mask


class Folders:
    """Folders of truth and prediction."""

    def __init__(self, root: Path) -> None:
        self.truth, self.prediction = root / "truth", root / "prediction"
        self.truth.mkdir()
        self.prediction.mkdir()

    def add(self, name: str, truth: Mask, prediction: Mask) -> None:
        Image.fromarray(truth).save(self.truth / f"{name}.png")
        Image.fromarray(prediction).save(self.prediction / f"{name}.png")

    def score(self, *more: str) -> None:
        main(["change", "--truth", str(self.truth), "--prediction", str(self.prediction), *more])


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def golden(folders: Folders) -> Folders:
    """Masks of known counts.

    Pair a: a building of 8 x 8 found but for two columns, one of 4 x 5 missed. Pair b: nothing true, a false
    alarm of 2 x 5. In all 48 true positives, 10 false ones, 36 missed, 2 x 1024 - 94 true negatives.
    """
    folders.add("a", boxes((2, 2, 8, 8), (20, 20, 4, 5)), boxes((2, 2, 8, 6)))
    folders.add("b", boxes(), boxes((10, 10, 2, 5)))
    return folders


def printed(folders: Folders, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    folders.score("--json", *more)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


P, R = 48 / 58, 64 / 84
"""Relaxed precision and recall of these masks: the two columns that are missed lie within 3 pixels."""


def test_golden_scores(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(golden, capsys) == {
        "kind": "masks",
        "pairs": 2,
        "scenes": 2,
        "rules": {"iou": 0.5, "min_area_px": 1, "tolerance_px": 3.0},
        "pixels": {
            "tp": 48,
            "fp": 10,
            "fn": 36,
            "tn": 1954,
            "unknown": 0,
            "precision": 48 / 58,
            "recall": 48 / 84,
            "f1": 96 / 142,
            "iou": 48 / 94,
        },
        "objects": {"tp": 1, "fp": 1, "fn": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5},
        "relaxed": {
            "precision": 48 / 58,
            "recall": 64 / 84,
            "f1": 2 * 48 / 58 * 64 / 84 / (48 / 58 + 64 / 84),
        },
        "intervals": {"pixel_f1": None, "pixel_iou": None, "object_f1": None},
        "confidence": 0.95,
        "warnings": [],
    }


def test_table_for_people(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    golden.score()
    lines = capsys.readouterr().out.splitlines()
    assert "2 pairs of 2 scenes" in lines[0]
    assert next(line for line in lines if line.startswith("pixels")).split() == [
        "pixels", "0.8276", "0.5714", "0.6761", "0.5106", "48", "10", "36", "1,954",
    ]  # fmt: skip
    assert lines[-1].startswith("Nothing tells whether truth and prediction were swapped")


def test_swapped_folders_swap_precision_and_recall(
    golden: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(golden, capsys)["pixels"]
    golden.truth, golden.prediction = golden.prediction, golden.truth
    swapped = printed(golden, capsys)["pixels"]
    assert (swapped["precision"], swapped["recall"]) == (found["recall"], found["precision"])
    assert (swapped["f1"], swapped["iou"]) == (found["f1"], found["iou"])


def save_palette(mask: Mask, path: Path) -> None:
    image = Image.fromarray((mask > 0).astype(np.uint8) * 7).convert("P")
    image.putpalette([0, 0, 0] * 7 + [200, 30, 30])
    image.save(path)


def save_rgb(mask: Mask, path: Path) -> None:
    Image.fromarray(np.stack([mask, mask // 3, mask * 0], axis=-1)).save(path)


def save_rgba(mask: Mask, path: Path) -> None:
    Image.fromarray(np.stack([mask, mask, mask, mask * 0 + 255], axis=-1)).save(path)


def save_bits(mask: Mask, path: Path) -> None:
    Image.fromarray(mask > 0).save(path)


def save_ones(mask: Mask, path: Path) -> None:
    Image.fromarray((mask > 0).astype(np.uint8)).save(path)


def save_tiff(mask: Mask, path: Path) -> None:
    write_geotiff(path.with_suffix(".tif"), mask[None], transform=Affine.scale(0.5), crs=None)
    path.unlink()


@pytest.mark.parametrize("save", [save_palette, save_rgb, save_rgba, save_bits, save_ones, save_tiff])
def test_other_encodings_give_the_same_scores(
    golden: Folders, capsys: pytest.CaptureFixture[str], save: Any
) -> None:
    expected = printed(golden, capsys)
    for path in list(golden.prediction.iterdir()):
        save(np.asarray(Image.open(path)), path)
    assert printed(golden, capsys) == expected


def test_where_1_and_255_occur_255_is_unknown(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    """In pair a nothing but 0 and 255 occurs: the folder says what it means, not the file."""
    folders.add("a", boxes((0, 0, 4, 4)), boxes((0, 0, 4, 4), value=1))
    folders.add("b", boxes((8, 8, 4, 4), value=1), boxes((8, 8, 4, 4), value=1))
    pixels = printed(folders, capsys)["pixels"]
    assert (pixels["tp"], pixels["fp"], pixels["unknown"]) == (16, 0, 16)


def test_unknown_pixels_of_a_prediction_are_doubted(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted = boxes((0, 0, 4, 4), value=1)
    predicted[20:, 20:] = 255
    folders.add("a", boxes((0, 0, 4, 4)), predicted)
    folders.score()
    assert "may have been swapped" in capsys.readouterr().err


def test_probabilities_need_a_threshold(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    expected = printed(golden, capsys)
    for path in list(golden.prediction.iterdir()):
        probability = np.where(np.asarray(Image.open(path)) > 0, 0.7, 0.2).astype(np.float32)
        write_geotiff(path.with_suffix(".tif"), probability[None], transform=Affine.scale(0.5), crs=None)
        path.unlink()
    with pytest.raises(BadDataError, match="decimal numbers") as raised:
        golden.score()
    assert "--threshold" in raised.value.next_step
    assert printed(golden, capsys, "--threshold", "0.5") == expected
    assert printed(golden, capsys, "--threshold", "0.8")["pixels"]["tp"] == 0


def test_probabilities_without_a_number_are_named(golden: Folders) -> None:
    for name in ("a", "b"):
        save_tiff(np.full((32, 32), np.nan, dtype=np.float32), golden.prediction / f"{name}.png")
    with pytest.raises(BadDataError, match=r"a\.tif holds numbers outside of 0 to 1, or none at all \(NaN\)"):
        golden.score("--threshold", "0.5")


def test_masks_of_0_and_1_are_no_probabilities(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    folders.add("a", boxes((2, 2, 8, 8)), boxes((2, 2, 8, 8), value=1))
    warnings = printed(folders, capsys, "--threshold", "0.5")["warnings"]
    assert any("if it holds masks of 0 and 1, leave out --threshold" in warning for warning in warnings)


def test_grey_levels_are_probabilities(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    for path in golden.prediction.iterdir():
        Image.fromarray(np.asarray(Image.open(path)) // 255 * 180 + 20).save(path)
    with pytest.raises(BadDataError, match="2 values, 200 among them"):
        golden.score()
    assert printed(golden, capsys, "--threshold", "0.5")["pixels"]["tp"] == 48


def test_transparent_pixels_of_the_truth_are_unknown(
    golden: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.asarray(Image.open(golden.truth / "a.png"))
    alpha = np.full_like(truth, 255)
    alpha[:, :16] = 0
    Image.fromarray(np.stack([truth, truth, truth, alpha], axis=-1)).save(golden.truth / "a.png")
    pixels = printed(golden, capsys)["pixels"]
    assert (pixels["tp"], pixels["fn"], pixels["unknown"]) == (0, 20, 32 * 16)


def test_scenes_are_named_by_a_pattern(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (golden.truth, golden.prediction):
        (folder / "a.png").rename(folder / "train_36_0512_0512.png")
        (folder / "b.png").rename(folder / "train_36_0000_0512.png")
    found = printed(golden, capsys, "--scene", r"(.+)_\d+_\d+$")
    assert (found["pairs"], found["scenes"]) == (2, 1)


def test_an_empty_truth_is_said(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    folders.add("a", boxes(), boxes())
    found = printed(folders, capsys)
    assert found["pixels"]["f1"] is None
    assert [warning.split(":")[0] for warning in found["warnings"]] == [
        "no pixel of the truth is changed",
        "no pixel of the prediction is changed",
    ]


def remove(folders: Folders) -> None:
    (folders.prediction / "a.png").unlink()


def add(folders: Folders) -> None:
    Image.fromarray(boxes()).save(folders.prediction / "c.png")


def twice(folders: Folders) -> None:
    save_tiff(boxes(), folders.prediction / "a.png")
    Image.fromarray(boxes()).save(folders.prediction / "a.png")


def shrink(folders: Folders) -> None:
    Image.fromarray(boxes(shape=(16, 32))).save(folders.prediction / "a.png")


def rename(folders: Folders) -> None:
    for path in list(folders.prediction.iterdir()):
        path.rename(path.with_name(f"pred_{path.name}"))


def deepen(folders: Folders) -> None:
    Image.fromarray(boxes().astype(np.uint16)).save(folders.prediction / "a.png")


def displace(folders: Folders) -> None:
    for folder, left in ((folders.truth, 0.0), (folders.prediction, 500.0)):
        place = Affine.translation(left, 0) * Affine.scale(0.5)
        (folder / "a.png").unlink()
        write_geotiff(folder / "a.tif", boxes()[None], transform=place, crs="EPSG:32631")


def empty(folders: Folders) -> None:
    for path in list(folders.prediction.iterdir()):
        path.unlink()


def truncate(folders: Folders) -> None:
    path = folders.prediction / "a.png"
    path.write_bytes(path.read_bytes()[:40])


def colour(folders: Folders) -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[:4, :4], pixels[8:, 8:] = (255, 0, 0), (0, 255, 0)
    Image.fromarray(pixels).save(folders.prediction / "a.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove, r"truth/a\.png has no partner in .*prediction"),
        (add, r"prediction/c\.png has no partner in .*truth"),
        (twice, r"holds a\.png and a\.tif: which is the mask a\?"),
        (shrink, r"truth/a\.png has 32 x 32 pixels, .*prediction/a\.png 32 x 16"),
        (rename, r"have no stem in common, as a\.png and pred_a\.png"),
        (deepen, r"prediction/a\.png is uint16, a label has 8 bits"),
        (displace, r"prediction/a\.tif lies 1000\.0 pixels away from .*truth/a\.tif"),
        (empty, r"prediction holds no mask"),
        (truncate, r"prediction/a\.png cannot be decoded"),
        (colour, r"prediction/a\.png has the colours .* beside black"),
    ],
)
def test_bad_folders_are_named(golden: Folders, spoil: Any, message: str) -> None:
    spoil(golden)
    with pytest.raises(BadDataError, match=message):
        golden.score()


def test_hidden_files_of_desktops_are_no_masks(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    (golden.truth / "._a.png").write_bytes(b"\0\5\26\7")
    assert printed(golden, capsys)["pairs"] == 2


def test_a_missing_folder_is_named(golden: Folders) -> None:
    golden.prediction = golden.prediction.with_name("elsewhere")
    with pytest.raises(MissingInputError, match="elsewhere is missing"):
        golden.score()


@pytest.mark.parametrize(
    "more",
    [
        ("--threshold", "1.5"),
        ("--iou", "0"),
        ("--scene", "("),
        ("--scene", "no group"),
        ("--scene", "(x)"),
        ("--scene", "[ab](x)?"),
    ],
)
def test_bad_arguments_are_refused(golden: Folders, more: tuple[str, str]) -> None:
    with pytest.raises(StormsightError) as raised:
        golden.score(*more)
    assert isinstance(raised.value, ParameterError | BadDataError)


def test_a_folder_against_itself_is_doubted(golden: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    golden.prediction = golden.truth
    assert "truth and prediction are the same" in printed(golden, capsys)["warnings"]


def test_a_single_mask_is_no_folder(golden: Folders) -> None:
    golden.truth, golden.prediction = golden.truth / "a.png", golden.prediction / "a.png"
    with pytest.raises(MissingInputError, match=r"a\.png is neither a folder nor a file of footprints"):
        golden.score()


def test_real_labels_against_themselves(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = str(real_data / "change/levir/label")
    main(["change", "--truth", labels, "--prediction", labels, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["pixels"]["tp"] == 26_922
    assert found["objects"] == {"tp": 41, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
