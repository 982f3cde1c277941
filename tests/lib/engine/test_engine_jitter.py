from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from components.lib.engine.jitter import ScaleJitter, zoom


def apply(jitter: ScaleJitter, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
    scales = torch.from_numpy(jitter.scales(step, len(batch["target" if "target" in batch else "sar"])))
    return zoom(batch, scales, jitter.crop)


def crops(side: int, seed: int = 0, batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sar = torch.randint(1, 256, (batch, 4, side, side), generator=generator, dtype=torch.uint8)
    target = torch.randint(0, 2, (batch, 3, side, side), generator=generator, dtype=torch.uint8)
    return {"sar": sar, "optical": sar.flip(1), "target": target, "windows": torch.zeros(batch, 4)}


def test_scale_one_changes_nothing() -> None:
    jitter = ScaleJitter(48, 1.0, 1.0, seed=3)
    assert jitter.source_px == 48
    batch = crops(48)
    for name, layer in apply(jitter, batch, 5).items():
        assert torch.equal(layer, batch[name]), name


def test_shapes_types_and_what_passes_through() -> None:
    jitter = ScaleJitter(40, 0.8, 1.25, seed=3)
    assert jitter.source_px == 50
    batch = crops(jitter.source_px)
    jittered = apply(jitter, batch, 0)
    for name in ("sar", "optical", "target"):
        assert jittered[name].shape == (3, batch[name].shape[1], 40, 40)
        assert jittered[name].dtype == torch.uint8
    assert jittered["windows"] is batch["windows"]
    assert int(jittered["target"].max()) == 1, "labels stay labels"


def test_a_pure_function_of_seed_and_step() -> None:
    jitter, batch = ScaleJitter(40, 0.8, 1.25, seed=3), crops(50)
    assert torch.equal(apply(jitter, batch, 7)["sar"], apply(jitter, batch, 7)["sar"])
    assert not np.array_equal(jitter.scales(7, 3), jitter.scales(8, 3))
    assert not np.array_equal(jitter.scales(7, 3), ScaleJitter(40, 0.8, 1.25, seed=4).scales(7, 3))
    drawn = np.concatenate([jitter.scales(step, 8) for step in range(50)])
    assert 0.8 <= float(drawn.min()) < 0.85
    assert 1.2 < float(drawn.max()) <= 1.25
    assert float(np.log(drawn).mean()) == pytest.approx(0, abs=0.03), "as often smaller as larger"


@pytest.mark.parametrize("scale", [0.75, 1.5])
def test_both_axes_scale_alike_about_the_centre_and_stay_upright(scale: float) -> None:
    jitter = ScaleJitter(64, scale, scale, seed=0)
    side = jitter.source_px
    footprints = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    middle = side // 2
    # A house of 16 x 8 whose layover, 12 long, lies above it.
    footprints[:, 0, middle : middle + 16, middle : middle + 8] = 1
    footprints[:, 1, middle - 12 : middle, middle : middle + 8] = 1
    house, layover = apply(jitter, {"target": footprints}, 0)["target"][0, :2]
    assert int(house.any(1).sum()) == pytest.approx(16 * scale, abs=1)
    assert int(house.any(0).sum()) == pytest.approx(8 * scale, abs=1)
    assert int(layover.any(1).sum()) == pytest.approx(12 * scale, abs=1)
    assert torch.equal(layover.any(0), house.any(0)), "the layover stays in the building's columns"
    assert int(layover.any(1).nonzero().max()) + 1 == int(house.any(1).nonzero().min()), "and above it"


def test_a_flip_and_a_zoom_commute() -> None:
    jitter, batch = ScaleJitter(32, 0.9, 1.1, seed=1), crops(36)
    mirrored = {name: layer.flip(-1) if layer.ndim == 4 else layer for name, layer in batch.items()}
    first, second = apply(jitter, batch, 2), apply(jitter, mirrored, 2)
    difference = first["sar"].flip(-1).int() - second["sar"].int()
    assert int(difference.abs().max()) <= 1


def test_no_data_stays_no_data_without_a_rim() -> None:
    jitter = ScaleJitter(40, 0.8, 0.8, seed=0)
    sar = torch.full((1, 4, 50, 50), 200, dtype=torch.uint8)
    sar[..., 25:] = 0
    sar[..., :5] = 1
    seen = apply(jitter, {"sar": sar}, 0)["sar"]
    assert not seen[..., 20:].any()
    assert int(seen[..., :20].min()) == 1, "a dark valid pixel is still data"
    assert int(seen[..., 6:20].min()) == 200, "and a bright one beside the border is not dimmed"


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_float_images_are_zoomed_without_rounding(dtype: torch.dtype) -> None:
    jitter, batch = ScaleJitter(40, 0.8, 1.25, seed=3), crops(50)
    batch["sar"][:, :, 10:20] = 0
    fine = {**batch, "sar": batch["sar"].to(dtype)}
    scales = torch.from_numpy(jitter.scales(0, 3))
    coarse, seen = zoom(batch, scales, 40), zoom(fine, scales, 40)

    assert seen["sar"].dtype == dtype
    assert torch.equal(seen["target"], coarse["target"])
    assert torch.equal((seen["sar"] == 0).all(1), (coarse["sar"] == 0).all(1)), "no data stays where it was"
    valid = seen["sar"].float()[(seen["sar"] != 0).any(1, keepdim=True).expand_as(seen["sar"])]
    assert float(valid.min()) >= 1 - 1e-4, "and data never look like none"
    difference = (seen["sar"].float() - coarse["sar"].float()).abs()
    assert 0.4 < float(difference.max()) <= 0.5 + 2**-4
    assert float((difference > 0).float().mean()) > 0.5


def test_senseless_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        ScaleJitter(32, 1.2, 0.8, seed=0)
