"""Every kind of bad tile, all in one release and one run: each is quarantined by the right rule with a reason
in words, what the wild is allowed to hold is only recorded, and healthy neighbours stay untouched."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio.transform import Affine

from components.validate.stage import Folders, validate
from tests.hostile import NAN_TRANSFORMS, ODD_TRANSFORMS, odd_labels, tiff
from tests.pages import foreign_resources, links
from tests.validate.conftest import (
    GSD_M,
    PARAMETERS,
    SIDE_PX,
    STRIPS,
    Listed,
    Release,
    Result,
    geojson,
    grid,
    healthy_release,
    name_of,
    optical_pixels,
    read_result,
    sar_pixels,
    square,
    tif,
    write_release,
)

Damage = Callable[[Release, int], None]

FIRST = 100
"""Tile number of the first case; the healthy tiles are 1 to 4."""

UNFLAGGED = "20190823070610_20190823070846"
"""A strip that the orientation file does not list."""


HOSTILE = "<img src=https://localhost:9/ onerror=alert(1)>.tif"


@dataclass(frozen=True)
class Case:
    """A damaged tile: the rules it must break, each with words of its reason, and facts it must show."""

    name: str
    damage: Damage
    broken: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def sar_bytes(content: bytes) -> Damage:
    return lambda release, tile: release.put("SAR-Intensity", tile, content)


def sar(
    edit: Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]] = lambda pixels: pixels,
    crs: str | None = "EPSG:32631",
    gsd_m: float = GSD_M,
) -> Damage:
    def damage(release: Release, tile: int) -> None:
        release.put("SAR-Intensity", tile, tif(edit(sar_pixels(tile)), grid(tile, gsd_m), crs))

    return damage


def optical(pixels: npt.NDArray[Any], shift_px: float = 0.0) -> Damage:
    return lambda release, tile: release.put("PS-RGB", tile, tif(pixels, grid(tile, shift_px=shift_px)))


def labels(content: bytes) -> Damage:
    return lambda release, tile: release.put("Buildings", tile, content)


def buildings(make: Callable[[float, float], list[Any]]) -> Damage:
    """Labels from geometries drawn at a place well inside the tile."""
    return lambda release, tile: release.put(
        "Buildings", tile, geojson(*make(grid(tile).c + 5, grid(tile).f - 5))
    )


def drop(product: str) -> Damage:
    return lambda release, tile: release.drop(product, tile)


def other_checksum(product: str) -> Damage:
    def damage(release: Release, tile: int) -> None:
        release.files[name_of(product, tile)].sha256 = "0" * 64

    return damage


def truncated(share: float) -> Damage:
    content = tif(sar_pixels(), grid(0))
    return sar_bytes(content[: int(len(content) * share)])


def with_value(value: float, band: int = 1) -> Damage:
    def edit(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        pixels[band, 20, 20:23] = value
        return pixels

    return sar(edit)


def with_dead_band(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    pixels[3, :, 6:] = 40
    return pixels


def south_up(release: Release, tile: int) -> None:
    up = grid(tile)
    flipped = Affine(up.a, 0, up.c, 0, -up.e, up.f + SIDE_PX * up.e)
    release.put("SAR-Intensity", tile, tif(sar_pixels(), flipped))
    release.put("PS-RGB", tile, tif(optical_pixels(), flipped))


def misfiled(release: Release, tile: int) -> None:
    release.files[name_of("PS-RGB", tile)].tile = 7777


def bow_tie(x: float, y: float) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[[x, y], [x + 4, y - 4], [x + 4, y], [x, y - 4], [x, y]]]}


def flat(x: float, y: float) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[[x, y], [x + 1, y], [x + 2, y], [x, y]]]}


def _odd_tiff(pixels: npt.NDArray[Any], tile: int, options: dict[str, Any]) -> bytes:
    """A raster whose header says ``options``; ``hole`` is put where the healthy one is 0."""
    options = dict(options)
    transform = options.pop("transform", lambda good: good)(grid(tile))
    if "hole" in options:
        pixels = np.where(pixels == 0, pixels.dtype.type(options.pop("hole")), pixels)
    return tiff(pixels[::-1] if options.pop("flip", False) else pixels, transform, **options)


def sar_tiff(**options: Any) -> Damage:
    return lambda release, tile: release.put("SAR-Intensity", tile, _odd_tiff(sar_pixels(4), tile, options))


def optical_tiff(**options: Any) -> Damage:
    return lambda release, tile: release.put("PS-RGB", tile, _odd_tiff(optical_pixels(), tile, options))


HH_OF_4 = {"sar_mean_HH": pytest.approx(float(sar_pixels(4)[0, :, 6:].mean()))}
"""Mean of the first band of those pixels: the bands stand in the sensor's order."""

