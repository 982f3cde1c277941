"""Every declared layout is found as its publishers ship it, and each pair is in its split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.change.datasets.finding import find_pairs, missing_pairs
from components.lib.change.datasets.registry import PAIR_DATASETS, get_pair_dataset
from components.lib.change.terms import BANDS, CHANGED
from tests.lib.change.datasets.files import change, generic_files, geotiff, picture, png, read, write


def names_by_split(root: Path, dataset: str) -> dict[str, list[str]]:
    pairs = find_pairs(root, get_pair_dataset(dataset)).pairs
    splits = {pair.split for pair in pairs}
    return {split: [pair.name for pair in pairs if pair.split == split] for split in splits}


def folders(split: str, names: tuple[str, str, str], stem: str, ends: tuple[str, str, str]) -> list[str]:
    return [f"{split}/{folder}/{stem}{end}" for folder, end in zip(names, ends, strict=True)]


PNG = (".png", ".png", ".png")
LAYOUTS: list[tuple[str, list[str], dict[str, list[str]]]] = [
    (
        "pairs",
        folders("train", ("t1", "t2", "label"), "a", PNG) + folders("val", ("t1", "t2", "label"), "a", PNG),
        {"train": ["train_a"], "val": ["val_a"]},
    ),
    (
        "levir-cd",
        folders("train", ("A", "B", "label"), "train_1", PNG)
        + folders("test", ("A", "B", "label"), "test_9", PNG),
        {"train": ["train_1"], "test": ["test_9"]},
    ),
    (
        "levir-cd",
        folders("LEVIR-CD256", ("A", "B", "label"), "train_36_0512_0512", PNG)
        + folders("LEVIR-CD256", ("A", "B", "label"), "val_27_0000_0256", PNG),
        {"train": ["train_36_0512_0512"], "val": ["val_27_0000_0256"]},
    ),
    (
        "sysu-cd",
        folders("train/train", ("time1", "time2", "label"), "00000", PNG)
        + folders("test", ("time1", "time2", "label"), "00000", PNG),
        {"train": ["train_00000"], "test": ["test_00000"]},
    ),
    (
        "dsifn-cd",
        folders("Training", ("t1", "t2", "mask"), "7", (".jpg", ".jpg", ".png")),
        {"train": ["train_7"]},
    ),
    (
        "cdd",
        folders("Real/subset/val", ("A", "B", "OUT"), "00001", (".jpg", ".jpg", ".jpg")),
        {"val": ["val_00001"]},
    ),
    (
        "whu-cd",
        folders("test", ("prev", "curr", "label"), "x", (".tif", ".tif", ".tif")),
        {"test": ["test_x"]},
    ),
]


@pytest.mark.parametrize(("dataset", "keys", "expected"), LAYOUTS)
def test_layouts_are_found(
    dataset: str, keys: list[str], expected: dict[str, list[str]], tmp_path: Path
) -> None:
    write(tmp_path, dict.fromkeys(keys, b""))
    assert names_by_split(tmp_path, dataset) == expected


def test_split_lists_tell_the_split_of_flat_files(tmp_path: Path) -> None:
    files = dict.fromkeys(
        [f"{folder}/{name}.png" for folder in ("A", "B", "label") for name in ("p1", "p2", "p3")], b""
    )
    lists = {"list/train.txt": b"p1.png\np3.png\n", "list/val.txt": b"p2\r\n", "list/test.txt": b"p4.png\n"}
    write(tmp_path, files | lists)
    found = find_pairs(tmp_path, get_pair_dataset("whu-cd"))
    assert {pair.name: pair.split for pair in found.pairs} == {
        "train_p1": "train",
        "train_p3": "train",
        "val_p2": "val",
    }
    assert [(refused.name, refused.reason) for refused in found.refused] == [("p4", "partner")]


def test_a_pair_in_two_lists_is_refused(tmp_path: Path) -> None:
    lists = {"list/train.txt": b"p1.png", "list/val.txt": b"p1.png"}
    write(tmp_path, {"A/p1.png": b"", "B/p1.png": b"", **lists})
    with pytest.raises(BadDataError, match=r"list/val.txt lists p1, which is in the list of train, too"):
        find_pairs(tmp_path, get_pair_dataset("levir-cd"))


def test_names_in_a_list_never_leave_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "data", {"A/p1.png": b"", "B/p1.png": b"", "label/p1.png": b""})
    write(tmp_path / "data", {"list/train.txt": b"../../secret.png\n/etc/passwd\np1.png\n"})
    found = find_pairs(tmp_path / "data", get_pair_dataset("levir-cd"))
    assert [pair.before for pair in found.pairs] == ["A/p1.png"]
    assert [refused.name for refused in found.refused] == ["passwd", "secret"]


def test_flat_files_without_a_split_are_left_out_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"t1/a.png": b"", "t2/a.png": b"", "label/a.png": b""})
    found = find_pairs(tmp_path, get_pair_dataset("pairs"))
    assert not found.pairs
    assert found.refused[0].name == "a"
    assert "use folders train, val and test" in found.refused[0].message


def test_missing_partners_and_doubles_are_left_out_by_name(tmp_path: Path) -> None:
    files = generic_files("train", ["good", "lonely", "double"])
    del files["train/t2/lonely.png"]
    write(tmp_path, files | {"train/t1/double.jpg": b""})
    found = find_pairs(tmp_path, get_pair_dataset("pairs"))
    assert [pair.name for pair in found.pairs] == ["train_good"]
    assert {refused.name: refused.message for refused in found.refused} == {
        "train_lonely": "train/t1/lonely.png has no partner in t2",
        "train_double": "two files for the same image: train/t1/double.jpg, train/t1/double.png",
    }


def test_a_pair_without_label_is_left_out_and_a_split_without_any_is_told(tmp_path: Path) -> None:
    files = generic_files("train", ["a", "b"]) | generic_files("test", ["c", "d"])
    for key in ("train/label/b.png", "test/label/c.png", "test/label/d.png"):
        del files[key]
    found = find_pairs(write(tmp_path, files), get_pair_dataset("pairs"))
    assert [pair.name for pair in found.pairs] == ["train_a"]
    assert [refused.name for refused in found.refused] == ["train_b"]
    assert found.warnings == ["split test has 2 pairs and no label: it is left out"]


def test_links_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(png(picture()))
    root = write(tmp_path / "data", generic_files("train", ["a", "b"]))
    (root / "train/t1/b.png").unlink()
    (root / "train/t1/b.png").symlink_to(outside)
    found = find_pairs(root, get_pair_dataset("pairs"))
    assert [pair.name for pair in found.pairs] == ["train_a"]
    assert {refused.name: refused.reason for refused in found.refused} == {
        "train/t1/b.png": "name",
        "train_b": "partner",
    }


def test_hidden_files_of_desktops_and_editors_are_left_alone(tmp_path: Path) -> None:
    files = generic_files("train", ["a"])
    files |= {f"{place}train/t1/._a.png": b"\0\5\26\7" for place in ("", "__MACOSX/")}
    files["train/.cache/t1/a.png"] = files["train/t1/a.png"]
    found = find_pairs(write(tmp_path, files), get_pair_dataset("pairs"))
    assert [pair.before for pair in found.pairs] == ["train/t1/a.png"]
    assert not found.refused


def test_names_may_have_spaces_and_any_script_but_no_control_characters(tmp_path: Path) -> None:
    write(tmp_path, generic_files("train", ["my tile ü 東京 (1)", "new\nline"]))
    found = find_pairs(tmp_path, get_pair_dataset("pairs"))
    assert [pair.name for pair in found.pairs] == ["train_my tile ü 東京 (1)"]
    assert {refused.name for refused in found.refused} == {
        f"train/{folder}/new line.png" for folder in ("t1", "t2", "label")
    }


def test_endings_may_differ_between_the_files_of_a_pair(tmp_path: Path) -> None:
    files = generic_files("train", ["a"])
    files["train/t2/a.TIF"] = files.pop("train/t2/a.png")
    files["train/label/a.PNG"] = files.pop("train/label/a.png")
    found = find_pairs(write(tmp_path, files), get_pair_dataset("pairs"))
    assert [(pair.after, pair.labels) for pair in found.pairs] == [
        ("train/t2/a.TIF", (("train/label/a.PNG", None),))
    ]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    write(tmp_path, generic_files("train", ["a"]))
    with pytest.raises(BadDataError, match="no image of the data set levir-cd in a folder a, and none in b"):
        find_pairs(tmp_path, get_pair_dataset("levir-cd"))
    with pytest.raises(MissingInputError, match=r"is no folder(.|\n)*pairs\.folders"):
        find_pairs(tmp_path / "nowhere", get_pair_dataset("levir-cd"))
    with pytest.raises(ParameterError, match="the nearest known one is 'levir-cd'"):
        get_pair_dataset("levir_cd")


def test_empty_and_incomplete_splits_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"train/A/train_1.png": b"", "train/B/train_1.png": b"", "train/label/train_1.png": b""})
    levir = get_pair_dataset("levir-cd")
    assert list(missing_pairs(find_pairs(tmp_path, levir), levir)) == [
        "split train has 1 pairs, the official one 445",
        "split val has no pair",
        "split test has no pair",
    ]


def test_s2looking_unites_its_labels_and_keeps_the_kinds(tmp_path: Path) -> None:
    built, gone = np.zeros((24, 32, 3), np.uint8), np.zeros((24, 32, 3), np.uint8)
    built[2:6, 3:9] = (0, 0, 255)
    gone[10:14, 3:9] = (255, 0, 0)
    files = {
        "train/Image1/1.png": png(picture(1)),
        "train/Image2/1.png": png(picture(2)),
        "train/label/1.png": png(picture(3)),
        "train/label1/1.png": png(built),
        "train/label2/1.png": png(gone),
    }
    (pair,), _, found = read(write(tmp_path, files), "s2looking")
    assert not found.refused
    np.testing.assert_array_equal(pair.label == CHANGED, (built.any(-1) | gone.any(-1)))
    assert [(b.kind, b.outline.bounds) for b in pair.buildings] == [
        ("added", (3.0, 2.0, 9.0, 6.0)),
        ("removed", (3.0, 10.0, 9.0, 14.0)),
    ]


def test_spacenet8_pairs_have_a_folder_each(tmp_path: Path) -> None:
    after = picture(2)
    after[0] = 0
    files = {
        "sample_1/pre_image.tif": geotiff(np.maximum(picture(1), 1)),
        "sample_1/post_image.tif": geotiff(after),
        "sample_1/mask.tif": geotiff(change(value=1)),
    }
    (pair,), _, _ = read(write(tmp_path, files), "spacenet8")
    assert (pair.name, pair.split, pair.crs) == ("train_sample_1", "train", "EPSG:32631")
    assert pair.place is not None
    assert pair.place[:3] == (0.5, 0.0, 500_000.0)
    assert (pair.label[0] == 255).all()
    assert (pair.label == CHANGED).sum() == 24


def test_bright_reads_classes_lists_and_one_sar_band(tmp_path: Path) -> None:
    target = np.zeros((24, 32), np.uint8)
    target[:4], target[4:8], target[8:12] = 1, 2, 3
    files: dict[str, bytes] = {}
    for name in ("bata-1_0001", "bata-1_0002"):
        files |= {
            f"train/pre-event/{name}_pre_disaster.tif": geotiff(np.maximum(picture(1), 1)),
            f"train/post-event/{name}_post_disaster.tif": geotiff(np.maximum(picture(2, bands=1), 1)),
            f"train/target/{name}_building_damage.tif": geotiff(target),
        }
    files |= {
        "val/pre-event/bata-1_0003_pre_disaster.tif": b"",
        "val/post-event/bata-1_0003_post_disaster.tif": b"",
        "train_setlevel.txt": b"bata-1_0001\n",
        "holdout_setlevel.txt": b"bata-1_0002\n",
        "val_setlevel.txt": b"bata-1_0003\n",
    }
    pairs, reader, found = read(write(tmp_path, files), "bright")
    assert not reader.refused
    assert not found.refused
    assert found.warnings == ["split test has 1 pairs and no label: it is left out"]
    assert [pair.split for pair in pairs] == ["train", "val"]
    assert pairs[0].after["sar"].shape == (24, 32, len(BANDS["sar"]))
    assert (pairs[0].after["sar"] == pairs[0].after["sar"][..., :1]).all()
    np.testing.assert_array_equal(pairs[0].label == CHANGED, target >= 2)


@pytest.mark.parametrize("name", PAIR_DATASETS)
def test_declarations_are_complete(name: str) -> None:
    dataset = PAIR_DATASETS[name]
    assert dataset.licence
    assert dataset.citation
    assert dataset.sources
    assert dataset.meaning
    folders = [set(part.folders) for part in (dataset.before, dataset.after, *dataset.labels)]
    assert all(folder == folder.lower() for part in folders for folder in part)
    assert sum(map(len, folders)) == len(set.union(*folders)), "a folder has one meaning"
