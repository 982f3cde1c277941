from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.adapt.parameters import AdaptParameters
from components.adapt.pseudo_labels import round_of, round_starts
from components.contract.errors import ParameterError
from components.lib.config.loader import load_parameters


def test_the_references_rounds() -> None:
    # 15,000 iterations, the first 10,000 on the source alone, rounds evenly after them.
    starts = round_starts(15000, warmup_share=2 / 3, rounds=3)
    assert starts == [10000, 11666, 13333]
    assert [round_of(step, starts) for step in (0, 9999, 10000, 11665, 11666, 14999)] == [-1, -1, 0, 0, 1, 2]


@given(st.integers(1, 500), st.floats(0, 0.99), st.integers(1, 20))
def test_every_round_has_steps(steps: int, share: float, rounds: int) -> None:
    starts = round_starts(steps, warmup_share=share, rounds=rounds)
    assert starts[0] == min(int(share * steps), steps - 1)
    assert starts == sorted(set(starts))
    assert 1 <= len(starts) <= rounds
    assert starts[-1] < steps
    assert round_of(steps - 1, starts) == len(starts) - 1


@pytest.mark.parametrize("profile", ["rehearsal", "smoke", "spacenet6"])
def test_the_repositorys_parameters_fit(repository: Path, tmp_path: Path, profile: str) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("profile: rehearsal", f"profile: {profile}", 1), encoding="utf-8")
    parameters = load_parameters("adapt", AdaptParameters, path)
    assert 0 < parameters.portion < 1
    path.write_text(path.read_text().replace("  portion:", "  potion:", 1), encoding="utf-8")
    with pytest.raises(ParameterError, match="the nearest valid one is 'portion'"):
        load_parameters("adapt", AdaptParameters, path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scales": []},
        {"scales": [0.0]},
        {"portion": 0},
        {"portion": 1.5},
        {"rounds": 0},
        {"start_from": "../x"},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    good = {
        "start_from": "disoptnet", "target": None, "epochs": 1, "crops_per_tile": 1, "warmup_share": 0.25,
        "rounds": 2, "portion": 0.33, "scales": [1.0], "target_weight": 0.5,
    }  # fmt: skip
    AdaptParameters.model_validate(good)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AdaptParameters.model_validate({**good, **wrong})