VRT = b"""<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""

CASES = (
    Case("truncated GeoTIFF", truncated(0.5), {"sar_readable": "cannot be decoded"}),
    Case("GeoTIFF of no bytes", truncated(0), {"sar_readable": "is empty"}),
    Case(
        "corrupt GeoTIFF bytes",
        sar_bytes(b"II*\x00" + np.random.default_rng(1).bytes(5000)),
        {"sar_readable": "SAR-Intensity_"},
    ),
    Case("VRT dressed up as .tif", sar_bytes(VRT), {"sar_readable": "is not a TIFF"}),
    Case(
        "/vsi path as content", sar_bytes(b"/vsicurl/http://localhost:9/a"), {"sar_readable": "is not a TIFF"}
    ),
    Case("wrong CRS", sar(crs="EPSG:32632"), {"sar_crs": "CRS is EPSG:32632, allowed is EPSG:32631"}),
    Case("no CRS", sar(crs=None), {"sar_crs": "CRS is none"}),
    Case("wrong band count", sar(lambda p: p[:3]), {"sar_bands": "number of bands is 3, allowed is 4"}),
    Case(
        "wrong dtype",
        sar(lambda p: p.astype(np.uint16)),
        {"sar_dtype": "pixel type is uint16, allowed is float32"},
    ),
    Case(
        "all no-data",
        sar(np.zeros_like),
        {"sar_nodata": "share of no-data pixels is 1, allowed is 0 to 0.95"},
    ),
    Case("NaN", with_value(np.nan), {"sar_nan": "NaN or infinite values is 3, allowed is 0"}),
    Case("infinity", with_value(np.inf), {"sar_nan": "NaN or infinite values is 3, allowed is 0"}),
    Case(
        "decibels", with_value(-11.25), {"sar_range": "smallest valid value is -11.25, allowed is at least 0"}
    ),
    Case(
        "too bright", with_value(100.5), {"sar_range": "largest valid value is 100.5, allowed is at most 100"}
    ),
    Case("dead band", sar(with_dead_band), {"sar_alive": "smallest standard deviation of a band is 0"}),
    Case(
        "wrong pixel size",
        sar(gsd_m=GSD_M * 1.1),
        {"sar_resolution": "relative difference", "pair_grid": "offset between", "label_place": "is 1"},
    ),
    Case(
        "wrong shape",
        sar(lambda p: p[:, :30]),
        {"sar_shape": f"rows is 30, allowed is {SIDE_PX}", "pair_shape": "is False, allowed is True"},
    ),
    Case("south-up grid", south_up, {"sar_north_up": "is False", "optical_north_up": "is False"}),
    Case("SAR checksum", other_checksum("SAR-Intensity"), {"sar_checksum": "checksum"}),
    Case("no SAR", drop("SAR-Intensity"), {"sar_present": "SAR file present is False"}),
    Case("no optical pair", drop("PS-RGB"), {"pair_present": "PS-RGB: pair_present"}),
    Case("pair off by 0.3 px", optical(optical_pixels(), 0.3), {}, {"pair_offset_px": pytest.approx(0.3)}),
    Case("pair off by 0.7 px", optical(optical_pixels(), 0.7), {"pair_grid": "is 0.7, allowed is 0 to 0.5"}),
    Case("optical dtype", optical(optical_pixels().astype(np.uint16)), {"optical_dtype": "uint16"}),
    Case("optical bands", optical(optical_pixels()[:1]), {"optical_bands": "is 1, allowed is 3"}),
    Case("black optical", optical(np.zeros_like(optical_pixels())), {"optical_nodata": "is 1"}),
    Case("optical checksum", other_checksum("PS-RGB"), {"optical_checksum": "checksum"}),
    Case("optical listed as another tile", misfiled, {"pair_present": "is False"}),
    Case("0-byte GeoJSON", labels(b""), {}, {"label_zero_bytes": True, "label_count": 0}),
    Case("no GeoJSON", drop("Buildings"), {}, {"label_present": False}),
    Case(
        "self-intersecting polygon",
        buildings(lambda x, y: [square(x + 6, y), bow_tie(x, y)]),
        {},
        {"label_repaired": 1, "label_unrepairable": 0, "label_count": 3},  # a bow-tie is two lobes
    ),
    Case(
        "empty polygons",
        buildings(lambda x, y: [{"type": "Polygon", "coordinates": []}, None, square(x, y)]),
        {},
        {"label_empty": 2, "label_count": 1},
    ),
    Case(
        "polygon beyond repair",
        buildings(lambda x, y: [flat(x, y), square(x, y)]),
        {"label_repairable": "polygons beyond repair is 1, allowed is 0"},
    ),
    Case("broken JSON", labels(b"{"), {"label_readable": "is not JSON"}),
    Case("JSON bomb", labels(b"[" * 100_000), {"label_readable": "is not JSON"}),
    Case("not a feature collection", labels(b'{"features": 3}'), {"label_readable": "feature collection"}),
    Case(
        "labels of another place",
        buildings(lambda x, y: [square(x - 50_000, y)]),
        {"label_place": "share of labels beside the tile is 1"},
    ),
    Case("label checksum", other_checksum("Buildings"), {"label_checksum": "checksum"}),
    Case("NaN origin", sar_tiff(transform=NAN_TRANSFORMS[0]), {"sar_readable": "unusable transform"}),
    Case(
        "NaN origin of optical", optical_tiff(transform=NAN_TRANSFORMS[1]), {"optical_readable": "unusable"}
    ),
    Case("scale of the values", sar_tiff(scale=0.01), {"sar_readable": "declares a scale or an offset"}),
    Case("offset of the values", optical_tiff(offset=5.0), {"optical_readable": "a scale or an offset"}),
    Case("declared no-data", sar_tiff(hole=-9999.0, nodata=-9999.0), {}, {"sar_nodata_share": 0.15}),
    Case("declared NaN", sar_tiff(hole=np.nan, nodata=np.nan), {}, {"sar_nodata_share": 0.15}),
    Case("undeclared NaN", sar_tiff(hole=np.nan), {"sar_nan": "is 960"}),
    Case("undeclared no-data", sar_tiff(hole=-9999.0), {"sar_range": "is -9999"}),
    Case("bands in another order", sar_tiff(descriptions=("VV", "VH", "HV", "HH"), flip=True), {}, HH_OF_4),
    Case(
        "described as other bands",
        sar_tiff(descriptions=("VV", "VV", "HV", "HH")),
        {"sar_readable": "VV, VV"},
    ),
    Case("described in words", sar_tiff(descriptions=("band 1", "B2", "", "dB")), {}, HH_OF_4),
    Case(
        "white optical",
        optical(np.full_like(optical_pixels(), 255)),
        {"optical_alive": "deviation of a band"},
    ),
    Case(
        "grey optical", optical(np.full_like(optical_pixels(), 90)), {"optical_alive": "deviation of a band"}
    ),
)


def odd_files() -> dict[str, tuple[Damage, bool]]:
    """Damage by name, and whether the tile can still be used; of any rule."""
    found: dict[str, tuple[Damage, bool]] = {
        name: (_odd_label(name), good) for name, (_, good) in odd_labels(0.0, 0.0).items()
    }
    for i, change in enumerate(ODD_TRANSFORMS):
        found[f"transform {i} of SAR"] = (sar_tiff(transform=change), False)
        found[f"transform {i} of optical"] = (optical_tiff(transform=change), False)
    return found


def _odd_label(name: str) -> Damage:
    def damage(release: Release, tile: int) -> None:
        release.put("Buildings", tile, odd_labels(grid(tile).c + 8, grid(tile).f - 8)[name][0])

    return damage


ODD = odd_files()
FIRST_ODD = 300


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One run over a release with a tile per case."""
    root = tmp_path_factory.mktemp("mixed")
    folders = Folders(root / "raw", root / "features", root / "validated", root / "reports")
    release = healthy_release()
    for tile, case in enumerate(CASES, start=FIRST):
        release.add_tile(tile)
        case.damage(release, tile)
    for tile, (damage, _) in enumerate(ODD.values(), start=FIRST_ODD):
        release.add_tile(tile)
        damage(release, tile)
    release.files["tile.tif"] = Listed("SAR-Intensity", STRIPS[0], 1, tif(sar_pixels(), grid(1)))
    release.files[HOSTILE] = Listed("SAR-Intensity", STRIPS[0], 1, b"")
    release.add_tile(1, UNFLAGGED)
    write_release(folders.raw / "p00", release)
    lenient = PARAMETERS.model_copy(update={"max_quarantine_share": 1.0, "min_strip_coverage": 0.0})
    validate(folders, lenient, ["p00"])
    return read_result(folders)


