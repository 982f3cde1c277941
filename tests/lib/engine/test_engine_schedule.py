from __future__ import annotations

import pytest

from components.lib.engine.schedule import Schedule, learning_rate, poly_rate, ramp


def reference(step: int, epochs: int = 200, per_epoch: int = 337) -> float:
    return poly_rate(step, base=5e-3, steps=epochs * per_epoch, steps_per_epoch=per_epoch, form="reference")


def test_reference_form_hits_the_published_rates() -> None:
    assert reference(0) == 5e-3
    assert round(reference(1), 7) == 4.9776e-3
    after_the_last = reference(200 * 337)
    assert after_the_last == pytest.approx(2e-7, rel=0.15)


def test_reference_form_halves_the_rate_of_a_single_epoch() -> None:
    assert reference(1, epochs=1) == pytest.approx(2.68e-3, rel=1e-3)


def test_plain_form_starts_at_the_base_and_ends_near_zero() -> None:
    rates = [poly_rate(s, base=0.1, steps=50, steps_per_epoch=50, form="plain") for s in range(50)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert rates[25] == pytest.approx(0.1 * 0.5**0.9)
    assert 0.0 < rates[-1] < 0.004


def test_ramp_rises_linearly_and_stays() -> None:
    assert [ramp(step, 4) for step in (0, 1, 4, 9)] == [0.0, 0.25, 1.0, 1.0]
    assert ramp(0, 0) == 1.0


@pytest.mark.parametrize("schedule", ["cosine", "plain"])
def test_warm_up_rises_to_the_schedule_and_then_follows_it(schedule: Schedule) -> None:
    settings = {"base": 0.01, "steps": 40, "steps_per_epoch": 40}
    whole = [learning_rate(s, **settings, schedule=schedule) for s in range(40)]  # type: ignore[arg-type]
    warmed = [
        learning_rate(s, **settings, schedule=schedule, warmup_share=0.1)  # type: ignore[arg-type]
        for s in range(40)
    ]
    assert warmed[:4] == pytest.approx([whole[s] * (s + 1) / 4 for s in range(4)])
    assert warmed[4:] == whole[4:]


def test_cosine_falls_from_the_base_through_half_to_nearly_nothing() -> None:
    rates = [
        learning_rate(s, base=0.02, steps=100, steps_per_epoch=10, schedule="cosine") for s in (0, 50, 99)
    ]
    assert rates[:2] == pytest.approx([0.02, 0.01])
    assert 0 < rates[2] < 1e-5
