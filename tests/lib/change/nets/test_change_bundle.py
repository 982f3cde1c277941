from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.change.nets.bundle import build_change, load_change_bundle, save_change
from components.lib.nets.bundle import load_bundle
from components.lib.nets.sealed import SEAL, SIGNATURE, WEIGHTS, seal_of
from tests.lib.change.configs import SAR, config, image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    net = build_change(config(threshold=0.25, exchange_every=4))
    save_change(tmp_path / "change/sgsln", net, {"seed": 17})
    return tmp_path / "change/sgsln"


def edit(folder: Path, **changes: Any) -> None:
    """Change the signature as another version of the code would write it: sealed."""
    signature = {**json.loads((folder / SIGNATURE).read_text()), **changes}
    (folder / SIGNATURE).write_text(json.dumps({**signature, SEAL: seal_of(signature)}))


@pytest.mark.parametrize("kind", ["sgsln", "siamese_unet", "exchange_unet"])
def test_round_trip(kind: str, tmp_path: Path) -> None:
    net = build_change(config(kind, after=SAR))
    net(image(1), image(2, bands=4))
    save_change(tmp_path / "model", net, {"metrics": {"f1": 0.5}})
    state = torch.get_rng_state()
    loaded = load_change_bundle(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), state), "a caller's random numbers do not notice"
    assert loaded.config == net.config
    assert loaded.metadata == {"metrics": {"f1": 0.5}}
    assert not loaded.training
    assert torch.equal(loaded(image(1), image(2, bands=4)), net.predict(image(1), image(2, bands=4)))


def test_what_was_changed_is_refused(folder: Path) -> None:
    text = (folder / SIGNATURE).read_text()
    (folder / SIGNATURE).write_text(text.replace('"threshold": 0.25', '"threshold": 0.75'))
    with pytest.raises(BadDataError, match=r"not what was sealed(.|\n)*dvc repro --force change"):
        load_change_bundle(folder)


def test_other_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    save_change(tmp_path / "other", build_change(config()), {})
    (folder / WEIGHTS).write_bytes((tmp_path / "other" / WEIGHTS).read_bytes())
    with pytest.raises(BadDataError, match="does not have the SHA-256"):
        load_change_bundle(folder)


def test_weights_that_do_not_fit_are_refused(folder: Path) -> None:
    edit(folder, config=config(width=16).model_dump(mode="json"))
    with pytest.raises(BadDataError, match="does not fit the network"):
        load_change_bundle(folder)


def test_an_unknown_kind_is_refused(folder: Path) -> None:
    for kind in ("concord", "unheard_of"):
        edit(folder, config={**config().model_dump(mode="json"), "kind": kind})
        with pytest.raises(BadDataError, match=f"unknown network '{kind}'"):
            load_change_bundle(folder)


def test_networks_of_one_date_and_of_two_are_not_mixed_up(folder: Path) -> None:
    with pytest.raises(BadDataError, match="its change network compares two dates"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("kind", "encoder", "words"),
    [("siamese_unet", "resnet19", "unknown encoder"), ("exchange_unet", "efficientnet-b0", "stage by stage")],
)
def test_an_encoder_is_named_by_its_own_parameter(kind: str, encoder: str, words: str) -> None:
    wrong = config(kind).model_copy(update={"encoder": encoder})
    with pytest.raises(ParameterError, match=rf"^methods\.{kind}\.encoder: '?.*{words}"):
        build_change(wrong)


def test_an_absent_model_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="change"):
        load_change_bundle(tmp_path / "nothing")
