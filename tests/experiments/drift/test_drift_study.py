"""The study on tables of noise that stand for drawn acquisitions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from components.contract.errors import ParameterError
from components.experiments.drift import table
from components.experiments.drift.__main__ import main
from components.experiments.drift.drawing import Tables
from components.experiments.drift.shifts import MOVED_M, USUAL, imagings
from components.experiments.drift.study import Study, rate
from components.experiments.drift.world import Imaging, Scale, moved_column
from components.lib.files import write_json

SCALE = Scale(tiles=20, tile_px=96)


def noise(imaging: Imaging, number: int) -> pd.DataFrame:
    """Two alike tiles at each of ten locations; fewer looks show, other imagings do not."""
    rng = np.random.default_rng([number, 0 if imaging == USUAL else 1])
    ground = np.repeat(rng.normal(size=10), 2)
    table = pd.DataFrame(
        {
            "image_id": [f"t{k}" for k in range(20)],
            "strip_index": np.tile([0, 1], 10),
            "location": [f"{number}_{k // 2}" for k in range(20)],
            "sar_offset_east_m": rng.normal(size=20),
            "sar_offset_range_m": rng.normal(size=20),
        }
    )
    for distance in MOVED_M:
        table[moved_column(distance)] = table["sar_offset_east_m"] + distance
    for band in ("HH", "HV", "VH", "VV"):
        table[f"sar_mean_{band}"] = table[f"sar_max_{band}"] = table[f"sar_min_{band}"] = 30.0 + ground
        table[f"sar_looks_{band}"] = rng.normal(size=20) - 10.0 * (1.0 - imaging.looks)
    return table


@pytest.fixture
def work(tmp_path: Path) -> Path:
    tables = Tables(tmp_path / "work", SCALE)
    write_json(tables.folder / "scale.json", asdict(SCALE))
    for imaging, count in [(USUAL, 9), *((imaging, 3) for imaging in imagings())]:
        for number in range(count):
            path = tables.path((imaging, number))
            path.parent.mkdir(exist_ok=True)
            noise(imaging, number).to_parquet(path)
    return tables.folder


def test_the_study_tells_false_alarms_and_power(work: Path, tmp_path: Path) -> None:
    size = ["--tiles", "20", "--tile-px", "96", "--nulls", "9", "--repeats", "3", "--permutations", "99"]
    main([*size, "--work", str(work), "--out", str(tmp_path / "out"), "--no-drawing"])
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    null = {row["test"]: row for row in document["null"]}
    assert null["locations, max-T"]["acquisitions"] == 9
    each = "tiles as units, Kolmogorov-Smirnov, any statistic"
    assert null["locations, max-T"]["alarms"] < null[each]["alarms"], "tiles are no units"
    power = {(row["shift"], row["size"]): row for row in document["power"]}
    assert power["fewer looks", 0.6]["rate"] == 1.0
    assert power["fewer looks", 0.6]["by"].startswith("sar_looks")
    assert power["geolocation", 8.0]["rate"] == 1.0
    sizes = {row["shift"]: row["size"] for row in document["found"]}
    assert sizes["fewer looks"] is not None
    assert power["incidence", 1.0]["acquisitions"] == 3
    assert (tmp_path / "out" / "drift.png").stat().st_size > 1000
    assert "| fewer looks | 0.6 of 4 looks | 3 | 3 (100.0%) |" in (tmp_path / "out" / "drift.md").read_text()


def test_the_picture_names_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(table, "save_figure", lambda figure, *_, **__: drawn.append(figure))
    row = {"shift": "season", "unit": "days", "size": 1.0, "rate": 0.5, "low": 0.4, "high": 0.6}
    table.picture({"alpha": 0.05, "null": [{"rate": 0.04}], "power": [row]}, tmp_path / "drift.png")
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == ["false alarms aimed at, 0.05", "power 0.9"]


def test_a_reference_never_holds_the_acquisition_itself(work: Path) -> None:
    study = Study.of(Tables(work, SCALE), 8, 3, 99, 0)
    assert study.nulls == tuple(range(8))
    for number in study.nulls:
        locations = set(study.reference(number)["location"])
        assert len(locations) == 50
        assert not locations & set(study.usual(number)["location"])


def test_rates_have_exact_intervals() -> None:
    found = rate([True] * 5 + [False] * 95)
    assert (found["rate"], found["low"], found["high"]) == (0.05, 0.0164, 0.1128)
    assert rate([])["rate"] is None


def test_too_few_acquisitions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="do not go together"):
        main(["--nulls", "10", "--repeats", "11"])
    with pytest.raises(ParameterError, match="0 null acquisitions are drawn"):
        main(["--work", str(tmp_path), "--no-drawing"])
