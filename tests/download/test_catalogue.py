"""Catalogue entries and acquisition names: typos are named with what was probably meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import ParameterError
from components.download.catalogue import CATALOGUE, CatalogueEntry, known_acquisitions, load_entry
from components.download.parameters import (
    DownloadParameters,
    check_acquisitions,
    load_acquisitions,
)
from components.download.release import classify, wanted
from components.lib.config.loader import load_parameters
from components.lib.datasets.spacenet6 import SPACENET6
from tests.download.release import PREFIX, STRIPS, entry

KNOWN = ["rehearsal-airborne", "rehearsal-roads", "rehearsal-spaceborne", "spacenet6-train"]


def test_the_committed_entries_are_the_three_we_know() -> None:
    assert known_acquisitions() == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_every_committed_entry_is_valid(name: str) -> None:
    one = load_entry(name)
    assert one.licence.name
    assert {"SAR-Intensity", "Buildings", "Summary"} <= set(one.products)
    assert one.simulated == one.source.startswith("simulate://")


def test_the_real_entry_says_what_the_reference_says() -> None:
    one = load_entry("spacenet6-train")
    assert one.source == "s3://spacenet-dataset/spacenet/SN6_buildings/"
    assert one.archive is not None
    assert one.expected(one.archive).md5 == "10ca26d2287716e3b6ef0cf0ad9f946e"
    assert one.anonymous
    assert one.licence.name == "CC BY-SA 4.0"


def broken(tmp_path: Path, **changes: Any) -> Path:
    values = {**yaml.safe_load((CATALOGUE / "spacenet6-train.yaml").read_text()), **changes}
    (tmp_path / "spacenet6-train.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tiles": "2"}, "tiles: .*a number is needed"),
        ({"closed": "yes"}, "closed: .*true or false is needed"),
        ({"sauce": "s3://x/y/"}, "sauce: unknown key; the nearest valid one is 'source'"),
        (
            {"licence": {"name": "x", "credit": "y", "ulr": "z"}},
            "licence.ulr: unknown key; the nearest valid one is 'url'",
        ),
        (
            {"objects": [{"key": "a", "md6": "b"}]},
            r"objects.0.md6: unknown key; the nearest valid one is 'md5'",
        ),
        (
            {"sensor": "capela-airborne"},
            "unknown sensor 'capela-airborne'; the nearest known one is 'capella-",
        ),
        ({"simulated": True}, "simulated is True, but sensor capella-airborne says False"),
        ({"products": ["PS-RBG"]}, r"products.0: Input should be .*'PS-RGB'"),
        ({"products": []}, "products: "),
        ({"source": "ftp://x/y"}, "none of the schemes s3, file, simulate"),
        ({"source": "/just/a/path"}, "none of the schemes"),
        ({"prefix": "../elsewhere/"}, "'../elsewhere/' must lie below the source"),
        ({"archive": "/etc/passwd"}, "'/etc/passwd' must lie below the source"),
        ({"id": "spacenet7"}, "its id is 'spacenet7'"),
        ({"objects": [{"key": "a", "md5": "xyz"}]}, "objects.0.md5: "),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        load_entry("spacenet6-train", broken(tmp_path, **changes))


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "\0", "id: x\nid: x", "title: on", "a: " + "[" * 5000])
def test_what_is_no_entry_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ParameterError, match="catalogue entry x: "):
        load_entry("x", tmp_path)


def test_the_committed_parameters_are_accepted_in_every_profile(tmp_path: Path, repository: Path) -> None:
    document = yaml.safe_load((repository / "params.yaml").read_text())
    for profile in document["profiles"]:
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump({**document, "profile": profile}))
        assert load_parameters("download", DownloadParameters, path).workers >= 1
        assert load_acquisitions(KNOWN, path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            ["rehersal-airborne"],
            "unknown acquisition 'rehersal-airborne'; the nearest valid one is 'rehearsal-a",
        ),
        (["spacenet6-train", "spacenet6-train"], "'spacenet6-train' is listed twice"),
        ([], "a list of catalogue ids is needed"),
        ("spacenet6-train", "a list of catalogue ids is needed"),
        ([1], "a list of catalogue ids is needed"),
        ({"a": 1}, "a list of catalogue ids is needed"),
    ],
)
def test_acquisitions_are_checked(tmp_path: Path, value: object, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"profile": "p", "profiles": {"p": {}}, "acquisitions": value}))
    with pytest.raises(ParameterError, match=message):
        load_acquisitions(KNOWN, path)


def test_an_empty_catalogue_has_no_nearest() -> None:
    with pytest.raises(ParameterError) as caught:
        check_acquisitions(["x"], [], where="acquisitions")
    assert caught.value.message == "acquisitions: unknown acquisition 'x'"


SAR = f"SN6_Train_AOI_11_Rotterdam_SAR-Intensity_{STRIPS[0]}_tile_7.tif"


@pytest.mark.parametrize(
    ("path", "product", "tile"),
    [
        (f"{PREFIX}SAR-Intensity/{SAR}", "SAR-Intensity", 7),
        (SAR, "SAR-Intensity", 7),
        (f"{PREFIX}SummaryData/SAR_orientations.txt", "Summary", -1),
    ],
)
def test_files_are_known_by_their_names(path: str, product: str, tile: int) -> None:
    found = classify(path, SPACENET6)
    assert found is not None
    assert (found.product, found.tile, found.name) == (product, tile, path.rsplit("/", 1)[-1])


@pytest.mark.parametrize(
    "path",
    [
        f"{PREFIX}SAR-Intensity/",
        f"{PREFIX}SAR-Intensity/.{SAR}",
        f"{PREFIX}SAR-Intensity/{SAR}.aux.xml",
        f"{PREFIX}SummaryData/..",
        f"{PREFIX}SummaryData/bad\nname.txt",
        f"{PREFIX}README.txt",
        "",
    ],
)
def test_anything_else_is_left_alone(path: str) -> None:
    assert classify(path, SPACENET6) is None


def test_only_the_entry_s_prefix_and_products_are_wanted() -> None:
    one = entry("file:///x", products=["SAR-Intensity"])
    assert wanted(one, f"{PREFIX}SAR-Intensity/{SAR}") is not None
    assert wanted(one, f"test_public/AOI_11_Rotterdam/SAR-Intensity/{SAR}") is None
    assert wanted(one, f"{PREFIX}SummaryData/SAR_orientations.txt") is None


def test_real_tile_names_of_the_sample_are_known(real_data: Path) -> None:
    found = [classify(path.name, SPACENET6) for path in (real_data / "spacenet6" / "tile").iterdir()]
    assert [one.product for one in found if one is not None] == ["PS-RGB"]


def test_entries_are_immutable() -> None:
    one = load_entry("spacenet6-train")
    assert isinstance(one, CatalogueEntry)
    with pytest.raises(ValueError, match="frozen"):
        one.id = "other"  # type: ignore[misc]
