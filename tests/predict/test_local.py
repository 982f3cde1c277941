"""Maps of the scenes that a user names: into a folder and a bucket, by one process and by two."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pystac
import pytest
import torch

from components.contract.errors import MissingInputError, ParameterError
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.objects.opening import open_objects
from components.lib.tasks.names import TaskName
from components.predict import local
from components.predict.__main__ import main
from components.predict.workers import map_side_by_side
from components.simulation.release import ReleaseFile
from tests.object_stores import bucket, s3_environment, s3_url
from tests.predict.scenes.simulated import write_folder
from tests.simulation.conftest import airborne

__all__ = ["airborne", "bucket", "s3_environment", "s3_url"]

MODEL = "models/sar/concord"
PARAMETERS = """\
profile: trial
map: {window_px: 64, overlap_px: 16, block_px: 128, device: cpu, threads: 1}
scoring: {min_area_px: 4}
profiles: {trial: {}}
"""


def write_model(folder: Path, task: TaskName = "buildings") -> None:
    """Write a network of random weights."""
    torch.manual_seed(5)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=("simulated-airborne",),
        task=task,
    )
    save_bundle(folder, build_network(config), {})


@pytest.fixture
def scene(airborne: list[ReleaseFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folder of one simulated strip, in a working folder with parameters and a model."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMETERS)
    write_model(Path(MODEL))
    radar = min(file.path for file in airborne if "SAR-Intensity" in file.path)
    strip = radar.rpartition("SAR-Intensity_")[2][:29]
    kept = [file for file in airborne if strip in file.path or "SummaryData" in file.path]
    return str(write_folder(kept, tmp_path / "strip"))


def mapped(scene: str, out: str, *options: str, model: str = MODEL) -> None:
    assert main([scene, "--sensor", "simulated-airborne", "--model", model, "--out", out, *options]) == 0


def content(out: Path) -> dict[str, str]:
    """SHA-256 of rasters and footprints by name, of the only map."""
    files = [*out.rglob("*.tif"), *out.rglob("*.parquet")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_map_in_a_folder_is_a_stac_catalogue_and_is_made_once(
    scene: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    mapped(scene, "out")
    first = capsys.readouterr().out
    told = [record.getMessage().split()[0] for record in caplog.records if "components" in record.name]
    assert list(dict.fromkeys(told)) == ["load", "check", "map", "merge", "write"], "every phase is told"
    (item,) = pystac.Catalog.from_file("out/catalog.json").get_items(recursive=True)
    assert item.properties["stormsight:simulated"] is True
    assert "SIMULATED" in first
    assert "not promoted" in first
    page = Path(first.strip().splitlines()[-1].strip())
    assert page.name == "index.html"
    assert page.is_file()
    assert (page.parent / "../item.json").is_file()
    assert not list(Path("out/.work").rglob("0*"))
    before = content(Path("out"))
    mapped(scene, "out")
    assert "was there already" in capsys.readouterr().out
    assert content(Path("out")) == before


def seen_earlier(scene: str) -> str:
    """Copy a strip as if it had been seen a year earlier, for which the year stands in its names."""
    copy = shutil.copytree(Path(scene).parent, Path(scene).parents[1] / "earlier")
    for path in sorted(copy.rglob("*"), reverse=True):
        if path.suffix == ".txt" or path.suffix == ".csv":
            path.write_text(path.read_text().replace("_2019", "_2018").replace("2019", "2018"))
        path.rename(path.with_name(path.name.replace("_2019", "_2018")))
    return str(copy / Path(scene).name)


def test_a_map_is_compared_with_the_last_earlier_one_of_its_folder(
    scene: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mapped(seen_earlier(scene), "out")
    assert "changes" not in capsys.readouterr().out, "nothing is earlier"
    mapped(scene, "out", "--no-changes")
    assert "changes" not in capsys.readouterr().out
    mapped(scene, "out")
    *_, words, page = capsys.readouterr().out.splitlines()
    assert re.search(r"changes since \d+ \w+ 2018 \(.*\): SIMULATED, 0 added, 0 removed, 0 enlarged$", words)
    assert Path(page.strip()).is_file()
    earlier = next(path for path in Path("out/items").glob("*/item.json") if "2018" in path.read_text())
    shutil.rmtree(Path(page.strip()).parents[1])
    next(earlier.parent.glob("*/footprints.parquet")).unlink()
    with pytest.raises(MissingInputError, match="is there, but its changes could not be made"):
        mapped(scene, "out")


def test_a_model_of_roads_makes_a_map_of_roads_that_is_compared_with_none(
    scene: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_model(Path("models/sar/roads"), "roads")
    caplog.set_level("INFO")
    mapped(scene, "out", model="models/sar/roads")
    told = capsys.readouterr().out
    assert re.search(
        r"SIMULATED, [\d.]+ km2, \d+\.\d\d km of roads in \d+ sections, .* s; models/sar/roads", told
    )
    page = Path(told.strip().splitlines()[-1].strip())
    assert {"roads.parquet", "roads.graphml", "roads.pmtiles"} <= {
        path.name for path in page.parent.iterdir()
    }
    assert not (page.parents[1] / "changes").exists()
    assert "maps of roads are not compared with earlier ones" in caplog.text
    (item,) = pystac.Catalog.from_file("out/catalog.json").get_items(recursive=True)
    assert item.properties["stormsight:task"] == "roads"
    before = content(Path("out"))
    mapped(scene, "out", model="models/sar/roads")
    assert "was there already" in capsys.readouterr().out
    assert content(Path("out")) == before
    with pytest.raises(ParameterError, match=r"--outlines has no effect: models/sar/roads.* maps roads"):
        main([scene, "--out", "out", "--model", "models/sar/roads", "--outlines", "regular"])
    assert content(Path("out")) == before
    mapped(scene, "out")
    assert "buildings" in capsys.readouterr().out, "a map of the same acquisition beside it"
    with pytest.raises(ParameterError, match=f"map '{page.parents[1].name}' is one of roads"):
        main(["changes", str(page.parents[1]), str(page.parents[1]), "--out", "changes"])
    assert not Path("changes").exists()


def test_a_map_that_another_command_publishes_meanwhile_is_there(
    scene: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(*given: Any) -> None:
        patch.setattr(local, "map_side_by_side", map_side_by_side)
        map_side_by_side(*given)
        mapped(scene, "out")  # publishes the map, and removes the blocks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "map_side_by_side", other)
        mapped(scene, "out")
    assert capsys.readouterr().out.count("buildings") == 2
    assert not list(Path("out/.work").rglob("0*"))


def test_two_processes_and_a_bucket_give_the_same_files(scene: str, bucket: str) -> None:
    mapped(scene, "out")
    mapped(scene, "side", "--workers", "2")
    assert content(Path("side")) == content(Path("out"))
    mapped(scene, f"s3://{bucket}/maps")
    store = open_objects(f"s3://{bucket}/maps")
    (key,) = [info.key for info in store.list("items/") if info.key.endswith("item.json")]
    assets = json.loads(store.get(key))["assets"]
    hashes = {
        Path(asset["href"]).name: asset["file:checksum"].removeprefix("1220") for asset in assets.values()
    }
    assert content(Path("out")).items() <= hashes.items()
    assert store.exists("catalog.json")


def test_a_fallback_maps_where_there_is_no_champion(scene: str) -> None:
    Path("params.yaml").write_text(
        PARAMETERS + "tracking: {uri: 'sqlite:///absent.db', artifacts: absent, experiment: trial}\n"
        "promote: {ledger: var/objects/ledger/champions}\n"
    )
    champion = "models:/stormsight-sar@champion"
    with pytest.raises(MissingInputError, match="no champion yet"):
        mapped(scene, "out", model=champion)
    mapped(scene, "out", "--fallback", MODEL, model=champion)
    assert content(Path("out"))


def test_a_sensor_that_the_model_does_not_know_is_refused(scene: str) -> None:
    with pytest.raises(ParameterError, match="capella-airborne"):
        main([scene, "--sensor", "capella-airborne", "--model", MODEL, "--out", "out"])
    assert not Path("out").exists() or not list(Path("out").rglob("*.tif"))
