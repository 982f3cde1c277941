from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError, ResourceError
from components.evaluate.models import load_models
from components.evaluate.results import split_scores
from components.evaluate.stage import evaluate
from components.lib.evaluation.examples import read_examples
from components.lib.evaluation.results import headline_split, read_evaluation
from components.lib.inference.device import choose_device
from components.lib.metrics.counts import Counts
from components.lib.metrics.intervals import MIN_BLOCKS
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store
from tests.evaluate.finished import PARAMETERS, SETTINGS, Finished
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, Pointwise, boxes_of

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
    metrics = json.loads((finished.out / "details.json").read_text())
    assert metrics["simulated"] is True
    assert metrics["headline"] == "sn6-clean"
    tiles = pd.read_parquet(finished.out / "tiles.parquet")
    for model, sensor in EXPECTED:
        own = tiles[(tiles["model"] == model) & (tiles["sensor"] == sensor)]
        for split, part in (("sn6-kang", own), ("sn6-clean", own[own["clean"]])):
            numbers = metrics["models"][model][sensor][split]
            assert numbers["tiles"] == part["image_id"].nunique() < len(part)
            assert numbers["iou"] == pytest.approx(Counts.of_pixels(part).iou, abs=1e-4)
            assert numbers["iou_half"] == pytest.approx(Counts.of_half(part).iou, abs=1e-4)
            assert numbers["kappa"] == pytest.approx(Counts.of_pixels(part).kappa, abs=1e-4)
            assert {"f1", "precision", "recall", "ap50", "px_f1", "dice"} <= set(numbers)
            assert {"accuracy", "pr_auc", "threshold"} <= set(numbers)
            # With a few blocks an interval is unknown and not written, narrow as it would look.
            assert ("iou_low" in numbers) == (numbers["locations"] >= MIN_BLOCKS)
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
    assert set(slices.loc[slices["dimension"] == "all", "tiles"]) == {4}, "tiles, not their parts"
    assert {"all", "orientation", "building_size", "nodata", "sensor"} == set(slices["dimension"])
    with_pixels = slices[slices["dimension"] != "building_size"]
    assert with_pixels[["iou", "f1"]].notna().all().all()
    assert with_pixels[["low", "high"]].isna().all().all(), "too few blocks"


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
        assert load_models(models, store).find("none", AIRBORNE) is None
        return
    with pytest.raises(MissingInputError, match=gone) as caught:
        load_models(models, store)
    assert stage in caught.value.next_step


def test_models_that_do_not_belong_together_are_refused(finished: Finished, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(finished.paths.models, models)
    shutil.rmtree(models / "sar/disoptnet")
    with pytest.raises(BadDataError, match="disoptnet"):
        load_models(models, Store.open(finished.paths.store))


def test_a_gpu_asked_for_and_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ResourceError, match=r"evaluate\.device"):
        choose_device("cuda", "evaluate.device")
    assert choose_device("auto", "evaluate.device") == "cpu"


