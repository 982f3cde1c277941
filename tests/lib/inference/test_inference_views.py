from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from components.contract.errors import ParameterError
from components.lib.inference.tiles import predict_tile_maps, predict_tiles
from components.lib.inference.views import View, predict_view
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.augmentation import TestTimeAugmentation, predict_augmented
from tests.evaluate.worlds import AIRBORNE, SIDE, Pointwise, write_tiny_store


def network(*, contours: bool = True) -> SegmentationNetwork:
    torch.manual_seed(2)
    return build_network(
        NetworkConfig(
            kind="deeplabv3plus",
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            sensors=(AIRBORNE,),
            contours=contours,
        )
    ).eval()


def pixels(side: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (2, 4, side, side), dtype=torch.uint8, generator=generator)


def test_the_image_alone_is_exactly_the_networks_own() -> None:
    net, x = network(), pixels()
    seen = predict_augmented(net, x, AIRBORNE, TestTimeAugmentation())
    maps = net.predict_maps(x, AIRBORNE)
    assert maps.contours is not None
    assert seen.contours is not None
    assert torch.equal(seen.classes, maps.logits.softmax(1))
    assert torch.equal(seen.contours, maps.contours.sigmoid())


def test_the_mirror_image_is_put_back_exactly() -> None:
    net, x = network(), pixels()
    mirrored = predict_view(net, x, AIRBORNE, View(mirrored=True))
    by_hand = net.predict_maps(x.flip(-1), AIRBORNE)
    assert by_hand.contours is not None
    assert mirrored.contours is not None
    assert torch.equal(mirrored.classes.flip(-1), by_hand.logits.softmax(1))
    assert torch.equal(mirrored.contours.flip(-1), by_hand.contours.sigmoid())
    # A pointwise network cannot tell left from right: its mirrored view is its plain one, bit for bit.
    plain, other = (predict_view(Pointwise(), x, AIRBORNE, View(1.0, m)).classes for m in (False, True))
    assert torch.equal(plain, other)


def test_views_are_averaged_as_probabilities() -> None:
    net, x = network(contours=False), pixels()
    augmentation = TestTimeAugmentation(scales=(1.0, 0.75), flip=True)
    assert augmentation.views == [View(1.0), View(0.75), View(1.0, True), View(0.75, True)]
    expected = []
    for mirrored in (False, True):
        for side in (64, 48):
            view = F.interpolate(x.float(), (side, side), mode="bilinear", align_corners=True)
            p = net.predict(view.flip(-1) if mirrored else view, AIRBORNE).softmax(1)
            p = p.flip(-1) if mirrored else p
            expected.append(F.interpolate(p, (64, 64), mode="bilinear", align_corners=True))
    seen = predict_augmented(net, x, AIRBORNE, augmentation)
    assert seen.contours is None
    assert torch.allclose(seen.classes, torch.stack(expected).mean(0), atol=1e-6)
    assert torch.allclose(seen.classes.sum(1), torch.ones(2, 64, 64), atol=1e-5)


def test_flipped_augmentation_does_not_depend_on_the_side() -> None:
    net, x = network(), pixels()
    augmentation = TestTimeAugmentation(flip=True)
    seen, mirrored = (predict_augmented(net, i, AIRBORNE, augmentation).classes for i in (x, x.flip(-1)))
    assert torch.allclose(seen, mirrored.flip(-1), atol=1e-6)


@pytest.mark.parametrize("scales", [(), (1.0, 1.0), (0.1,), (5.0,)])
def test_senseless_scales_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ParameterError, match="test-time augmentation"):
        TestTimeAugmentation(scales=scales)


def test_tile_maps_hold_contours_and_are_black_where_there_is_no_data(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4, nodata_rows=20)
    net = network()
    for window in (64, 512):
        [tile] = predict_tile_maps(net, store, AIRBORNE, [1], window_px=window)
        assert tile.contours is not None
        assert tile.row == 1
        assert tile.building.shape == (SIDE, SIDE)
        assert tile.contours.shape == (3, SIDE, SIDE)
        assert not tile.building[:20].any()
        assert not tile.contours[:, :20].any()
        assert (tile.contours[:, 20:] > 0).all()
        [(row, building)] = predict_tiles(net, store, AIRBORNE, [1], window_px=window)
        assert row == 1
        assert np.array_equal(building, tile.building)
    [plain] = predict_tile_maps(network(contours=False), store, AIRBORNE, [0])
    assert plain.contours is None


def test_tiles_can_be_predicted_with_augmentation(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4)
    augmentation = TestTimeAugmentation(scales=(1.0, 1.25), flip=True)
    net = Pointwise()
    [(_, building)] = predict_tiles(net, store, AIRBORNE, [0], augmentation=augmentation)
    assert len(net.seen) == 4
    assert building.shape == (SIDE, SIDE)