@pytest.mark.parametrize(("tile", "case"), list(enumerate(CASES, start=FIRST)), ids=[c.name for c in CASES])
def test_a_damaged_tile_breaks_its_rules_and_no_other(tile: int, case: Case, mixed: Result) -> None:
    rows = mixed.quarantine[mixed.quarantine["image_id"] == f"{STRIPS[0]}_tile_{tile}"]
    reasons = dict(zip(rows["rule"], rows["reason"], strict=True))
    assert set(reasons) == set(case.broken)
    for rule, words in case.broken.items():
        assert f"{STRIPS[0]}_tile_{tile}" in reasons[rule]
        assert words in reasons[rule]
    features = mixed.row(tile)
    for name, value in case.facts.items():
        assert features[name] == value, name


@pytest.mark.parametrize(("tile", "name"), list(enumerate(ODD, start=FIRST_ODD)), ids=ODD)
def test_an_odd_file_is_its_own_tiles_matter(tile: int, name: str, mixed: Result) -> None:
    assert (not mixed.rules(tile)) == ODD[name][1], mixed.rules(tile)


def test_healthy_tiles_beside_them_are_kept(mixed: Result) -> None:
    for strip in STRIPS:
        for tile in range(1, 5):
            assert mixed.rules(tile, strip) == set()


