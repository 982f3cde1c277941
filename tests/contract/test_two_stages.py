"""Optional edge of the graph: stage optical depends on pre-trained teachers where it starts from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.contract.graph.load import load_graph
from components.contract.graph.lock import render_lock
from components.contract.graph.model import Graph
from components.contract.parameters import PARAMS_LOCK
from components.contract.partitions import START_PATHS, graph_values
from tests.conftest import ROOT
from tests.contract.test_graph import seen_by_dvc, seen_by_us

ON = (
    ("  tasks: []                    # stages osm", "  tasks: [buildings]           # stages osm"),
    ("  kinds: []                    # teachers", "  kinds: [deeplabv3plus]       # teachers"),
)
START = ("  start: null  ", "  start: pretrain  ")


def parameters(folder: Path, *changes: tuple[str, str]) -> Path:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def graph(folder: Path, *changes: tuple[str, str]) -> Graph:
    return load_graph(ROOT / "dvc.yaml", parameters(folder, *changes))


def test_while_it_is_off_there_is_no_stage_and_no_edge(tmp_path: Path) -> None:
    found = graph(tmp_path)
    assert not [address for address in found.addresses if address.startswith("pretrain")]
    assert START_PATHS[None] in found["optical@deeplabv3plus"].deps
    assert {writer for writer, reader in found.edges if reader == "optical@deeplabv3plus"} == {
        "prepare@p00",
        "split",
    }


def test_pretrained_teachers_alone_change_nothing_for_the_others(tmp_path: Path) -> None:
    found = graph(tmp_path, *ON)
    assert ("osm@buildings", "pretrain@deeplabv3plus") in found.edges
    assert ("pretrain@deeplabv3plus", "optical@deeplabv3plus") not in found.edges
    assert found["optical@deeplabv3plus"] == graph(tmp_path)["optical@deeplabv3plus"]


def test_one_parameter_makes_teachers_start_from_them(tmp_path: Path) -> None:
    found = graph(tmp_path, *ON, START)
    assert ("pretrain@deeplabv3plus", "optical@deeplabv3plus") in found.edges
    assert found["pretrain@deeplabv3plus"].requirements == found["optical@deeplabv3plus"].requirements
    order = list(found.order())
    assert (
        order.index("osm@buildings")
        < order.index("pretrain@deeplabv3plus")
        < order.index("optical@deeplabv3plus")
    )
    lock = render_lock(ROOT / "dvc.yaml", parameters(tmp_path, *ON, START))
    assert '"start": "models/pretrain"' in lock


def test_dvc_sees_the_same_edges(tmp_path: Path) -> None:
    found = graph(tmp_path, *ON, START)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    lock = render_lock(tmp_path / "dvc.yaml", tmp_path / "params.yaml")
    (tmp_path / PARAMS_LOCK).write_text(lock, encoding="utf-8")
    stages, edges = seen_by_dvc(tmp_path)
    stages.pop("check")
    assert seen_by_us(found) == (stages, frozenset(edge for edge in edges if edge[0] != "check"))


@pytest.mark.parametrize(
    ("start", "path"),
    [(None, "data/prepared/index.parquet"), ("pretrain", "models/pretrain"), ("osm", "osm"), ([1], [1])],
)
def test_a_start_is_a_path_in_the_graph_and_a_wrong_one_stays_for_the_check(
    start: object, path: object
) -> None:
    assert graph_values({"optical": {"start": start}})["optical"]["start"] == path
    assert graph_values({"optical": 3}) == {"optical": 3}
