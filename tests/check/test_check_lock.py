"""params.lock follows the active profile; DVC never runs the graph of another one."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from components.check.lock import PARTITIONED
from components.contract.graph.load import load_graph
from components.contract.parameters import PARAMS_LOCK
from tests.check.conftest import Check, edit
from tests.conftest import ROOT

SWITCH = ("profile: rehearsal\n", "profile: disoptnet\n")


def locked(pipeline: Path) -> dict[str, dict[str, object]]:
    graph: dict[str, dict[str, object]] = yaml.safe_load((pipeline / PARAMS_LOCK).read_text())["graph"]
    return graph


def test_the_committed_lock_fits_the_committed_profile(pipeline: Path, check: Check) -> None:
    assert check("parameters")[0] == 0
    assert (pipeline / PARAMS_LOCK).read_text() == (ROOT / PARAMS_LOCK).read_text()


def test_a_stale_lock_is_rendered_and_refuses_the_command_that_began_with_it(
    pipeline: Path, check: Check
) -> None:
    edit(pipeline, SWITCH)
    code, printed = check("parameters")
    assert code == 78
    assert "params.lock was rendered anew for profile disoptnet" in printed
    assert "run the command again" in printed
    assert locked(pipeline)["distill"] == {"methods": ["disoptnet"]}
    assert check("parameters")[0] == 0


def test_make_check_renders_a_lock_that_is_stale_damaged_or_gone(pipeline: Path, check: Check) -> None:
    path = pipeline / PARAMS_LOCK
    good = path.read_text()
    for content in ("graph: {}\n", "<<<<<<< HEAD\n", "", None):
        path.unlink()
        if content is not None:
            path.write_text(content)
        code, printed = check()
        assert code == 0, printed
        assert path.read_text() == good


def test_a_lock_that_is_a_folder_is_named(pipeline: Path, check: Check) -> None:
    (pipeline / PARAMS_LOCK).unlink()
    (pipeline / PARAMS_LOCK).mkdir()
    code, printed = check()
    assert code == 78
    assert "params.lock is a folder" in printed


def test_graph_of_runs_and_airflow_is_that_of_the_lock(pipeline: Path, check: Check) -> None:
    ours = load_graph(pipeline / "dvc.yaml", pipeline / "params.yaml", "disoptnet")
    edit(pipeline, SWITCH)
    check()
    assert load_graph(pipeline / "dvc.yaml", pipeline / "params.yaml") == ours
    assert "distill@disoptnet" in ours.addresses
    assert "check" not in ours.addresses
    assert "models/sar/disoptnet" in ours["adapt"].deps


def test_outputs_of_partitions_that_are_no_more_are_removed(pipeline: Path, check: Check) -> None:
    """A folder such as data/prepared is a dependency with all that lies in it."""
    params = pipeline / "params.yaml"
    for count in (3, 2):
        params.write_text(re.sub(r"(?m)^partitions: \d+", f"partitions: {count}", params.read_text()))
        assert check()[0] == 0
        for kind in PARTITIONED:
            for name in ("p00", "p01", "p02", "other"):
                (pipeline / kind / name).mkdir(parents=True, exist_ok=True)
    params.write_text(params.read_text().replace("partitions: 2", "partitions: 1"))
    assert check("parameters")[0] == 78
    for kind in PARTITIONED:
        assert {path.name for path in (pipeline / kind).iterdir()} == {"p00", "other"}
    (pipeline / "data/raw/p01").mkdir()
    assert check()[0] == 0
    assert (pipeline / "data/raw/p01").exists(), "nothing is looked for while the graph is the same"
