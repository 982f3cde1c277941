"""Real files: the official optical tile, a dB crop and wild labels (skipped where they are absent)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.raster import encode_geotiff, read_geotiff
from components.validate.features import header_features, pixel_features
from components.validate.labels import count_labels, read_labels
from tests.validate.conftest import Listed, Release, Runner, geojson, square

SHARED = Path(__file__).parents[3] / "shared" / "data"
TILE = "SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif"

pytestmark = pytest.mark.real_data


def real(path: str) -> bytes:
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"{file} is absent")
    return file.read_bytes()


def test_the_real_optical_tile_passes_beside_a_radar_on_its_grid(run_validate: Runner) -> None:
    """No SAR-Intensity tile is at hand, so its partner is noise on the real tile's grid and no-data mask."""
    content = real(f"spacenet6/tile/{TILE}")
    optical = read_geotiff(content, TILE)
    noise = np.random.default_rng(4).normal(40, 8, (4, 900, 900)).clip(1, 92).astype(np.float32)
    radar = encode_geotiff(
        noise * (optical.array != 0).any(axis=0), transform=optical.transform, crs=optical.crs, nodata=0
    )
    name = SPACENET6.parse(TILE)
    release = Release(sensor="capella-airborne", acquisition="real")
    release.put("PS-RGB", name.tile, content, name.strip)
    release.put("SAR-Intensity", name.tile, radar, name.strip)
    x, y = optical.transform.c + 200, optical.transform.f - 200
    release.put("Buildings", name.tile, geojson(square(x, y)), name.strip)
    flags = real("spacenet6/catalogue/SAR_orientations.txt")
    release.files["SAR_orientations.txt"] = Listed("Summary", "", -1, flags)
    result = run_validate(release)
    assert result.quarantine.empty
    assert result.verdict["simulated"] is False
    row = result.row(name.tile, name.strip)
    assert row["optical_nodata_share"] == pytest.approx(0.37, abs=0.01)
    assert row["pair_offset_px"] == 0
    assert row["orientation"] in (0, 1)


def test_the_decibels_of_the_expanded_edition_are_out_of_range() -> None:
    raster = read_geotiff(real("spacenet6/crops/sar_masked.tif"), "sar_masked.tif")
    columns = header_features(raster.profile) | pixel_features(raster, ("HH", "HV", "VH", "VV"))
    assert columns["dtype"] == "float32"
    assert columns["min"] < 0
    # docs/methods/spacenet6.md: mean dB of this very crop.
    means = [columns[f"mean_{band}"] for band in ("HH", "HV", "VH", "VV")]
    assert means == pytest.approx([-11.1, -13.9, -13.3, -10.4], abs=0.15)


def test_a_zero_byte_label_file_from_the_wild_holds_no_building() -> None:
    labels = read_labels(real("spacenet4_atlanta/empty.geojson"), "empty.geojson", crs="EPSG:32616")
    counts = count_labels(labels, bounds=None)
    assert (counts.count, counts.unrepairable, counts.empty) == (0, 0, 0)


def test_the_real_labels_lie_on_their_tile() -> None:
    tile = read_geotiff(real("spacenet4_atlanta/sample_geotiff.tif"), "sample_geotiff.tif")
    left, top = tile.transform.c, tile.transform.f
    name = "geotiff_labels.geojson"
    labels = read_labels(real(f"spacenet4_atlanta/{name}"), name, crs="EPSG:32616")
    counts = count_labels(labels, bounds=(left, top - 450, left + 450, top))
    assert (counts.count, counts.outside, counts.unrepairable, counts.empty) == (43, 0, 0, 0)
