"""The stage on a healthy release, on sets that are bad as a whole, and as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.datasets.sensors import get_sensor
from components.validate.stage import Folders, validate
from components.validate.verdict import QUARANTINE_COLUMNS
from tests.validate.conftest import (
    PARAMETERS,
    SIDE_PX,
    STRIPS,
    Listed,
    Release,
    Result,
    Runner,
    grid,
    healthy_release,
    name_of,
    read_result,
    sar_pixels,
    tif,
    write_release,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Result:
    root = tmp_path_factory.mktemp("healthy")
    folders = Folders(root / "raw", root / "features", root / "validated", root / "reports")
    write_release(folders.raw / "p00", healthy_release())
    validate(folders, PARAMETERS, ["p00"])
    return read_result(folders)


def test_a_healthy_release_passes_with_features_docs_and_verdict(healthy: Result) -> None:
    result = healthy
    assert result.verdict == {
        "verdict": "good",
        "tiles": 8,
        "quarantined": 0,
        "share": 0.0,
        "max_share": 0.5,
        "simulated": True,
        "rules": {},
        "failures": [],
        "sensors": {
            "simulated-airborne": {
                "simulated": True,
                "tiles": 8,
                "strips": 2,
                "quarantined": 0,
                "share": 0.0,
                "label_count": 16,
                "label_repaired": 0,
                "label_empty": 0,
                "summary_dropped": 0,
                "label_missing": 0,
                "label_zero_bytes": 0,
            }
        },
    }
    assert list(result.quarantine.columns) == QUARANTINE_COLUMNS
    assert result.quarantine.empty
    assert len(result.features) == 8
    assert not result.features.duplicated(["acquisition", "image_id"]).any()
    docs = result.folders.reports / "docs"
    assert "simulated-airborne-tiles" in (docs / "index.html").read_text()
    pages = [page.read_text() for page in docs.glob("validations/**/*.html")]
    assert len(pages) == 2
    assert any("sar_nodata_share" in page for page in pages)


def test_features_are_the_facts_of_the_files(healthy: Result) -> None:
    row = healthy.row(2, STRIPS[1])
    pixels = sar_pixels(2)
    valid = pixels[:, :, 6:].astype(float)
    assert row["orientation"] == 1
    assert (row["sar_dtype"], row["sar_bands"], row["sar_crs"]) == ("float32", 4, "EPSG:32631")
    assert (row["sar_height"], row["sar_width"]) == (SIDE_PX, SIDE_PX)
    assert row["sar_x_left_m"] == grid(2).c
    assert row["sar_resolution_x_m"] == pytest.approx(get_sensor("simulated-airborne").gsd_m)
    assert row["sar_nodata_share"] == pytest.approx(6 / SIDE_PX)
    assert row["sar_nan_count"] == 0
    for band, name in enumerate(("HH", "HV", "VH", "VV")):
        assert row[f"sar_mean_{name}"] == pytest.approx(valid[band].mean())
        assert row[f"sar_std_{name}"] == pytest.approx(valid[band].std())
        assert row[f"sar_min_{name}"] == pytest.approx(valid[band].min())
        assert row[f"sar_max_{name}"] == pytest.approx(valid[band].max())
    assert row["optical_dtype"] == "uint8"
    assert row["pair_offset_px"] == 0
    assert row["label_count"] == 2


def test_running_again_gives_the_same_tables(healthy: Result) -> None:
    validate(healthy.folders, PARAMETERS, ["p00"])
    again = read_result(healthy.folders)
    pd.testing.assert_frame_equal(healthy.features, again.features)
    assert healthy.verdict == again.verdict


def test_a_target_sensor_needs_neither_optical_nor_labels(release: Release, run_validate: Runner) -> None:
    sensor = get_sensor("simulated-spaceborne")
    target = Release(sensor=sensor.name, acquisition="target")
    for tile in range(3):
        transform = grid(tile, sensor.gsd_m)
        target.put("SAR-Intensity", tile, tif(sar_pixels(tile, bands=2), transform))
    target.files["SAR_orientations.txt"] = Listed("Summary", "", -1, f"{STRIPS[0]} 1\n".encode())
    result = run_validate(release, target)
    assert result.verdict["verdict"] == "good"
    assert result.verdict["sensors"]["simulated-spaceborne"]["label_missing"] == 3
    assert result.verdict["tiles"] == 11


def bad_verdict(folders: Folders, *releases: Release) -> dict[str, str]:
    """Reasons by rule of a set that must be bad."""
    write_release(folders.raw / "p00", *releases)
    with pytest.raises(BadDataError) as caught:
        validate(folders, PARAMETERS, ["p00"])
    assert caught.value.exit_code == 65
    result = read_result(folders)
    assert result.verdict["verdict"] == "bad"
    assert (folders.reports / "docs" / "index.html").is_file()
    return {failure["rule"]: failure["reason"] for failure in result.verdict["failures"]}


def test_too_many_quarantined_tiles_make_the_set_bad(release: Release, folders: Folders) -> None:
    for tile in (1, 2, 3):
        release.drop("PS-RGB", tile)
        release.drop("PS-RGB", tile, STRIPS[1])
    reasons = bad_verdict(folders, release)
    assert reasons["quarantine_share"] == "share of quarantined tiles is 0.750, allowed is at most 0.5"
    assert len(read_result(folders).quarantine) == 6
    with pytest.raises(BadDataError) as caught:
        validate(folders, PARAMETERS, ["p00"])
    rule, reason = read_result(folders).quarantine.iloc[0][["rule", "reason"]]
    assert f"quarantined tiles by rule: {rule} 6, such as " in caught.value.message, (
        "a pod keeps nothing else"
    )
    assert reason in caught.value.message


def test_a_small_broken_acquisition_cannot_hide_behind_a_large_one(
    release: Release, folders: Folders
) -> None:
    small = Release(acquisition="small")
    small.add_tile(1)
    small.drop("PS-RGB", 1)
    small.files["SAR_orientations.txt"] = release.files["SAR_orientations.txt"]
    assert "quarantine_share" in bad_verdict(folders, release, small)
    shares = [
        f["subject"] for f in read_result(folders).verdict["failures"] if f["rule"] == "quarantine_share"
    ]
    assert shares == ["small"]


def test_a_radar_scaled_otherwise_makes_the_set_bad(release: Release, folders: Folders) -> None:
    """Linear amplitudes instead of the product's logarithmic units: every value in range, the mean is not."""
    for strip in STRIPS:
        for tile in range(1, 5):
            release.put("SAR-Intensity", tile, tif(sar_pixels(tile) / 10, grid(tile)), strip)
    reason = bad_verdict(folders, release)["mean"]
    assert "allowed is 10 to 80" in reason


