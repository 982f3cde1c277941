"""Tables of tile statistics, and files that claim to be some."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract.errors import BadDataError
from components.lib.drift.tiles import KEYS, TileStatistics, decoded, encoded, of_features
from tests.lib.drift.tables import BANDS, SIDE_M, features


@pytest.fixture
def tiles() -> TileStatistics:
    return of_features(features("a", 6, 1), SIDE_M)


def test_statistics_of_the_readable_tiles_by_ground_block() -> None:
    table = features("a", 6, 1)
    table.loc[3, "sar_readable"] = False
    found = of_features(table.sample(frac=1.0, random_state=1), SIDE_M)
    assert list(found.table["image_id"]) == [f"a_tile_{k}" for k in (0, 1, 2, 4, 5)]
    assert found.table["location"].nunique() == 3
    assert set(found.statistics) == {
        "sar_nodata_share",
        *(f"sar_{name}_{band}" for name in ("mean", "texture") for band in BANDS),
    }


def test_features_of_former_code_are_refused() -> None:
    table = features("a", 4, 1)
    with pytest.raises(BadDataError, match="lacks the texture of the bands"):
        of_features(table[[name for name in table if "texture" not in str(name)]], SIDE_M)
    with pytest.raises(BadDataError, match="lacks sar_x_left_m"):
        of_features(table.drop(columns="sar_x_left_m"), SIDE_M)


def test_a_tile_without_a_place_is_left_out_and_an_infinite_statistic_is_missing() -> None:
    table = features("a", 8, 1)
    table.loc[:2, "sar_x_left_m"] = [np.nan, np.inf, 1e300]
    table.loc[3, "sar_mean_HH"] = -np.inf
    found = decoded(encoded(of_features(table, SIDE_M)), "drift.parquet").table
    assert list(found["image_id"]) == [f"a_tile_{k}" for k in range(3, 8)]
    assert found["sar_mean_HH"].isna().tolist() == [True, *[False] * 4]
    with pytest.raises(BadDataError, match="a tile without acquisition, sensor or image"):
        of_features(table.assign(sensor=None), SIDE_M)


def test_what_could_not_be_read_again_is_not_written(tiles: TileStatistics) -> None:
    more = pd.DataFrame({f"sar_mean_b{k}": [1.0] * len(tiles.table) for k in range(200)})
    with pytest.raises(BadDataError, match="6 rows and"):
        encoded(TileStatistics(pd.concat([tiles.table, more], axis=1), SIDE_M))


def test_a_file_gives_the_table_back(tiles: TileStatistics) -> None:
    content = encoded(tiles)
    assert content == encoded(tiles)
    found = decoded(content, "drift.parquet")
    pd.testing.assert_frame_equal(found.table, tiles.table)
    assert found.block_m == SIDE_M


def written(table: pd.DataFrame, facts: bytes = b'{"schema": 1, "block_m": 450.0}') -> bytes:
    buffer = io.BytesIO()
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow.replace_schema_metadata({b"stormsight.drift": facts}), buffer)
    return buffer.getvalue()


def test_hostile_files_are_refused_by_what_is_wrong(tiles: TileStatistics) -> None:
    table = tiles.table
    wrong = {
        "cannot be read": b"PAR1 no parquet PAR1",
        "does not say that it holds": written(table, b'{"schema": 9}'),
        "no side of its ground blocks": written(table, b'{"schema": 1, "block_m": true}'),
        "columns do not begin with": written(table.drop(columns="strip")),
        "its column location is no text": written(table.assign(location=1)),
        "its column 'os.system' is no statistic": written(table.assign(**{"os.system": 1.0})),
        "its column 'sar_mean_HH' is no statistic": written(table.astype({"sar_mean_HH": str})),
        "names no acquisition": written(table.assign(location="")),
        "a statistic is infinite": written(table.assign(sar_mean_HH=np.inf)),
    }
    for reason, content in wrong.items():
        with pytest.raises(BadDataError, match=reason):
            decoded(content, "drift.parquet")
    assert KEYS[-1] == "location"


def test_no_damage_is_more_than_a_message(tiles: TileStatistics) -> None:
    content, refused = encoded(tiles), 0
    for place in range(4, len(content), max(1, len(content) // 200)):
        try:
            decoded(content[:place] + b"\x0f\x0e" + content[place + 2 :], "drift.parquet")
        except BadDataError:
            refused += 1
    assert refused > 50
