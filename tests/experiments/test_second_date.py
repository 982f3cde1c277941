from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.contract.errors import ParameterError
from components.experiments import second_date


def call(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["second_date", *options])
    second_date.main()


def test_table_counts_every_split_and_the_sheet_shows_every_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    call(monkeypatch, "--pairs", "3", "--tile-px", "96", "--seed", "7", "--sheet", str(sheet))
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == [
        "split", "pairs", "changed", "no data", "buildings", "added", "removed", "enlarged", "re-roofed",
        "raised", "opposite look",
    ]  # fmt: skip
    assert [line[:2] for line in lines[2:]] == [["train", "1"], ["val", "1"], ["test", "1"]]
    assert sum(int(line[4]) for line in lines[2:]) > 0
    picture = np.asarray(Image.open(sheet))
    assert picture.shape == (3 * 100, 5 * 100, 3)


def test_a_wrong_option_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="tile_px"):
        call(monkeypatch, "--tile-px", "20")