def test_a_strip_far_from_the_others_makes_the_set_bad(release: Release, folders: Folders) -> None:
    strip = "20190822070610_20190822070846"
    third = "20190822080610_20190822080846"
    for tile in range(1, 5):
        for name, gain in ((strip, 2.2), (third, 1.0)):
            release.add_tile(tile, name)
            release.put("SAR-Intensity", tile, tif((sar_pixels(tile) * gain).clip(0, 99), grid(tile)), name)
    release.files["SAR_orientations.txt"].content += f"{strip} 0\n{third} 0\n".encode()
    strict = PARAMETERS.model_copy(update={"min_strip_coverage": 1.0})
    write_release(folders.raw / "p00", release)
    with pytest.raises(BadDataError, match=strip):
        validate(folders, strict, ["p00"])
    failures = read_result(folders).verdict["failures"]
    assert [failure["rule"] for failure in failures] == ["strip_drift"]


def test_a_training_sensor_without_any_label_makes_the_set_bad(release: Release, folders: Folders) -> None:
    for strip in STRIPS:
        for tile in range(1, 5):
            release.drop("Buildings", tile, strip)
    assert set(bad_verdict(folders, release)) == {"labels"}


def test_an_acquisition_without_tiles_makes_the_set_bad(folders: Folders) -> None:
    empty = Release()
    empty.files["SAR_orientations.txt"] = Listed("Summary", "", -1, b"")
    assert bad_verdict(folders, empty)["tiles"] == "number of tiles is 0, allowed is at least 1"


def test_a_manifest_without_rows_makes_the_set_bad(folders: Folders) -> None:
    assert set(bad_verdict(folders, Release())) == {"tiles"}


def test_a_missing_orientation_file_makes_the_set_bad(release: Release, folders: Folders) -> None:
    del release.files["SAR_orientations.txt"]
    reasons = bad_verdict(folders, release)
    assert reasons["summary_file"] == "SAR_orientations.txt is not in the manifest"


def test_a_missing_manifest_names_the_stage_that_makes_it(folders: Folders) -> None:
    with pytest.raises(MissingInputError, match="dvc repro download"):
        validate(folders, PARAMETERS, ["p00"])


def test_a_missing_shard_is_reported(release: Release, folders: Folders) -> None:
    write_release(folders.raw / "p00", release)
    (folders.raw / "p00/tiny" / "shard-000.tar").unlink()
    with pytest.raises(MissingInputError, match=r"shard-000\.tar"):
        validate(folders, PARAMETERS, ["p00"])
    assert not folders.reports.exists()


def test_an_unknown_sensor_is_reported_with_the_nearest_known(release: Release, folders: Folders) -> None:
    release.sensor = "simulated-airborn"
    write_release(folders.raw / "p00", release)
    with pytest.raises(ParameterError, match="simulated-airborne"):
        validate(folders, PARAMETERS, ["p00"])


def test_the_command_exits_with_65_and_leaves_the_verdict(release: Release, tmp_path: Path) -> None:
    for tile in (1, 2):
        release.put("SAR-Intensity", tile, b"II*\x00")
    write_release(tmp_path / "raw/p00", release)
    command = [sys.executable, "-m", "components.validate"]
    for option in ("raw", "features", "validated", "reports"):
        command += [f"--{option}", str(tmp_path / option)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 65, done.stderr
    assert "Traceback" not in done.stderr
    assert "share of quarantined tiles is 0.250, allowed is at most 0.05" in done.stderr
    assert "next step: correct what is named" in done.stderr
    assert done.stdout == ""
    verdict = json.loads((tmp_path / "reports" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["quarantined"], verdict["rules"]) == ("bad", 2, {"sar_readable": 2})
    headline = json.loads((tmp_path / "reports" / "metrics.json").read_text())
    assert headline == {"tiles": verdict["tiles"], "quarantined": 2, "rules": {"sar_readable": 2}}
    assert name_of("SAR-Intensity", 1) in (tmp_path / "validated" / "quarantine.csv").read_text()


def test_importing_the_stage_does_not_import_great_expectations() -> None:
    code = "import sys, components.validate.stage; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