def test_no_test_tile_is_an_error_and_leaves_no_result(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(finished.paths.store, folder)
    index = pd.read_parquet(folder / "index.parquet")
    index.assign(split="train", clean=False).to_parquet(folder / "index.parquet")
    paths = type(finished.paths)(
        store=folder,
        models=finished.paths.models,
        out=tmp_path / "reports/evaluate",
        params=finished.paths.params,
    )
    with pytest.raises(BadDataError, match="test tile"):
        evaluate(PARAMETERS, SETTINGS, paths)
    assert not (tmp_path / "reports").exists()


def test_without_clean_tiles_the_headline_is_on_all(finished: Finished) -> None:
    store = Store.open(finished.paths.store)
    model = load_models(finished.paths.models, store).find("none", AIRBORNE)
    assert model is not None
    rows = store.rows(AIRBORNE, "test")
    scores = score_model(Pointwise(), store, sensor=AIRBORNE, rows=rows, settings=SETTINGS)
    leaky = Scores(scores.tiles.assign(clean=False), scores.objects)
    assert headline_split([part.split for part in split_scores(model, leaky)]) == "sn6-kang"
    assert headline_split([part.split for part in split_scores(model, scores)]) == "sn6-clean"


def test_results_hold_the_metrics_at_full_precision(finished: Finished) -> None:
    evaluation = read_evaluation(finished.out / "results.json")
    metrics = json.loads((finished.out / "details.json").read_text())
    assert evaluation.headline == metrics["headline"]
    assert (evaluation.source, evaluation.target, evaluation.student) == (AIRBORNE, SPACEBORNE, "disoptnet")
    assert evaluation.simulated == (AIRBORNE, SPACEBORNE)
    assert {result.key for result in evaluation.results} == EXPECTED
    for result in evaluation.results:
        numbers = metrics["models"][result.model][result.sensor][result.split]
        assert numbers["iou"] == round(result.iou.value, 4)
        assert result.iou.degenerate == ("iou_low" not in numbers)
        assert numbers["dice"] == round(result.dice, 4)
        assert numbers["pr_auc"] == round(result.px_ap, 4)
    for difference in evaluation.differences:
        compared = metrics["differences"][f"{difference.model}-{difference.baseline}"]
        found = compared[difference.sensor][difference.metric]
        assert found["value"] == round(difference.interval.value, 4)
        assert difference.interval.degenerate == ("low" not in found)
    slices = pd.read_csv(finished.out / "slices.csv")
    assert len(evaluation.slices) == len(slices)


def test_provenance_names_data_parameters_and_weights(finished: Finished) -> None:
    provenance = dict(read_evaluation(finished.out / "results.json").provenance)
    signature = json.loads((finished.paths.models / "sar/disoptnet/model.json").read_text())
    assert provenance["Weights, sar/disoptnet (SHA-256)"] == signature["weights_sha256"]
    named = ("Code of the scoring", "Parameters of the scoring", "Data")
    hashes = {f"{what} (SHA-256)" for what in named}
    assert {"Commit", "Profile", *hashes, "torch"} <= set(provenance)


def test_examples_hold_images_truth_and_predictions(finished: Finished) -> None:
    examples = read_examples(finished.out / "examples")
    source, target = examples.groups
    assert (source.ranked_by, source.sensor, source.split) == ("disoptnet", AIRBORNE, "sn6-clean")
    assert (target.ranked_by, target.sensor) == ("adapted", SPACEBORNE)
    assert [tile.models for tile in source.tiles] == [("teacher", "none", "disoptnet")] * 3
    assert [tile.models for tile in target.tiles] == [("unadapted", "adapted")] * 3
    assert [tile.rank for tile in source.tiles] == [0.0, 0.5, 1.0]
    store = Store.open(finished.paths.store)
    for tile in (*source.tiles, examples.overview):
        assert tile is not None
        found = store.index.query("sensor == @AIRBORNE and image_id == @tile.image_id")
        row = int(found["row"].to_numpy(dtype=np.int64)[0])
        turned = 2 * int(tile.from_south)
        np.testing.assert_array_equal(tile.sar, np.rot90(store.layer(AIRBORNE, "sar")[row], turned))
        assert tile.optical is not None
        np.testing.assert_array_equal(tile.optical, np.rot90(store.layer(AIRBORNE, "optical")[row], turned))
        np.testing.assert_array_equal(tile.predicted, tile.probability >= 128)
        assert len(tile.missed) + len(tile.matched) == len(boxes_of(row))
    assert all(tile.optical is None for tile in target.tiles)


def test_scoring_imports_no_drawing(repository: Path) -> None:
    """Neither directly nor through another module: an edited drawing must not cost another scoring."""
    code = (
        "import sys, components.evaluate.__main__, components.evaluate.stage, components.evaluate.tune;"
        "print(*(m for m in sys.modules if m.startswith(('components.lib.report', 'components.report'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
