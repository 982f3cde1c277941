from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.contract.errors import ParameterError
from components.experiments import road_picture
from components.lib.report.panels import FALSE_ALARM, MISSED


def call(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["road_picture", *options])
    road_picture.main()


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of about a colour."""
    return int((np.abs(picture.astype(int) - colour).max(axis=-1) < 40).sum())


def test_the_picture_shows_what_the_extract_lacks_and_what_it_has_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(road_picture, "SIDE_PX", 240)
    grey = np.full((240, 240, 3), 90, dtype=np.uint8)  # the image itself is tested with the simulation
    monkeypatch.setattr(road_picture, "optical_image", lambda *_: grey)
    files = [tmp_path / name for name in ("one.png", "two.png", "none.png")]
    for file, noise in zip(files, ("vegas", "vegas", "none"), strict=True):
        call(monkeypatch, "--out", str(file), "--noise", noise)
    assert files[0].read_bytes() == files[1].read_bytes()
    told = capsys.readouterr().out
    assert told.startswith("SIMULATED: ")
    assert "OpenStreetMap 1.000" in told.splitlines()[-1]
    noisy, clean = (np.asarray(Image.open(file)) for file in files[1:])
    assert noisy.shape == (48 + 460, 4 * 460 + 3 * 8, 3)
    assert min(near(noisy[:, 936:1396], FALSE_ALARM), near(noisy[:, 936:1396], MISSED)) > 50
    assert max(near(clean[:, 936:1396], FALSE_ALARM), near(clean[:, 936:1396], MISSED)) == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [(["--noise", "veags"], "nearest valid one is 'vegas'"), (["--out", "x.gif"], "neither")],
)
def test_mistakes_are_named(options: list[str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=why):
        call(monkeypatch, "--out", "x.png", *options)
