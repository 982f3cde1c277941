"""The profiles named after a method set what its authors released; the profile `change` has its branch."""

from __future__ import annotations

from typing import Any

import pytest

from components.adapt.parameters import AdaptParameters
from components.adapt.train import training_of
from components.contract.graph.load import load_graph
from components.contract.parameters import resolve
from components.lib.config.scoring import ScoringSettings
from components.lib.engine.inputs import sar_statistics
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.disoptnet import DisOptNetParameters
from components.lib.nets.parts import aspp_rates
from components.optical.parameters import OpticalParameters
from tests.conftest import ROOT
from tests.parameter_documents import document


def sections(profile: str) -> dict[str, Any]:
    """The sections as every stage sees them under a profile."""
    return resolve({**document(), "profile": profile})


RECIPE: dict[str, dict[str, Any]] = {
    # docs/methods/distillation.md#training-recipe and #teacher.
    "training": {
        "encoder": "efficientnet-b3",
        "encoder_weights": "imagenet",
        "decoder_channels": 256,
        "aspp_rates": "reference",
        "aspp_dropout": 0.5,
        "crop": 512,
        "batch": 8,
        "scale_jitter": None,
        "contour_weight": 0.0,
        "optimiser": "sgd",
        "lr": 5e-3,
        "warmup_share": 0.0,
        "schedule": "reference",
        "momentum": 0.9,
        "clip_norm": None,
        "average_share": None,
        "weight_decay": 1e-4,
        "sar_normalisation": "reference",
        "precision": "32",
    },
    "optical": {"batch": 16, "epochs": 200, "crops_per_tile": 1, "rot90": True},
    "distill": {"epochs": 200, "crops_per_tile": 1},
    "scoring": {"threshold": 0.5, "vectorise": "plain", "scales": [1.0], "flip": False},
}


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, values in RECIPE.items() for key in values]
)
def test_disoptnet_is_trained_as_released(section: str, key: str) -> None:
    assert sections("disoptnet")[section][key] == RECIPE[section][key]


def test_disoptnets_losses_and_network_are_those_released() -> None:
    given = sections("disoptnet")
    method = DisOptNetParameters.model_validate(given["methods"]["disoptnet"])
    assert (method.features, method.output, method.soft_ramp) == (["f4", "f5", "decoder"], "fused", 0.0)
    assert method.lr is None
    training = TrainingParameters.model_validate(given["training"])
    assert aspp_rates(training.aspp_rates, training.crop) == (12, 24, 36)
    mean, std = sar_statistics(training.sar_normalisation, (0.0, 254.0))
    assert [value - 1 for value in mean] == [127.5] * 4
    assert std == (31.875,) * 4
    assert OpticalParameters.model_validate(given["optical"]).teacher.batch == 16
    assert ScoringSettings.model_validate(given["scoring"]).threshold == 0.5
    assert given["acquisitions"] == ["spacenet6-train"]
    assert given["adapt"]["target"] is None
    assert (given["distill"]["methods"], given["adapt"]["start_from"]) == (["disoptnet"], "disoptnet")


def test_the_release_of_ours_and_the_released_method_differ_in_what_is_ours() -> None:
    ours, released = sections("spacenet6")["training"], sections("disoptnet")["training"]
    changed = {key for key in ours if ours[key] != released[key]}
    assert changed >= {"aspp_rates", "scale_jitter", "contour_weight"}
    for key in ("encoder", "decoder_channels", "crop", "batch", "lr", "schedule", "sar_normalisation"):
        assert ours[key] == released[key]


def test_lovecs_adapts_as_released() -> None:
    given = sections("lovecs")
    adapt = AdaptParameters.model_validate(given["adapt"])
    training = training_of(TrainingParameters.model_validate(given["training"]), adapt)
    # docs/methods/adaptation.md#training-recipe and #pseudo-labels.
    assert (training.momentum, training.weight_decay, training.clip_norm) == (0.9, 5e-4, 35.0)
    assert (training.optimiser, training.warmup_share, training.average_share) == ("sgd", 0.0, None)
    assert (training.batch, training.crop, training.contour_weight) == (8, 512, 0.0)
    assert (given["training"]["lr"], training.schedule) == (1e-2, "plain")
    assert training.lr == pytest.approx(1e-2 * (1 - 10_000 / 15_000) ** 0.9, rel=1e-3)
    assert (adapt.target_loss, adapt.target_weight) == ("ce", 0.5)
    assert (adapt.rounds, adapt.portion, adapt.balance, adapt.fusion) == (3, 0.1, "predicted", "logits")
    assert (adapt.normalisation, adapt.statistics) == ("per_sensor", "copied")
    assert (adapt.inputs, adapt.stems, adapt.guard, adapt.warmup_share) == ("shared", "shared", None, 0.0)
    assert adapt.factors == pytest.approx([scale * 0.3 / 1.0 for scale in (2.0, 2.5, 3.0, 3.5)])
    assert given["distill"]["epochs"] == 2 * adapt.epochs
    assert (given["distill"]["methods"], adapt.start_from) == (["semantic_fpn"], "semantic_fpn")
    assert (given["training"]["encoder"], given["training"]["decoder_channels"]) == ("resnet50", 256)


def test_the_profile_change_has_every_stage_of_the_branch() -> None:
    files = (ROOT / "dvc.yaml", ROOT / "params.yaml")
    added = set(load_graph(*files, "change").addresses) - set(load_graph(*files, "smoke").addresses)
    assert added == {
        "pairs@simulated",
        "change@sgsln",
        "change@siamese_unet",
        "evaluate_change@sgsln",
        "evaluate_change@siamese_unet",
        "promote_change@sgsln",
    }
    given = sections("change")
    assert given["promote"]["change"]["control"] == "siamese_unet"
    for name in ("world", "training", "optical", "distill", "adapt", "scoring"):
        assert given[name] == sections("smoke")[name], "the buildings are as short as they can be"
