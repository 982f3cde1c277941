"""The task of a store is kept in its index, and a model of another one is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from components.contract.errors import BadDataError
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.store.layout import INDEX_FILE, with_task, write_index
from components.lib.store.store import Store
from components.lib.tasks.names import TASK_NAMES, TaskName
from tests.lib.store.tiny_store import tiny_store


@pytest.mark.parametrize("task", TASK_NAMES)
def test_the_index_keeps_the_task(tmp_path: Path, task: TaskName) -> None:
    store, _ = tiny_store(tmp_path)
    write_index(store.folder, store.index, store.partitions, task)
    assert Store.open(store.folder).task == task


def test_the_index_of_buildings_has_the_bytes_of_one_without_a_task(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2]})
    table.to_parquet(tmp_path / "plain.parquet", index=False)
    with_task(with_task(table, "roads"), "buildings").to_parquet(tmp_path / "named.parquet", index=False)
    assert (tmp_path / "plain.parquet").read_bytes() == (tmp_path / "named.parquet").read_bytes()


def test_an_unknown_task_is_a_damaged_index(tmp_path: Path) -> None:
    store, _ = tiny_store(tmp_path)
    index = store.index.copy()
    index.attrs["task"] = "rails"
    index.to_parquet(store.folder / INDEX_FILE, index=False)
    with pytest.raises(BadDataError, match="unknown task 'rails'"):
        Store.open(store.folder)


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=("a",),
        task="roads",
    )
    save_bundle(tmp_path / "net", build_network(config), {})
    assert load_bundle(tmp_path / "net", task="roads").config.task == "roads"
    with pytest.raises(BadDataError, match="predicts roads; one of buildings"):
        load_bundle(tmp_path / "net", task="buildings")
    assert NetworkConfig(kind="deeplabv3plus", encoder="resnet18", sensors=("a",)).task == "buildings"
