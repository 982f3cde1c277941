"""Files that validation lets through although they are odd: stored as what they say they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError
from components.prepare.pairing import read_quarantine
from tests.hostile import geojson, polygon, square, tiff
from tests.prepare.tiny_raw import AIRBORNE, Acquisition, Folders, corner, rgb_values, sar_values

WEST = 592_000.0


def stored(folders: Folders, layer: str) -> Any:
    return folders.array(AIRBORNE, layer)


def index(folders: Folders) -> pd.DataFrame:
    return pd.read_parquet(folders.store / "index.parquet")


def prepared(folders: Folders, acquisition: Acquisition) -> None:
    folders.write(acquisition)
    folders.prepare()


def test_bands_in_another_order_and_declared_no_data_change_nothing(folders: Folders) -> None:
    plain, odd = Acquisition(), Acquisition()
    for acquisition in (plain, odd):
        acquisition.add_tile(1, WEST)
    values = sar_values(1)
    values[:, (values == 0).all(axis=0)] = -9999
    order = ("VV", "VH", "HV", "HH")
    odd.add("SAR-Intensity", 1, tiff(values[::-1], corner(WEST), nodata=-9999.0, descriptions=order))
    rgb = rgb_values(1)
    odd.add("PS-RGB", 1, tiff(rgb[::-1], corner(WEST), descriptions=("blue", "green", "red")))
    prepared(folders, plain)
    before = {layer: stored(folders, layer) for layer in ("sar", "optical")}
    shares = index(folders)["nodata_share"].tolist()
    prepared(folders, odd)
    for layer, array in before.items():
        np.testing.assert_array_equal(stored(folders, layer), array)
    assert index(folders)["nodata_share"].tolist() == shares


def test_declared_no_data_of_an_optical_image_is_stored_as_none(folders: Folders) -> None:
    acquisition = Acquisition()
    acquisition.add_tile(1, WEST)
    rgb = rgb_values(1)
    rgb[:, :5, :5] = 255
    acquisition.add("PS-RGB", 1, tiff(rgb, corner(WEST), nodata=255))
    prepared(folders, acquisition)
    assert (stored(folders, "optical")[0, :5, :5] == 0).all()


def test_positions_of_mixed_length_make_the_same_footprints(folders: Folders) -> None:
    acquisition = Acquisition()
    acquisition.add_tile(1, WEST)
    ring = square(WEST + 5, corner(WEST).f - 5, 8)
    acquisition.add("Buildings", 1, geojson(polygon([[*p, 3.5] if i else p for i, p in enumerate(ring)])))
    prepared(folders, acquisition)
    assert index(folders)["n_buildings"].tolist() == [1]


def test_rows_of_the_summary_that_cannot_be_read_leave_the_others(folders: Folders) -> None:
    acquisition = Acquisition()
    acquisition.add_tile(1, WEST)
    acquisition.summaries["SN6_Train_AOI_11_Rotterdam_Buildings.csv"] = (
        b"\xef\xbb\xbfImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height\r\n"
        b'x,0,"CURVEPOLYGON (CIRCULARSTRING (40 40, 55 55, 70 40, 55 25, 40 40))",3\r\n'
        b"x,0,POLYGON EMPTY\r\n"
    )
    prepared(folders, acquisition)
    assert len(index(folders)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02",
        b"acquisition,image_id\na\n",
        b"acquisition,image_id\na,b,c\n",
        b"acquisition,image_id\n,b\n",
        b'acquisition,image_id\n"a,b\n',
        b"image_id,image_id\na,b\n",
        "acquisition,image_id\na,b\n".encode("utf-16"),
    ],
)
def test_a_damaged_quarantine_table_is_refused_by_name(content: bytes, folders: Folders) -> None:
    folders.quarantine.parent.mkdir(parents=True)
    folders.quarantine.write_bytes(content)
    with pytest.raises(BadDataError, match=r"quarantine\.csv is not a quarantine table"):
        read_quarantine(folders.quarantine)


def test_a_manifest_with_nulls_is_refused_by_name(folders: Folders) -> None:
    acquisition = Acquisition()
    acquisition.add_tile(1, WEST)
    folders.write(acquisition)
    path = folders.raw / "manifest.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "strip"] = None
    table.to_parquet(path)
    with pytest.raises(BadDataError, match=r"manifest\.parquet is not a manifest: rows without strip"):
        folders.prepare()
