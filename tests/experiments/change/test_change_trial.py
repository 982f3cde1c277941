"""Rows and trials of the comparison of change networks; no network is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.identity import ROOT
from components.experiments.change import __main__ as command
from components.experiments.change.__main__ import Options, compare
from components.experiments.change.rows import REFERENCE, ROWS
from components.experiments.comparison import ComparisonIncompleteError, rows_by_name
from components.experiments.processes import StageFailedError, StageProcesses
from tests.experiments.change.stamps import stamp


def test_ablations_and_kinds_of_images_differ_from_the_reference_in_one_thing() -> None:
    (reference,) = rows_by_name([REFERENCE], ROWS)
    for row in ROWS:
        if row.group != "networks":
            own = {**row.overrides["methods"]["sgsln"], **row.overrides["change"]}
            common = reference.overrides["methods"]["sgsln"].items()
            more = dict(own.items() - common)
            assert set(more) in ({"exchange"}, {"exchange_every"}, {"before", "after"}), row.name
            assert own.items() >= common


def test_an_unknown_row_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no row 'sgsln_9'; the nearest valid one is 'sgsln_8'"):
        rows_by_name(["sgsln_9"], ROWS)


class FakeProcesses(StageProcesses):
    """Stages that write the reports of a finished training and evaluation, or fail for one seed."""

    ran: list[tuple[str, int]] = []  # noqa: RUF012 - cleared by the fixture
    failing: int | None = None

    def run(self, command: Sequence[str], folder: Path, log: Path, *, label: str) -> float:
        module, method = command[2], command[-1]
        seed = yaml.safe_load((folder / "params.yaml").read_text())["profiles"]["trial"]["training"]["seed"]
        self.ran.append((module, seed))
        if seed == self.failing:
            raise StageFailedError(f"{label}: left with 71", next_step=f"read {log}")
        stage, key = (
            ("change", "training") if module == "components.change" else ("evaluate_change", "scores")
        )
        report = folder / "reports" / stage / method / "details.json"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(stamp(seed, 8, 2)[key]))
        return 1.0


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setattr(command, "StageProcesses", FakeProcesses)
    monkeypatch.setattr(FakeProcesses, "ran", [])
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs/index.parquet").write_bytes(b"pairs")
    return Options(
        profile="rehearsal",
        rows=(REFERENCE,),
        seeds=(17, 18),
        pairs=tmp_path / "pairs",
        folder=tmp_path / "var",
        out=tmp_path / "out",
        params=ROOT / "params.yaml",
    )


def test_finished_trials_are_kept_until_the_pairs_change(options: Options) -> None:
    assert compare(options) == 0
    stages = ["components.change", "components.evaluate.change"]
    assert FakeProcesses.ran == [(stage, seed) for seed in (17, 18) for stage in stages]
    written = json.loads((options.out / "comparison.json").read_text())
    assert written["rows"][0]["seeds"] == [17, 18]
    compare(options)
    assert len(FakeProcesses.ran) == 4
    assert options.pairs is not None
    (options.pairs / "index.parquet").write_bytes(b"other pairs")
    compare(options)
    assert len(FakeProcesses.ran) == 8


@pytest.mark.parametrize("wrong", [{"seeds": (17, 17)}, {"seeds": (-1,)}, {"jobs": 0}])
def test_seeds_are_distinct_and_there_is_a_job(options: Options, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="seeds must be distinct"):
        replace(options, **wrong)


def test_a_failed_trial_leaves_the_others_and_is_named(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProcesses, "failing", 17)
    with pytest.raises(ComparisonIncompleteError, match="sgsln_8, seed 17"):
        compare(replace(options, jobs=2))
    assert json.loads((options.out / "comparison.json").read_text())["rows"][0]["seeds"] == [18]
