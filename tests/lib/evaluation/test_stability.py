from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.lib.evaluation.stability import Stability, read_evidence

MEASURED = {"control_spread_iou": 0.01, "student_spread_iou": 0.02, "threads_spread_iou": 0.005, "draws": 5}
GAIN = {"method": "concord", "against": "control", "metric": "iou", "sensor": "s", "value": 0.07}


def write(folder: Path, **document: object) -> Path:
    path = folder / "evidence.json"
    path.write_text(json.dumps(document))
    return path


def test_the_least_difference_is_two_deviations_of_a_difference() -> None:
    assert Stability.model_validate(MEASURED).least_difference == pytest.approx(2 * 2**0.5 * 0.02)


def test_gains_over_the_control_are_read(tmp_path: Path) -> None:
    others = [GAIN | {"against": "disoptnet"}, GAIN | {"metric": "f1"}, GAIN | {"method": "x", "value": None}]
    evidence = read_evidence(write(tmp_path, stability=MEASURED, differences=[GAIN, *others]))
    assert evidence.stability == Stability.model_validate(MEASURED)
    assert evidence.differences == {("concord", "s"): 0.07}


def test_the_spread_may_be_unmeasured(tmp_path: Path, repository: Path) -> None:
    assert read_evidence(write(tmp_path, differences=[])).stability is None
    assert read_evidence(repository / ".assets/evidence/evidence.json").differences


@pytest.mark.parametrize("broken", [{"stability": {"draws": 5}}, {"differences": [{"method": "a"}]}])
def test_something_else_is_refused(tmp_path: Path, broken: dict[str, object]) -> None:
    with pytest.raises(BadDataError, match=r"evidence\.json") as caught:
        read_evidence(write(tmp_path, **broken))
    assert "report.stability" in caught.value.next_step
    with pytest.raises(MissingInputError):
        read_evidence(tmp_path / "absent.json")


@pytest.mark.parametrize("content", ["{not json", json.dumps({"differences": [GAIN | {"value": "a"}]})])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(content)
    with pytest.raises(BadDataError, match="does not hold evidence"):
        read_evidence(path)