def test_a_strip_without_orientation_flag(mixed: Result) -> None:
    assert mixed.rules(1, UNFLAGGED) == {"orientation_known"}


def test_files_that_belong_to_no_tile_are_named(mixed: Result) -> None:
    rows = mixed.quarantine[mixed.quarantine["rule"] == "file_name"]
    assert dict(zip(rows["image_id"], rows["reason"], strict=True)).keys() == {
        "tile.tif",
        HOSTILE,
        name_of("PS-RGB", FIRST + [case.name for case in CASES].index("optical listed as another tile")),
    }
    assert mixed.quarantine[mixed.quarantine["image_id"] == "tile.tif"]["reason"].item() == (
        "tile.tif: file_name: the name 'tile.tif' breaks the SpaceNet 6 convention"
    )


def test_the_verdict_counts_tiles_per_rule(mixed: Result) -> None:
    tiles = mixed.quarantine.groupby("rule")["image_id"].nunique()
    assert mixed.verdict["rules"] == tiles.to_dict()
    assert mixed.verdict["rules"]["file_name"] == 3
    damaged = sum(bool(case.broken) for case in CASES) + sum(not good for _, good in ODD.values())
    assert mixed.verdict["quarantined"] == damaged + 4
    assert mixed.verdict["tiles"] == 8 + len(CASES) + len(ODD) + 4
    assert mixed.verdict["verdict"] == "good"
    summary = mixed.verdict["sensors"]["simulated-airborne"]
    assert summary["label_zero_bytes"] == 1
    assert summary["label_repaired"] == 1
    assert summary["label_empty"] == 3


def test_the_data_docs_name_the_failing_tiles(mixed: Result) -> None:
    docs = mixed.folders.reports / "docs"
    pages = "".join(page.read_text() for page in docs.glob("validations/**/*.html"))
    front = (docs / "index.html").read_text()
    for text in (pages, front):
        assert f"{STRIPS[0]}_tile_{FIRST}" in text
    for page in docs.glob("validations/**/*.html"):
        assert page.relative_to(docs).as_posix() in front


def test_the_front_page_names_every_value_on_a_narrow_screen_and_links_on(mixed: Result) -> None:
    text = (mixed.folders.reports / "docs" / "index.html").read_text()
    values = re.findall(r"<td[^>]*>", text)
    assert values
    assert all("data-label=" in value for value in values)
    assert {"../../evaluate/report/index.html", "../../promote/decision.txt"} <= set(links(text))


def test_the_data_docs_fetch_nothing_and_run_nothing(mixed: Result) -> None:
    """Not even what a file name in the data may contain."""
    pages = sorted((mixed.folders.reports / "docs").rglob("*.html"))
    assert len(pages) == 5
    for page in pages:
        text = page.read_text()
        assert "default-src 'none'" in text.split("</head>")[0]
        assert not re.search(r"<(script|link|img)|<[^>]*(src|href)=.?http|url\(", text), page
        assert foreign_resources(text) == [], page
    assert HOSTILE in set(mixed.quarantine["image_id"])
