"""The picture of roads that a model finds, on a tiny store of roads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.contract.errors import BadDataError, ParameterError
from components.experiments import road_model_picture
from components.lib.report.panels import FALSE_ALARM, MISSED
from tests.experiments.test_road_picture import near
from tests.lib.engine.tiny_store import make_store
from tests.lib.scoring.road_store import SETTINGS, net, write_roads


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road_model_picture, "load_parameters", lambda *_: SETTINGS)
    monkeypatch.setattr(road_model_picture, "load_bundle", lambda _: net())


def call(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["road_model_picture", "--model", "model", *options])
    road_model_picture.main()


def test_tiles_are_chosen_by_rank_and_drawn_with_what_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = write_roads(tmp_path / "store")
    call(monkeypatch, "--store", str(store.folder), "--out", str(tmp_path / "a.png"), "--ranks", "0", "1")
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "SIMULATED: 2 clean test tiles with roads"
    worst, best = (float(line.rpartition(" ")[2]) for line in told[1:])
    assert worst == 0.0 < 0.9 < best
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    assert sheet.shape == (48 + 2 * 460 + 8, 4 * 460 + 3 * 8, 3)
    missed, found = sheet[48:508, 936:1396], sheet[516:, 936:1396]
    assert near(missed, MISSED) > 1000 > near(found, MISSED) + near(found, FALSE_ALARM)


@pytest.mark.parametrize(
    ("options", "why"),
    [(["--ranks", "1.5"], "shares of the tiles"), (["--out", "x.gif"], "neither JPEG nor PNG")],
)
def test_mistakes_are_named(options: list[str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=why):
        call(monkeypatch, "--out", "x.png", *options)


def test_a_store_of_buildings_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_store(tmp_path / "store")
    with pytest.raises(BadDataError, match="store of buildings"):
        call(monkeypatch, "--out", "x.png", "--store", str(tmp_path / "store"))
