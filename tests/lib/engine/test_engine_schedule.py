from __future__ import annotations

import pytest

from components.lib.engine.schedule import poly_rate, ramp


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
