"""Scales from pixel sizes, and when a round of pseudo-labels is refused."""

from __future__ import annotations

import numpy as np
import pytest

from components.contract.errors import ParameterError
from components.lib.losses.segmentation import IGNORE
from components.lib.selftraining.collapse import CollapseLimits, class_agreement, collapse_reason
from components.lib.selftraining.pseudolabels import LabelSummary
from components.lib.selftraining.scales import FACTORS, RELEASED_FACTORS, scales_of

LIMITS = CollapseLimits()


def test_scales_of_equal_pixels_and_of_the_release() -> None:
    assert scales_of(0.5, 0.5) == FACTORS == (0.75, 1.0, 1.25, 1.5)
    assert scales_of(0.3, 1.0, RELEASED_FACTORS) == (2.0, 2.5, 3.0, 3.5)
    assert scales_of(1.0, 0.5) == (0.375, 0.5, 0.625, 0.75)


@pytest.mark.parametrize(("source", "target"), [(0.3, 1.5), (2.0, 0.3)])
def test_scales_out_of_reach_are_refused(source: float, target: float) -> None:
    with pytest.raises(ParameterError, match=r"between 0\.25 and 4") as caught:
        scales_of(source, target)
    assert "adapt.scales" in caught.value.next_step


def test_agreement_by_hand_and_in_parts() -> None:
    before = np.array([[[0, 0, 1, 1]], [[1, IGNORE, 0, 0]]], dtype=np.uint8)
    now = np.array([[[0, 1, 1, 1]], [[IGNORE, 1, 0, 0]]], dtype=np.uint8)
    # Both labelled: pairs 00 01 11 11 | 00 00; class 0: 3 of 4, class 1: 2 of 3.
    assert class_agreement(before, now, 2) == pytest.approx((3 / 4, 2 / 3))
    assert class_agreement(list(before), iter(now), 2) == pytest.approx((3 / 4, 2 / 3))
    assert class_agreement(before, now, 3)[2] == 1.0, "a class that neither has"


def test_the_histogram_is_of_labelled_pixels() -> None:
    summary = LabelSummary(thresholds=(0.9, 0.8), shares=(0.3, 0.1), ignored=0.6, contrast=(1.0,))
    assert summary.histogram == pytest.approx((0.75, 0.25))
    assert LabelSummary((1.0, 1.0), (0.0, 0.0), 1.0, (0.0,)).histogram == (0.0, 0.0)


def test_a_steady_round_passes() -> None:
    assert collapse_reason((0.9, 0.1), (0.85, 0.15), LIMITS) is None
    assert (
        collapse_reason((0.9, 0.1), (0.88, 0.12), LIMITS, agreement=(0.97, 0.6), agreement_before=(0.98, 0.7))
        is None
    )


def test_reasons_name_class_and_numbers() -> None:
    shrunk = collapse_reason((0.9, 0.1), (0.96, 0.04), LIMITS)
    assert shrunk == "the share of class 1 moved from 10.00% to 4.00%, by more than the factor 2"
    assert "class 1" in (collapse_reason((0.9, 0.1), (0.7, 0.3), LIMITS) or ""), "growing is a collapse too"
    gone = collapse_reason((0.9, 0.1), (1.0, 0.0), LIMITS)
    assert gone == "class 1 has no label any more (its share was 10.00%)"
    low = collapse_reason((0.9, 0.1), (0.9, 0.1), LIMITS, agreement=(0.95, 0.3))
    assert low == "labels of class 1 agree with the last round's by 0.30 < 0.4"
    fell = collapse_reason(
        (0.9, 0.1), (0.9, 0.1), LIMITS, agreement=(0.95, 0.5), agreement_before=(0.95, 0.8)
    )
    assert fell == "agreement of class 1 between rounds fell from 0.80 to 0.50, by more than 0.2"


def test_two_rounds_that_swap_buildings_agree_overall_and_are_refused() -> None:
    before, now = (np.zeros((1, 40, 40), dtype=np.uint8) for _ in range(2))
    before[:, :6, :20] = 1
    now[:, -6:, :20] = 1
    assert (before == now).mean() > 0.8
    agreement = class_agreement(before, now, 2)
    assert agreement[1] == 0
    assert "class 1" in (collapse_reason((0.925, 0.075), (0.925, 0.075), LIMITS, agreement=agreement) or "")
