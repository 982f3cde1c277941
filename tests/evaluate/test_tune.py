from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml

from components.contract.errors import BadDataError, ParameterError
from components.evaluate.__main__ import main
from components.evaluate.tune import Candidates, as_text, mean_over_models, tune
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.store.store import Store
from tests.conftest import ROOT
from tests.evaluate.finished import SETTINGS
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, Contoured, touching_boxes, write_tiny_store
from tests.lib.store.tiny_store import array_path

CANDIDATES = Candidates(seed_thresholds=(0.9, 0.2), min_seeds_px=(20, 110))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_tiny_store(tmp_path / "data/prepared", tiles=8, boxes_of=touching_boxes, selection=(3, 4, 7))


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that know the truth, but whose seeds stay below 0.5."""
    monkeypatch.setattr("components.evaluate.tune.load_bundle", lambda *_, **__: Contoured(gain=0.03))


def run(store: Store, settings: ScoringSettings = SETTINGS, sensor: str | None = None) -> pd.DataFrame:
    return tune([Path("a"), Path("b")], store, settings, CANDIDATES, sensor=sensor)


@pytest.mark.usefixtures("unsure")
def test_seeds_are_compared_on_the_selection_slice(store: Store) -> None:
    table = run(store)
    assert len(table) == 2 * (1 + 4)
    assert set(table["sensor"]) == {AIRBORNE}
    assert (table["tp"] + table["fn"] == 3 * 3).all(), "three selection tiles of three buildings"
    means = mean_over_models(table)
    assert means.iloc[0][["vectorise", "seed_threshold", "min_seed_px", "f1"]].tolist() == [
        "watershed",
        0.2,
        20,
        1.0,
    ]
    shares = dict(zip(means["seed_threshold"], means["f1"], strict=True))
    assert shares[0.9] < 1
    plain = table[table["vectorise"] == "plain"]
    assert plain["f1"].to_numpy() == pytest.approx(shares[0.9]), "without a seed, parts stay whole"
    assert "best seeds: seed_threshold 0.2, min_seed_px 20" in as_text(table)


@pytest.mark.usefixtures("unsure")
def test_the_test_split_is_never_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither asked for, nor read: other pixels in every other tile change nothing."""
    before = run(store)
    asked: list[str] = []
    rows = Store.rows

    def noted(self: Store, sensor: str, split: str, clean: bool | None = None) -> npt.NDArray[np.int64]:
        asked.append(split)
        return rows(self, sensor, split, clean)

    monkeypatch.setattr(Store, "rows", noted)
    for layer in ("sar", "target"):
        path = array_path(store.folder, AIRBORNE, layer)
        array = np.load(path)
        array[[0, 1, 2, 5, 6]] = 7
        np.save(path, array)
    [path] = store.folder.rglob("footprints.parquet")
    footprints = pd.read_parquet(path)
    kept = footprints["image_id"].str.endswith(("_3", "_4", "_7"))
    footprints[kept].to_parquet(path)
    pd.testing.assert_frame_equal(run(Store.open(store.folder)), before)
    assert set(asked) == {"selection"}


@pytest.mark.usefixtures("unsure")
def test_labels_of_another_sensor_choose_only_when_named(store: Store) -> None:
    with pytest.raises(ParameterError, match=SPACEBORNE):
        run(store, sensor=SPACEBORNE)  # the network was never adapted to it


@pytest.mark.usefixtures("unsure")
def test_without_selection_tiles_there_is_nothing_to_choose_by(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="no selection tile"):
        run(write_tiny_store(tmp_path / "bare", tiles=4))


@pytest.mark.parametrize(
    "values", [{"seed_thresholds": (1.5,)}, {"min_seeds_px": (0,)}, {"min_seeds_px": ()}]
)
def test_senseless_candidates_are_refused(values: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ParameterError, match="seed"):
        Candidates(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("contours", [True, False])
def test_the_command_prints_and_changes_nothing(
    contours: bool, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = store.folder.parents[1]
    monkeypatch.chdir(root)
    (root / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load((ROOT / "params.yaml").read_text())))
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=(AIRBORNE,),
        contours=contours,
    )
    save_bundle(root / "models/sar/concord", build_network(config), {})
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    command = ["tune", "--seed-thresholds", "0.5", "--min-seeds", "30", "60", "--json"]
    if not contours:
        with pytest.raises(ParameterError, match="no contour head"):
            main(command)
        return
    main(command)
    rows = json.loads(capsys.readouterr().out)
    assert [(row["vectorise"], row["seed_threshold"], row["min_seed_px"]) for row in rows] == [
        ("plain", None, None),
        ("watershed", 0.5, 30),
        ("watershed", 0.5, 60),
    ]
    assert {row["model"] for row in rows} == {"models/sar/concord"}
    main(["tune", "models/sar/concord", *command[1:-1]])
    assert "mean over 1 models, selection slice only" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
