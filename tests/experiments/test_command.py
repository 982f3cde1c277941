"""The command as a whole: runs, reuse of finished trials, reruns after changes, failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import components.experiments.__main__ as experiments
from components.contract.errors import ParameterError
from components.experiments import trial
from components.experiments.grid import Variant
from components.experiments.session import EvidenceIncompleteError, Options, Session
from components.experiments.world import World
from tests.conftest import ROOT
from tests.experiments.toy_grid import GRID
from tests.experiments.workspace import Workspace

ALL = sorted(
    [f"{m} {s}" for m in ("optical", "sar/none", "sar/disoptnet", "sar/concord", "adapted") for s in (1, 2)]
    + ["sar/concord 1"]
)


def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("reports/evidence/evidence.json").read_text())
    return content


def test_a_whole_run_writes_the_evidence_and_a_second_trains_nothing(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workspace.run(dry_run=True) == 0
    assert "15 of 15 cells to do" in capsys.readouterr().out
    assert not Path("var/evidence/evidence/cells").exists()
    assert workspace.run() == 0
    assert workspace.ran() == ALL
    made = document()
    assert made["simulated"] is True
    assert made["missing"] == made["left_out"] == []
    assert {row["method"] for row in made["rows"]} == {row["method"] for row in made["methods"]}
    assert {row["sensor"] for row in made["rows"] if row["method"] in {"oracle", "source_only"}} == {
        "simulated-spaceborne"
    }
    cells = {(cell["method"], cell["seed"]): cell for cell in made["cells"]}
    assert len(cells) == 15
    # The derived bundle has the same weights and another map.
    assert cells["disoptnet", 1]["weights_sha256"] == cells["disoptnet_branch_s", 1]["weights_sha256"]
    whole, half = (
        [r["value"] for r in made["rows"] if r["method"] == m and r["metric"] == "iou"]
        for m in ("disoptnet", "disoptnet_branch_s")
    )
    assert whole != half
    before = Path("reports/evidence/evidence.json").read_bytes()
    assert workspace.run(publish=True) == 0
    assert workspace.ran() == []
    assert Path(".assets/evidence/evidence.json").read_bytes() == before
    assert workspace.run(dry_run=True) == 0
    assert "0 of 15 cells to do" in capsys.readouterr().out
    assert {p.name for p in Path("reports/evidence").iterdir()} == {
        "evidence.json",
        "table.md",
        "source.png",
        "ablations.png",
        "target.png",
    }


def test_a_change_redoes_only_what_it_touches(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "report", lambda *_: None)  # another test's matter, and most of the time
    options: dict[str, Any] = {"methods": ("control", "concord_wide"), "seeds": (1,)}
    workspace.run(**options)
    assert workspace.ran() == ["optical 1", "sar/concord 1", "sar/none 1"]
    # One row's override: its trial alone.
    options["grid"] = with_width(GRID, "concord_wide", 3)
    workspace.run(**options)
    assert workspace.ran() == ["sar/concord 1"]
    # Upstream weights: what builds on them.
    options["grid"] = with_width(options["grid"], "teacher", 9)
    workspace.run(**options)
    assert workspace.ran() == ["optical 1", "sar/concord 1"]
    # Keys without effect train nothing; changed code of the scoring scores again and trains nothing.
    scored = Path("var/evidence/evidence/cells/control/seed-1/scored.json")
    before = scored.stat().st_mtime_ns
    workspace.write_params(training={"seed": 5, "lr": 0.1, "log_every": 1})
    scoring_code = workspace.root / "components/lib/scoring/code.py"
    scoring_code.parent.mkdir(parents=True)
    scoring_code.write_text("# new")
    workspace.run(**options)
    assert workspace.ran() == []
    assert scored.stat().st_mtime_ns > before
    # The stage's code: everything.
    workspace.code("two")
    workspace.run(**options)
    assert workspace.ran() == ["optical 1", "sar/concord 1", "sar/none 1"]


def test_threads_are_part_of_a_trial_and_do_not_depend_on_jobs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "report", lambda *_: None)
    options: dict[str, Any] = {"methods": ("control",), "seeds": (1,)}
    training = {"seed": 0, "lr": 0.1, "log_every": 10}
    workspace.write_params(training={**training, "threads": 2})
    sessions = [Session(workspace.options(**options, jobs=jobs)) for jobs in (1, 8)]
    few, many = ({k: v for k, v in s.processes.environment.items() if "THREADS" in k} for s in sessions)
    assert few == many == {k: v for k, v in os.environ.items() if "THREADS" in k}
    assert [session.scorer.threads for session in sessions] == [2, 2]
    workspace.run(**options, jobs=1)
    assert workspace.ran() == ["sar/none 1"]
    workspace.run(**options, jobs=8)
    assert workspace.ran() == []
    workspace.write_params(training={**training, "threads": 1})
    workspace.run(**options, jobs=8)
    assert workspace.ran() == ["sar/none 1"]


def with_width(grid: Sequence[Variant], name: str, width: int) -> tuple[Variant, ...]:
    """The grid with another override in one row."""
    overrides = {"optical": {"width": width}}
    return tuple(replace(m, overrides=overrides) if m.name == name else m for m in grid)


def test_a_failed_cell_names_itself_and_the_others_go_on(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.control / "fail-sar-concord").touch()
    with pytest.raises(EvidenceIncompleteError) as raised:
        workspace.run(seeds=(1,), jobs=1)
    assert "2 cells failed, 2 that build on them" in raised.value.message
    assert "var/evidence/evidence/cells/concord/seed-1/train.log" in raised.value.message
    assert "the disk is full" in caplog.text
    assert workspace.ran() == sorted(
        ["optical 1", "sar/none 1", "sar/disoptnet 1", "sar/concord 1", "sar/concord 1"]
    )
    assert not Path("reports/evidence").exists()
    workspace.run(seeds=(1,), allow_missing=True)
    made = document()
    assert made["missing"] == [
        "concord, seed 1",
        "concord_wide, seed 1",
        "oracle, seed 1",
        "source_only, seed 1",
    ]
    assert {row["method"] for row in made["rows"]} == {
        "teacher",
        "control",
        "disoptnet",
        "disoptnet_branch_s",
    }
    assert "**Missing** (failed): concord, seed 1" in Path("reports/evidence/table.md").read_text()
    workspace.ran()
    (workspace.control / "fail-sar-concord").unlink()
    monkeypatch.setattr(Session, "report", lambda *_: None)
    workspace.run(seeds=(1,))
    assert workspace.ran() == sorted(["sar/concord 1", "sar/concord 1", "adapted 1"])


def test_a_killed_run_goes_on_and_ends_what_it_left_behind(workspace: Workspace) -> None:
    # It hangs until it is asked to stop; an attempt after that does not.
    (workspace.control / "hang-sar-none").touch()
    command = [sys.executable, "-m", "tests.experiments.toy_grid"]
    with Path("first.log").open("wb") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        first = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    limit = time.monotonic() + 120
    ran = workspace.control / "ran"
    while not (ran.exists() and "sar/none" in ran.read_text()):
        assert first.poll() is None, Path("first.log").read_text()
        assert time.monotonic() < limit
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    work = Path("var/evidence/evidence/cells/control/seed-1/work")
    os.kill(int((work / "child.pid").read_text()), 0)  # left behind, and still at work
    assert workspace.ran() == ["sar/none 1"]
    assert not (work / "stopped").exists()
    workspace.run(methods=("control",), seeds=(1,))
    assert (work / "stopped").exists()
    assert workspace.ran() == ["sar/none 1"]


def test_wrong_names_are_reported_before_anything_runs(workspace: Workspace) -> None:
    with pytest.raises(ParameterError, match="'concord'"):
        workspace.run(methods=("concrod",))
    with pytest.raises(ParameterError, match="not declared"):
        workspace.run(profile="small")
    with pytest.raises(ParameterError, match="ablation_seeds"):
        workspace.run(seeds=(1,), ablation_seeds=(2,))
    assert workspace.ran() == []


def test_the_command_line_becomes_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Options] = []

    def note(options: Options) -> int:
        given.append(options)
        return 0

    monkeypatch.setattr(experiments, "run_grid", note)
    assert experiments.main([]) == 0
    line = "--profile p --seeds 1 2 --ablation-seeds 1 --methods control --jobs 3 --store /a/s --dry-run"
    assert experiments.main([*line.split(), "--allow-missing", "--publish"]) == 0
    assert given[0] == Options()
    assert given[1] == Options(
        profile="p",
        seeds=(1, 2),
        ablation_seeds=(1,),
        methods=("control",),
        jobs=3,
        store=Path("/a/s"),
        dry_run=True,
        allow_missing=True,
        publish=True,
    )
    assert given[1].as_command() == (
        "python -m components.experiments --profile p --seeds 1 2 --ablation-seeds 1 --methods control "
        "--store s --allow-missing"
    )


def test_another_map_of_the_same_weights_has_a_threshold_of_its_own(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def chosen(bundle: Path, world: World) -> float:
        seen.append(json.loads((bundle / "model.json").read_text())["config"]["output"])
        return 0.31

    monkeypatch.setattr(trial, "_own_threshold", chosen)
    workspace.run(methods=("disoptnet_branch_s", "source_only"), seeds=(1,), jobs=1)
    cells = Path("var/evidence/evidence/cells")
    configs = {
        name: json.loads((cells / name / f"seed-1/work/models/{model}/model.json").read_text())["config"]
        for name, model in (("disoptnet_branch_s", "sar/disoptnet"), ("source_only", "sar/concord"))
    }
    assert seen == ["branch_s"], "an unchanged network keeps its threshold"
    assert configs["disoptnet_branch_s"]["threshold"] == 0.31
    assert configs["source_only"]["threshold"] == 0.5
