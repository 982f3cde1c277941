"""A crop that does not fit is refused with its zoom and the largest that does."""

from __future__ import annotations

import pytest

from components.contract.errors import ParameterError
from components.contract.parameters import read_sections
from components.lib.engine.parameters import TrainingParameters, source_px
from tests.conftest import ROOT


def training(crop: int, scale_jitter: tuple[float, float] | None) -> TrainingParameters:
    given = read_sections(ROOT / "params.yaml")["training"]
    return TrainingParameters.model_validate({**given, "crop": crop, "scale_jitter": scale_jitter})


def test_the_message_names_crop_zoom_and_the_largest_that_fits() -> None:
    with pytest.raises(ParameterError) as caught:
        training(144, (0.8, 1.25)).require_fitting(160, "the tiles")
    assert "training.crop: 144 at zoom 0.8" in caught.value.message
    assert "the tiles of 160 pixels: 180 pixels are cut" in caught.value.message
    assert "at most 128" in caught.value.next_step


@pytest.mark.parametrize("side", [64, 100, 160, 256, 450, 900])
@pytest.mark.parametrize(
    "jitter", [None, (0.25, 4.0), (0.6, 1.75), (0.7, 1.3), (0.8, 1.25), (1.0, 1.0), (1.5, 2.0)]
)
def test_the_largest_crop_fits_and_no_larger_one(side: int, jitter: tuple[float, float] | None) -> None:
    with pytest.raises(ParameterError) as caught:
        training(10_000, jitter).require_fitting(side, "the tiles")
    told = caught.value.next_step
    if told.startswith("prepare larger tiles"):
        assert source_px(32, jitter[0] if jitter else 1.0) > side
        return
    largest = int(told.rsplit(" ", maxsplit=1)[1])
    training(largest, jitter).require_fitting(side, "the tiles")
    with pytest.raises(ParameterError):
        training(largest + 1, jitter).require_fitting(side, "the tiles")
