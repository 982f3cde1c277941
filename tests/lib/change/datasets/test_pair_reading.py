"""Bad pairs are left out by name with a reason, and the others are read."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import Affine

from components.lib.change.datasets.registry import get_pair_dataset
from components.lib.change.terms import CHANGED, UNKNOWN
from tests.conftest import ROOT
from tests.lib.change.datasets.files import (
    GRID,
    SIZE,
    change,
    generic_files,
    geotiff,
    picture,
    png,
    read,
    write,
)

LABEL = png(change())


def palette_png() -> bytes:
    image = Image.fromarray(change(value=1))
    image.putpalette([0, 0, 0, 200, 0, 0])
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def coloured(*colours: tuple[int, int, int]) -> bytes:
    label = np.zeros((*SIZE, 3), np.uint8)
    for i, colour in enumerate(colours):
        label[2 + 4 * i : 6 + 4 * i, 3:9] = colour
    return png(label)


LABELS = [
    ("0 and 255", png(change())),
    ("0 and 1", png(change(value=1))),
    ("one bit", png(change() > 0)),
    ("palette", palette_png()),
    ("white on black", coloured((255, 255, 255))),
    ("one colour", coloured((200, 0, 0))),
    ("opaque", png(np.dstack([change()] * 3 + [np.full(SIZE, 255, np.uint8)]))),
]


@pytest.mark.parametrize("content", [c for _, c in LABELS], ids=[name for name, _ in LABELS])
def test_two_valued_labels_are_recognised(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, generic_files("train", ["a"], label=content))
    (pair,), reader, _ = read(tmp_path)
    assert not reader.refused
    np.testing.assert_array_equal(pair.label, (change() > 0).astype(np.uint8))


BAD_LABELS = [
    (png(picture(bands=1)), r"train/label/bad.png has the values 0, 1, 2, .* more; 0 and 1, or 0 and 255"),
    (png(np.where(change() > 0, 7, 3).astype(np.uint8)), "has the values 3, 7"),
    (coloured((255, 0, 0), (0, 255, 0)), r"the colours \(0, 255, 0\), \(255, 0, 0\) beside black"),
    (png(np.where(change() > 0, 255, 127).astype(np.uint8)), "has the values 127, 255"),
    (png(change().astype(np.uint16)), "is uint16, a label has 8 bits"),
    (png(change((24, 31))), "label train/label/bad.png has 24 x 31 pixels, the images 24 x 32"),
    (b"", "is empty"),
    (b"GIF89a", "is neither PNG, JPEG nor TIFF"),
    (LABEL[:-30], "cannot be decoded: it ends after"),
    (LABEL[:50] + b"x" + LABEL[51:], "cannot be decoded: a chunk at byte 33 is damaged"),
]


@pytest.mark.parametrize(("content", "message"), BAD_LABELS, ids=[m[:20] for _, m in BAD_LABELS])
def test_a_label_of_unknown_meaning_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    write(tmp_path, generic_files("train", ["good"]) | generic_files("train", ["bad"], label=content))
    pairs, reader, _ = read(tmp_path)
    assert [pair.name for pair in pairs] == ["train_good"]
    (refused,) = reader.refused
    assert refused.name == "train_bad"
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(refused.message)


def test_a_label_as_jpeg_is_read_where_it_is_declared(tmp_path: Path) -> None:
    jpeg = png(change(), format="JPEG", quality=80)
    files = {"val/A/1.jpg": png(picture(1), format="JPEG"), "val/B/1.jpg": png(picture(2), format="JPEG")}
    (pair,), _, _ = read(write(tmp_path, files | {"val/OUT/1.jpg": jpeg}), "cdd")
    assert (pair.label != (change() > 0)).mean() < 0.02
    noise = {"val/OUT/1.jpg": png(picture(bands=1), format="JPEG")}
    pairs, reader, _ = read(write(tmp_path, files | noise), "cdd")
    assert not pairs
    assert "of values between black and white" in reader.refused[0].message


def test_photographs_as_palette_png_and_cmyk_jpeg_are_colours(tmp_path: Path) -> None:
    plain = Image.new("RGB", SIZE[::-1], (200, 30, 60))
    for name, image, kind in (("a", plain.quantize(4), "PNG"), ("b", plain.convert("CMYK"), "JPEG")):
        content = io.BytesIO()
        image.save(content, kind)
        write(tmp_path, generic_files("train", [name], t1=content.getvalue()))
    pairs, reader, _ = read(tmp_path)
    assert not reader.refused
    for pair in pairs:
        np.testing.assert_allclose(pair.before["optical"], np.full((*SIZE, 3), (200, 30, 60)), atol=3)


@pytest.mark.parametrize("side", [1, 3])
def test_the_smallest_pairs_are_read(side: int, tmp_path: Path) -> None:
    label = np.full((side, side), 255, np.uint8)
    parts = {"t1": png(picture(1, (side, side))), "t2": png(picture(2, (side, side))), "label": png(label)}
    (pair,), reader, _ = read(write(tmp_path, generic_files("train", ["a"], **parts)))
    assert not reader.refused
    assert pair.label.tolist() == [[CHANGED] * side] * side


def test_transparent_pixels_are_no_data(tmp_path: Path) -> None:
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[:, :5] = 0
    seen = np.dstack([np.zeros((*SIZE, 3), np.uint8), alpha])
    write(tmp_path, generic_files("train", ["a"], t1=png(seen)))
    (pair,), _, _ = read(tmp_path)
    assert (pair.label[:, :5] == UNKNOWN).all()
    assert (pair.before["optical"][:, :5] == 0).all()
    # Black is a colour where it is not declared to be no data.
    assert (pair.before["optical"][:, 5:] == 1).all()
    assert (pair.label[:, 5:] != UNKNOWN).all()


def test_black_and_declared_values_are_no_data_where_declared(tmp_path: Path) -> None:
    before, after = np.maximum(picture(1), 2), np.maximum(picture(2), 2)
    before[0], after[1] = 0, 1
    parts = {"t1": geotiff(before), "t2": geotiff(after, nodata=1.0), "label": geotiff(change())}
    write(tmp_path, generic_files("train", ["a"], **parts))
    (pair,), _, _ = read(tmp_path, "georeferenced-pairs")
    assert (pair.label[:2] == UNKNOWN).all()
    assert (pair.label[2:] != UNKNOWN).all()
    assert not pair.after["optical"][1].any()


BAD_IMAGES = [
    (png(picture(size=(24, 31))), "size", "train/t2/bad.png has 24 x 31 pixels, train/t1/bad.png 24 x 32"),
    (png(picture(bands=1)), "bands", "train/t2/bad.png has 1 band, three are needed for optical"),
    (geotiff(picture(bands=5)), "bands", "has 5 bands"),
    (
        geotiff(picture().astype(np.uint16)),
        "type",
        "train/t2/bad.png is uint16, not uint8; pairs.value_range says",
    ),
    (png(picture())[:-200], "unreadable", "train/t2/bad.png cannot be decoded"),
    (png(picture(), format="JPEG")[:-400], "unreadable", "cannot be decoded: libjpeg"),
    (geotiff(picture())[:-200], "unreadable", "train/t2/bad.png cannot be decoded:"),
    (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "unreadable", "train/t2/bad.png"),
]


@pytest.mark.parametrize(("content", "reason", "message"), BAD_IMAGES, ids=[m for *_, m in BAD_IMAGES])
def test_a_bad_image_leaves_its_pair_out(content: bytes, reason: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, generic_files("train", ["good"]) | generic_files("train", ["bad"], t2=content))
    pairs, reader, _ = read(tmp_path)
    assert [pair.name for pair in pairs] == ["train_good"]
    (refused,) = reader.refused
    assert (refused.name, refused.reason) == ("train_bad", reason)
    assert message in refused.message


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = bytearray(png(picture()))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    write(tmp_path, generic_files("train", ["bad"], t1=bytes(header)))
    pairs, reader, _ = read(tmp_path)
    assert not pairs
    assert "train/t1/bad.png" in reader.refused[0].message


def test_values_of_sixteen_bits_are_scaled_where_the_range_is_stated(tmp_path: Path) -> None:
    deep = np.full((*SIZE, 3), 1000, np.uint16)
    deep[:12], deep[0] = 3000, 9000
    write(tmp_path, generic_files("train", ["a"], t1=geotiff(deep)))
    (pair,), _, _ = read(tmp_path, value_range=(1000.0, 5000.0))
    assert pair.before["optical"][[0, 5, 20], 0, 0].tolist() == [255, 128, 1]


def test_dates_on_different_grids_are_refused(tmp_path: Path) -> None:
    parts = {"t1": geotiff(picture(1)), "label": LABEL}
    files = generic_files("train", ["same"], t2=geotiff(picture(2)), **parts)
    moved = GRID * Affine.translation(3, 0)
    files |= generic_files("train", ["moved"], t2=geotiff(picture(2), moved), **parts)
    files |= generic_files("train", ["other"], t2=geotiff(picture(2), crs="EPSG:32632"), **parts)
    files |= generic_files("train", ["bare"], t2=png(picture(2)), **parts)
    files |= generic_files("train", ["label"], t1=parts["t1"], label=geotiff(change(), moved))
    pairs, reader, _ = read(write(tmp_path, files))
    assert [pair.name for pair in pairs] == ["train_bare", "train_same"]
    assert all(pair.crs == "EPSG:32631" for pair in pairs)
    assert {refused.name: refused.reason for refused in reader.refused} == {
        "train_label": "grid",
        "train_moved": "grid",
        "train_other": "grid",
    }
    assert all("3.0 pixels away" in refused.message for refused in reader.refused[:2])


def test_swapped_dates_are_seen_by_their_time_tags(tmp_path: Path) -> None:
    def dated(seed: int, year: int) -> bytes:
        return png(picture(seed), format="TIFF", tiffinfo={306: f"{year}:05:01 10:00:00"})

    files = generic_files("train", ["right"], t1=dated(1, 2015), t2=dated(2, 2019))
    files |= generic_files("train", ["swapped"], t1=dated(1, 2019), t2=dated(2, 2015))
    _, reader, _ = read(write(tmp_path, files | generic_files("train", ["undated"])))
    assert reader.dated == 2
    assert reader.late_before == ["train_swapped"]


def test_swapped_sensors_are_seen_by_their_bands(tmp_path: Path) -> None:
    declared = replace(get_pair_dataset("pairs"), after_modality="sar")
    files = generic_files("train", ["right"], t2=png(picture(bands=1)))
    files |= generic_files("train", ["swapped"], t1=png(picture(bands=1)), t2=png(picture()))
    pairs, reader, _ = read(write(tmp_path, files), declared)
    assert [pair.name for pair in pairs] == ["train_right"]
    assert reader.refused[0].reason == "order"
    assert "the folders of the two dates are swapped" in reader.refused[0].message


def test_an_image_in_the_place_of_the_label_is_refused(tmp_path: Path) -> None:
    files = generic_files("train", ["a"], t1=LABEL, label=png(picture()))
    pairs, reader, _ = read(write(tmp_path, files))
    assert not pairs
    assert reader.refused[0].reason in {"bands", "label"}


SAMPLES = ROOT.parent / "shared" / "data" / "change"


@pytest.mark.skipif(not (SAMPLES / "levir").is_dir(), reason="no sample of LEVIR-CD in ../shared/data/change")
def test_the_sample_of_levir_is_read() -> None:
    pairs, reader, found = read(SAMPLES / "levir", "levir-cd")
    assert not reader.refused
    assert not found.refused
    assert [(pair.name, pair.split, pair.scene) for pair in pairs] == [
        ("train_36_0512_0512", "train", "train_36"),
        ("train_386_0512_0768", "train", "train_386"),
        ("train_412_0512_0768", "train", "train_412"),
        ("val_27_0000_0256", "val", "val_27"),
    ]
    assert [int((pair.label == CHANGED).sum()) for pair in pairs] == [11433, 0, 7556, 7933]
    assert not any((pair.label == UNKNOWN).any() for pair in pairs)


@pytest.mark.skipif(
    not (SAMPLES / "spacenet8").is_dir(), reason="no sample of SpaceNet 8 in ../shared/data/change"
)
def test_the_sample_of_spacenet8_is_read(tmp_path: Path) -> None:
    pairs, reader, _ = read(SAMPLES / "spacenet8", "spacenet8")
    assert not reader.refused
    assert [(pair.name, int((pair.label == CHANGED).sum())) for pair in pairs] == [
        ("train_sample_2170", 595),
        ("train_sample_48", 1225),
    ]
    assert [int((pair.label == UNKNOWN).sum()) for pair in pairs] == [512, 0]
    assert pairs[0].crs == "EPSG:4326"
    # A folder in which one date is missing is left out, the other is read.
    shutil.copytree(SAMPLES / "spacenet8", tmp_path / "copy")
    (tmp_path / "copy" / "sample_48" / "post_image.tif").unlink()
    pairs, _, found = read(tmp_path / "copy", "spacenet8")
    assert [pair.name for pair in pairs] == ["train_sample_2170"]
    assert found.refused[0].message == "sample_48/pre_image.tif has no partner in post_image"
