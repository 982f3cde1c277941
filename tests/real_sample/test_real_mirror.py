"""Download, validate and prepare on real Rotterdam files, from a mirror in the release's layout.

The crop pair is a real SAR-MAG-POL sample (dB, 4.5 m grid) with its RGB; the 900-pixel PS-RGB tile is from
the challenge edition and has no SAR here, so that a real tile with a missing pair is met as well.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml

from components.contract.errors import BadDataError
from components.download.__main__ import main as download
from components.lib.datasets.base import Sensor
from components.lib.datasets.sensors import DATASETS
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.raster import encode_geotiff, read_geotiff
from components.lib.store.store import Store
from components.prepare.parameters import PrepareParameters
from components.prepare.pipeline import Folders as PrepareFolders
from components.prepare.store import prepare
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate
from tests.conftest import ROOT

SAMPLE = Sensor(
    name="capella-mag-pol-sample",
    bands=("HH", "HV", "VH", "VV"),
    quad_pol_source=(0, 1, 2, 3),
    gsd_m=4.499704846525551,
    valid_range=(-40.0, 40.0),
    scale_limits=(-30.0, 10.0),
    crs="EPSG:32631",
    incidence_deg=35.0,
    looks=4.0,
    simulated=False,
    paired_optical=True,
)
"""The expanded edition in decibels, as the sample files hold it: units and limits of its own."""

OPTICAL_TILE = "SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"
STRIP = SPACENET6.parse(OPTICAL_TILE).strip
PAIR = f"{STRIP}_tile_1"

pytestmark = pytest.mark.real_data


@pytest.fixture
def mirror(real_data: Path, tmp_path: Path) -> Path:
    """A folder in the release's layout, and a catalogue that names it."""
    release = tmp_path / "mirror" / "train" / "AOI_11_Rotterdam"
    crops = real_data / "spacenet6" / "crops"
    sar = read_geotiff((crops / "sar_masked.tif").read_bytes(), "sar_masked.tif")
    # The sample marks no-data with NaN, the release with 0.
    values = np.where(np.isfinite(sar.array).all(axis=0), sar.array, 0).astype(np.float32)
    optical = (real_data / "spacenet6" / "tile" / OPTICAL_TILE).read_bytes()
    orientations = (real_data / "spacenet6" / "catalogue" / "SAR_orientations.txt").read_bytes()
    radar = encode_geotiff(values, transform=sar.transform, crs=SAMPLE.crs, nodata=0)
    contents = {
        SPACENET6.file_name("SAR-Intensity", STRIP, 1): radar,
        SPACENET6.file_name("PS-RGB", STRIP, 1): (crops / "rgb_unmasked.tif").read_bytes(),
        SPACENET6.file_name("Buildings", STRIP, 1): b"",
        OPTICAL_TILE: optical,
    }
    for name, content in contents.items():
        folder = release / SPACENET6.folder(SPACENET6.parse(name).product)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (release / "SummaryData").mkdir()
    (release / "SummaryData" / "SAR_orientations.txt").write_bytes(orientations)
    entry = {
        "id": "real-sample",
        "title": "Real Rotterdam samples",
        "sensor": SAMPLE.name,
        "source": f"file://{tmp_path / 'mirror'}",
        "simulated": False,
        "licence": {"name": "CC BY-SA 4.0", "credit": "SpaceNet"},
        "prefix": "train/AOI_11_Rotterdam/",
        "products": ["SAR-Intensity", "PS-RGB", "Buildings", "Summary"],
    }
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "real-sample.yaml").write_text(yaml.safe_dump(entry))
    return tmp_path


def section(name: str) -> dict[str, object]:
    """The repository's own parameters: what users run with."""
    read: dict[str, object] = yaml.safe_load((ROOT / "params.yaml").read_text())[name]
    return read


def test_real_files_travel_from_a_mirror_to_the_store(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "sample", replace(SPACENET6, name="sample", sensors=(SAMPLE,)))
    monkeypatch.chdir(mirror)
    command = ["download", "--acquisition", "real-sample", "--catalogue", "catalogue"]
    monkeypatch.setattr(sys, "argv", [*command, "--params", str(ROOT / "params.yaml")])
    assert download() == 0
    manifest = pd.read_parquet("data/raw/p00/manifest.parquet")
    assert len(manifest) == 5

    # dB lie outside the sanity bounds of the release's units; those are of no interest here.
    lenient = {**section("validate"), "mean_range": [-1.0, 1.0]}
    with pytest.raises(BadDataError, match="quarantine"):
        validate(Folders(), ValidateParameters.model_validate(lenient), ["p00"])
    verdict = json.loads(Path("reports/validate/verdict.json").read_text())
    assert (verdict["verdict"], verdict["tiles"], verdict["quarantined"]) == ("bad", 2, 1)
    quarantine = pd.read_csv("data/validated/quarantine.csv")
    assert set(quarantine["image_id"]) == {SPACENET6.parse(OPTICAL_TILE).image_id}

    summary = prepare(
        PrepareFolders(), PrepareParameters.model_validate(section("prepare")), ["p00"], processes=1
    )
    store = Store.open(Path("data/prepared"))
    assert summary["simulated"] is False
    assert store.index["image_id"].tolist() == [PAIR]
    assert store.layer(SAMPLE.name, "sar").shape == (1, 1800, 1800, 4)
    nodata = float(np.isnan(read_sar(mirror)).mean())
    assert store.index["nodata_share"].iloc[0] == pytest.approx(nodata, abs=0.01)


def read_sar(mirror: Path) -> npt.NDArray[np.float64]:
    """The mirrored SAR with its no-data as NaN, one band."""
    path = next((mirror / "mirror").rglob("*SAR-Intensity*.tif"))
    values = read_geotiff(path.read_bytes(), path.name).array[0]
    return np.where(values == 0, np.nan, values).astype(np.float64)
