"""Pixels that the labels ignore count in no loss, and in no histogram of the selection slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from components.contract.errors import BadDataError, ParameterError
from components.lib.engine.focal import FocalTask
from components.lib.engine.selection import pixel_histogram
from components.lib.engine.supervised import SupervisedTask
from components.lib.engine.task import counted_pixels, target_classes
from components.lib.losses.segmentation import IGNORE
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from tests.lib.engine.tiny import parameters
from tests.lib.engine.tiny_store import SENSOR, make_store

ENCODER = "timm-mobilenetv3_small_minimal_100"


def network(task: str = "roads", **options: Any) -> Any:
    torch.manual_seed(2)
    config = {"kind": "deeplabv3plus", "encoder": ENCODER, "decoder_channels": 16, "sensors": (SENSOR,)}
    return build_network(NetworkConfig.model_validate({**config, "task": task, **options})).eval()


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    sar = torch.randint(1, 255, (2, 4, 64, 64), generator=generator, dtype=torch.uint8)
    target = torch.zeros((2, 3, 64, 64), dtype=torch.uint8)
    target[:, 0, 20:40] = 1
    target[:, 2, :10] = 1
    return {"sar": sar, "target": target}


def test_classes_are_the_first_label_with_data_and_without_doubt() -> None:
    given = batch()
    given["sar"][:, :, -5:] = 0
    classes = target_classes(given["target"], given["sar"], "roads")
    assert (classes[:, :10] == IGNORE).all()
    assert (classes[:, -5:] == IGNORE).all()
    assert (classes[:, 20:40] == 1).all()
    assert (classes[:, 10:20] == 0).all()
    counted = counted_pixels(given["target"], given["sar"], "buildings")
    assert counted[:, :10].all(), "of buildings the third label is a contact"


@pytest.mark.parametrize("losses", [SupervisedTask, FocalTask])
def test_ignored_pixels_count_in_no_loss(losses: type[SupervisedTask]) -> None:
    task, given = losses(network()), batch()
    honest = task.losses(given)["loss"]
    lies = {**given, "target": given["target"].clone()}
    lies["target"][:, 0, :10] = 1
    assert torch.equal(task.losses(lies)["loss"], honest)
    lies["target"][:, 2] = 0
    assert not torch.equal(task.losses(lies)["loss"], honest)


def road_store(folder: Path) -> Store:
    """The tiny store with its target as roads, of which the upper rows are ignored."""
    plain = make_store(folder / "buildings")
    layers = {(SENSOR, name): np.array(plain.layer(SENSOR, name)) for name in ("sar", "target", "optical")}
    layers[SENSOR, "target"][:, :30] |= 4
    write_store(folder / "roads", plain.index, pd.DataFrame(), layers, task="roads")
    return Store.open(folder / "roads")


def test_ignored_pixels_count_in_no_histogram(tmp_path: Path) -> None:
    store, net = road_store(tmp_path), network()
    rows = store.rows(SENSOR, "selection")
    found = pixel_histogram(net, store, SENSOR, rows, device=torch.device("cpu"))
    counts = found.counts(0.5)
    assert counts.tp + counts.fp + counts.fn + counts.tn == 2 * 66 * 96


def test_a_network_and_a_store_of_different_tasks_are_refused(tmp_path: Path) -> None:
    store = road_store(tmp_path)
    rows = store.rows(SENSOR, "selection")
    with pytest.raises(BadDataError, match=r"predicts buildings, and .* has labels of roads") as caught:
        pixel_histogram(network("buildings"), store, SENSOR, rows, device=torch.device("cpu"))
    assert "prepare.task" in caught.value.next_step


def test_networks_of_roads_have_no_contour_head() -> None:
    assert parameters(contour_weight=0.5).wants_contours("buildings")
    assert not parameters(contour_weight=0.0).wants_contours("roads")
    with pytest.raises(ParameterError, match=r"training\.contour_weight"):
        parameters(contour_weight=0.5).wants_contours("roads")
    with pytest.raises(ValueError, match="no contour head"):
        network(contours=True)
