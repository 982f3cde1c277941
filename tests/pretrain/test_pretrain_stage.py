"""Two stages of training: masks of OpenStreetMap, then clean labels from the weights of the first."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from components.contract.errors import MissingInputError, ParameterError
from components.contract.hashing import sha256_file
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.registry import load_teacher
from components.lib.nets.bundle import load_bundle
from components.lib.nets.sealed import WEIGHTS
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from components.optical.__main__ import main as train_optical
from components.optical.parameters import OpticalParameters
from components.optical.train import prepare_run as prepare_optical
from components.pretrain.__main__ import main
from components.pretrain.parameters import PretrainParameters
from components.pretrain.train import prepare_run
from tests.lib.engine.tiny_store import SENSOR, make_store, write_parameters
from tests.pretrain.masks_of_store import write_masks

KIND = "deeplabv3plus"
TEACHER = load_teacher(KIND)


def parameters(folder: Path, repository: Path, **sections: dict[str, object]) -> None:
    tiny: dict[str, dict[str, object]] = {
        "training": {"lr": 0.1},
        "pretrain": {"epochs": 2, "crops_per_tile": 2},
        "optical": {"start": "pretrain"},
        "tracking": {"uri": "none"},
    }
    for name, changes in sections.items():
        tiny[name] = {**tiny.get(name, {}), **changes}
    write_parameters(repository, folder, **tiny)


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which both stages have run."""
    folder = tmp_path_factory.mktemp("pretrain")
    write_masks(folder / "data/osm/buildings", make_store(folder / "data/prepared"))
    parameters(folder, repository)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["pretrain", "--kind", KIND])
        main()
        patch.setattr("sys.argv", ["optical", "--kind", KIND])
        train_optical()
    return folder


def test_the_pretrained_model_is_scored_against_clean_labels(trained: Path) -> None:
    details = json.loads((trained / f"reports/pretrain/{KIND}/details.json").read_text())
    assert (details["split"], details["steps"], details["simulated"]) == ("selection", 10, True)
    net = load_bundle(trained / "models/pretrain" / KIND)
    wanted = PretrainParameters(kinds=(KIND,), epochs=2, crops_per_tile=2).teacher
    assert net.metadata["pretrain"] == wanted.model_dump(mode="json")
    assert len(net.metadata["masks_sha256"]) == 64


def test_the_optical_model_names_the_pretrained_one(trained: Path) -> None:
    net = load_bundle(trained / "models/optical" / KIND)
    assert net.metadata["pretrained_sha256"] == sha256_file(trained / "models/pretrain" / KIND / WEIGHTS)
    assert net.config.contours


def test_the_second_stage_starts_from_all_weights_of_the_first(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    store, training = Store.open(Path("data/prepared")), load_parameters("training", TrainingParameters)
    first = load_bundle(trained / "models/pretrain" / KIND).state_dict()
    run = prepare_optical(TEACHER, store, training, load_parameters("optical", OpticalParameters))
    begun = run.net.state_dict()
    assert begun.keys() == first.keys()
    assert all(torch.equal(begun[name], first[name]) for name in first)
    assert all(parameter.requires_grad for parameter in run.net.parameters())
    fresh = prepare_optical(
        TEACHER, store, training, OpticalParameters(epochs=1, crops_per_tile=4, rot90=True)
    )
    assert "pretrained_sha256" not in fresh.provenance
    assert not all(torch.equal(fresh.net.state_dict()[name], first[name]) for name in first)


def test_another_network_than_the_pretrained_one_is_named(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    training = load_parameters("training", TrainingParameters).model_copy(update={"contour_weight": 0.0})
    optical = load_parameters("optical", OpticalParameters)
    with pytest.raises(ParameterError, match=r"optical\.start.*contours True"):
        prepare_optical(TEACHER, Store.open(Path("data/prepared")), training, optical)


def test_as_released_keeps_the_lowest_loss_and_scores_nothing(
    trained: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(trained / "data")
    parameters(tmp_path, repository, pretrain={"epochs": 2, "crops_per_tile": 1, "as_released": True})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pretrain", "--kind", KIND])
    main()
    details = json.loads((tmp_path / f"reports/pretrain/{KIND}/details.json").read_text())
    assert details["split"] == "none"
    assert "iou" not in details
    headline = json.loads((tmp_path / f"reports/pretrain/{KIND}/metrics.json").read_text())
    assert headline.keys() == {"loss", "seconds", "crops_per_second"}
    assert load_bundle(tmp_path / "models/pretrain" / KIND).config.threshold == 0.5


def test_what_is_missing_is_named(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path / "data/prepared")
    parameters(tmp_path, repository)
    monkeypatch.chdir(tmp_path)
    training = load_parameters("training", TrainingParameters)
    with pytest.raises(MissingInputError, match="data/osm/buildings") as masks:
        prepare_run(TEACHER, store, training, load_parameters("pretrain", PretrainParameters))
    assert "osm@buildings" in masks.value.next_step
    with pytest.raises(MissingInputError, match=f"models/pretrain/{KIND}") as model:
        prepare_optical(TEACHER, store, training, load_parameters("optical", OpticalParameters))
    assert "pretrain" in model.value.next_step
    assert store.sensors == [SENSOR]


def test_roads_are_learnt_where_the_clean_labels_are_roads(
    trained: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Store.open(trained / "data/prepared")
    layers = {
        (SENSOR, name): np.stack(
            [np.asarray(plain.layer(SENSOR, name)[row]) for row in range(len(plain.index))]
        )
        for name in ("sar", "optical", "target")
    }
    write_store(tmp_path / "data/prepared", plain.index, pd.DataFrame(), layers, task="roads")
    store = Store.open(tmp_path / "data/prepared")
    write_masks(tmp_path / "data/osm/roads", plain)
    parameters(tmp_path, repository, training={"contour_weight": 0.0})
    monkeypatch.chdir(tmp_path)
    training = load_parameters("training", TrainingParameters)
    pretrain = load_parameters("pretrain", PretrainParameters)
    run = prepare_run(TEACHER, store, training, pretrain)
    assert run.net.config.task == "roads"
    assert run.batches(0).keys() == {"optical", "osm", "scales"}
