from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from components.contract.errors import BadDataError, MissingInputError, ResourceError
from components.evaluate.narrative import summary
from components.evaluate.stage import choose_device, evaluate
from components.evaluate.subjects import load_cast
from components.evaluate.summary import condense, headline_split
from components.lib.metrics.counts import Counts
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store
from tests.evaluate.conftest import PARAMETERS, SETTINGS, Finished
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, Pointwise

EXPECTED = {
    ("teacher", AIRBORNE),
    ("none", AIRBORNE),
    ("disoptnet", AIRBORNE),
    ("adapted", AIRBORNE),
    ("unadapted", SPACEBORNE),
    ("adapted", SPACEBORNE),
}


def test_every_model_is_scored_on_every_test_tile_of_its_sensor(finished: Finished) -> None:
    tiles = pd.read_parquet(finished.out / "tiles.parquet")
    assert set(zip(tiles["model"], tiles["sensor"], strict=True)) == EXPECTED
    index = pd.read_parquet(finished.paths.store / "index.parquet")
    test = set(index[index["split"] == "test"]["image_id"])
    for _, part in tiles.groupby(["model", "sensor"]):
        assert set(part["image_id"]) == test
    assert {"px_tp", "px_fp", "px_fn", "px_tn", "tp", "fp", "fn", "location", "clean"} <= set(tiles.columns)


def test_objects_carry_the_model(finished: Finished) -> None:
    objects = pd.read_parquet(finished.out / "objects.parquet")
    assert {"model", "kind", "matched", "area_px", "confidence", "iou"} <= set(objects.columns)
    truth = objects[(objects["model"] == "none") & (objects["kind"] == "truth")]
    assert len(truth) == 3 * 5  # six test tiles, one of them empty


def test_metrics_are_those_of_the_tiles(finished: Finished) -> None:
    metrics = json.loads((finished.out / "metrics.json").read_text())
    assert metrics["simulated"] is True
    assert metrics["headline"] == "sn6-clean"
    tiles = pd.read_parquet(finished.out / "tiles.parquet")
    for model, sensor in EXPECTED:
        own = tiles[(tiles["model"] == model) & (tiles["sensor"] == sensor)]
        for split, part in (("sn6-kang", own), ("sn6-clean", own[own["clean"]])):
            numbers = metrics["models"][model][sensor][split]
            assert numbers["tiles"] == len(part)
            assert numbers["iou"] == pytest.approx(Counts.of_pixels(part).iou, abs=1e-4)
            assert {"f1", "precision", "recall", "ap50", "px_f1", "dice", "iou_low"} <= set(numbers)
    assert set(metrics["differences"]) == {
        "disoptnet-none",
        "disoptnet-teacher",
        "adapted-disoptnet",
        "adapted-unadapted",
    }


def test_slices_are_ready_to_plot(finished: Finished) -> None:
    slices = pd.read_csv(finished.out / "slices.csv")
    assert list(slices.columns[:5]) == ["model", "sensor", "split", "dimension", "slice"]
    assert set(slices["split"]) == {"sn6-clean"}
    assert slices["name"].is_unique
    assert {"all", "orientation", "building_size", "nodata", "sensor"} == set(slices["dimension"])
    with_pixels = slices[slices["dimension"] != "building_size"]
    assert with_pixels[["iou", "low", "high", "f1"]].notna().all().all()


def test_the_report_shows_every_table_tile_and_curve(finished: Finished) -> None:
    folder = finished.out / "report"
    page = (folder / "index.html").read_text()
    assert "Simulated." in page
    for model, _ in EXPECTED:
        assert re.search(rf'<th scope="row">{model}<', page), model
    pictures = set(re.findall(r'src="([^"]+)"', page))
    assert all((folder / name).is_file() for name in pictures)
    # Three clean tiles hold buildings: 8 panels each, and 6 on the target (no optical, two models).
    assert len([name for name in pictures if name.startswith("tiles/1-")]) == 3 * 8
    assert len([name for name in pictures if name.startswith("tiles/2-")]) == 3 * 6
    assert {"curves/1.png", "curves/2.png"} <= pictures
    for heading in ("Worst", "Best"):
        assert heading in page
    with Image.open(folder / "overview.png") as image:
        assert image.width > 4 * image.height


def test_provenance_names_data_parameters_and_weights(finished: Finished) -> None:
    page = (finished.out / "report" / "index.html").read_text()
    signature = json.loads((finished.paths.models / "sar/disoptnet/model.json").read_text())
    assert signature["weights_sha256"] in page
    for term in ("Parameters (SHA-256)", "Tile index (SHA-256)", "torch"):
        assert term in page


def test_a_second_run_gives_the_same_numbers(finished: Finished) -> None:
    before = {p.name: p.read_bytes() for p in finished.out.glob("*.*") if p.is_file()}
    evaluate(PARAMETERS, SETTINGS, finished.paths)
    assert {p.name: p.read_bytes() for p in finished.out.glob("*.*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("gone", "stage"),
    [("optical", "optical"), ("sar", "distill"), ("sar/none", "none"), ("adapted", "adapt")],
)
def test_a_missing_model_names_the_stage_that_makes_it(
    finished: Finished, tmp_path: Path, gone: str, stage: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(finished.paths.models, models)
    shutil.rmtree(models / gone)
    store = Store.open(finished.paths.store)
    if stage == "none":
        assert load_cast(models, store).find("none", AIRBORNE) is None
        return
    with pytest.raises(MissingInputError, match=gone) as caught:
        load_cast(models, store)
    assert stage in caught.value.next_step


def test_models_that_do_not_belong_together_are_refused(finished: Finished, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(finished.paths.models, models)
    shutil.rmtree(models / "sar/disoptnet")
    with pytest.raises(BadDataError, match="disoptnet"):
        load_cast(models, Store.open(finished.paths.store))


def test_a_gpu_asked_for_and_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ResourceError, match=r"evaluate\.device"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"


def test_no_test_tile_is_an_error_and_leaves_no_report(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(finished.paths.store, folder)
    index = pd.read_parquet(folder / "index.parquet")
    index.assign(split="train", clean=False).to_parquet(folder / "index.parquet")
    paths = type(finished.paths)(
        store=folder, models=finished.paths.models, reports=tmp_path / "reports", params=finished.paths.params
    )
    with pytest.raises(BadDataError, match="test tile"):
        evaluate(PARAMETERS, SETTINGS, paths)
    assert not (tmp_path / "reports").exists()


def test_without_clean_tiles_the_headline_says_so(finished: Finished) -> None:
    store = Store.open(finished.paths.store)
    cast = load_cast(finished.paths.models, store)
    subject = cast.find("none", AIRBORNE)
    assert subject is not None
    rows = store.rows(AIRBORNE, "test")
    scores = score_model(Pointwise(), store, sensor=AIRBORNE, rows=rows, settings=SETTINGS)
    leaky = Scores(scores.tiles.assign(clean=False), scores.objects)
    results = condense(subject, leaky, PARAMETERS)
    assert headline_split(results) == "sn6-kang"
    assert "No test tile is free of training ground" in " ".join(summary(results, cast, {}))
    assert headline_split(condense(subject, scores, PARAMETERS)) == "sn6-clean"
