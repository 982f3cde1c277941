"""A tiny store of pairs, and change networks of known quality."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import torch
import yaml

from components.lib.change.nets.bundle import build_change, save_change
from components.lib.change.nets.config import ChangeConfig, DateConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.pair import ChangedBuilding
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from components.lib.change.terms import Modality
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.served import CHANGE_MODEL
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.change.decide import ChangePromotion, decide_change, open_ground
from components.promote.parameters import ChangeRules, TrainingSpread
from components.promote.reproduce import Reproduction, score_digest
from components.promote.scores import CleanTestScores
from tests.lib.change.pairs import facts, image, make_pair
from tests.promote.world import FINDS, PARAMETERS, ROOT

DATA_SET, SIDE = "tiny", 32
RULES = ChangeRules(
    candidates=("sgsln",),
    control=None,
    metric="iou",
    min_area_px=4,
    min_blocks=2,
    floor=0.02,
    training_spread=TrainingSpread(iou=0.01, f1=0.01),
)
"""A few scenes: for tests of the machinery only."""

SETTINGS = PARAMETERS.model_copy(update={"change": RULES})
EVERYWHERE, NOWHERE = 5.0, -5.0
"""Logits of networks that find change in every pixel and in none."""


def write_change_world(root: Path, *, test_pairs: int = 6, leaks: int = 0) -> None:
    """Everything that the gate reads but the models: one changed building of 12 x 12 pixels per pair."""
    pairs = [make_pair("train", size=(SIDE, SIDE))]
    for number in range(test_pairs):
        left = 4 + 2 * number
        label = np.zeros((SIDE, SIDE), np.uint8)
        label[8:20, left : left + 12] = 1
        after = image(number, (SIDE, SIDE), "optical") // 4
        after[label == 1] = 250
        pairs.append(
            make_pair(
                f"test-{number}",
                "test",
                size=(SIDE, SIDE),
                seed=number,
                label=label,
                after={"optical": after},
                buildings=(ChangedBuilding("added", shapely.box(left, 8, left + 12, 20)),),
            )
        )
    write_pairs(root / "data/pairs" / DATA_SET, pairs, facts(tile_px=SIDE))
    report = root / "reports/pairs" / DATA_SET / "metrics.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"left_out_share": 0.0, "leaks": leaks}))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["promote"] = SETTINGS.model_dump(mode="json")
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def write_change_model(
    method: str,
    logit: float,
    *,
    data_set: str = DATA_SET,
    threshold: float = 0.5,
    after: Modality = "optical",
    folder: Path | None = None,
) -> Path:
    """A network whose logits of change are ``logit`` everywhere; with ``FINDS`` it finds the test's change.

    It is written to ``models/change/<method>`` unless another folder is given.
    """
    torch.manual_seed(0)
    bands: dict[Modality, int] = {"optical": 3, "sar": 4}
    kinds: tuple[Modality, Modality] = ("optical", after)
    first, second = (
        DateConfig.of(kind, sensor=data_set, mean=(100.0,) * bands[kind], std=(60.0,) * bands[kind])
        for kind in kinds
    )
    net = build_change(ChangeConfig(kind=method, before=first, after=second, width=8, threshold=threshold))
    last = [module for module in net.head.modules() if isinstance(module, torch.nn.Conv2d)][-1]  # type: ignore[union-attr]
    with torch.no_grad():
        last.weight.zero_()
        assert last.bias is not None
        last.bias.fill_(logit)
    if logit == FINDS:
        _fit(net, last)
    place = folder or Path("models/change") / method
    save_change(place, net, {"stage": f"change@{method}"})
    return place


def _fit(net: ChangeNetwork, last: torch.nn.Conv2d) -> None:
    """Fit the last layer to the truth of the test pairs by least squares."""
    store = PairStore.open(Path("data/pairs") / DATA_SET)
    rows = store.rows("test")
    names = ("before_optical", "after_optical", "label")
    before, after, label = (torch.from_numpy(np.array(store.layer(name)[rows])) for name in names)
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    net.predict(before.permute(0, 3, 1, 2), after.permute(0, 3, 1, 2))
    hook.remove()
    side = last.kernel_size[0]
    around = torch.nn.functional.unfold(seen[0], side, padding=side // 2)  # (N, C * side**2, H * W)
    columns = around.permute(0, 2, 1).reshape(-1, around.shape[1]).double()
    columns = torch.cat([columns, torch.ones(len(columns), 1)], dim=1)
    solved = torch.linalg.lstsq(columns, label.double().reshape(-1) - 0.25).solution
    with torch.no_grad():
        assert last.bias is not None
        last.weight.copy_(10.0 * solved[:-1].reshape(last.weight.shape))
        last.bias[0] = 10.0 * solved[-1]


def change_settings(tracking: TrackingParameters, **changes: Any) -> ChangePromotion:
    """The gate in the working directory, the fresh process replaced by this one."""
    settings = ChangePromotion(
        method="sgsln", parameters=SETTINGS, tracking=tracking, leaks_sought=True, reproducer=score_here
    )
    return replace(settings, **changes)


def score_here(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
    """Score the registered artefact in this process."""
    ground = open_ground(folder, Path("data/pairs"), SETTINGS, device)
    answer = score_digest(folder, ground)
    return Reproduction(answer["digest"] == expected.digest, "scored here")


def judged(settings: ChangePromotion, logit: float | None = None, **model: Any) -> dict[str, Any]:
    """Make the method's model give this logit, if any, judge it, and return its part of the decision."""
    if logit is not None:
        write_change_model(settings.method, logit, **model)
    part: dict[str, Any] = decide_change(settings)["models"][CHANGE_MODEL]
    return part


def change_registry(settings: ChangePromotion) -> ChampionRegistry:
    """Return the change model's champion."""
    return ChampionRegistry(connect(settings.tracking), open_ledgers(SETTINGS.ledger), CHANGE_MODEL)
