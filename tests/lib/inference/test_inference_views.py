from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F  # noqa: N812

from components.lib.config.scoring import ScoringSettings
from components.lib.inference.tiles import predict_images, predict_tiles
from components.lib.inference.views import PLAIN, View, predict_view, predict_views, views_of
from components.lib.losses.focal import RELEASED
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.score import predict_by_settings
from components.lib.tasks.labels import BUILDING_BAND, LABELS
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
    seen = predict_views(net, x, AIRBORNE, PLAIN)
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
    views = views_of((1.0, 0.75), flip=True)
    assert views == (View(1.0), View(0.75), View(1.0, True), View(0.75, True))
    expected = []
    for mirrored in (False, True):
        for side in (64, 48):
            view = F.interpolate(x.float(), (side, side), mode="bilinear", align_corners=True)
            p = net.predict(view.flip(-1) if mirrored else view, AIRBORNE).softmax(1)
            p = p.flip(-1) if mirrored else p
            expected.append(F.interpolate(p, (64, 64), mode="bilinear", align_corners=True))
    seen = predict_views(net, x, AIRBORNE, views)
    assert seen.contours is None
    assert torch.allclose(seen.classes, torch.stack(expected).mean(0), atol=1e-6)
    assert torch.allclose(seen.classes.sum(1), torch.ones(2, 64, 64), atol=1e-5)


def test_a_turned_view_is_put_back_exactly() -> None:
    net, x = network(), pixels()[..., :40]
    for turns in range(4):
        for mirrored in (False, True):
            seen = predict_view(net, x, AIRBORNE, View(1.0, mirrored, turns))
            image = torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))
            maps = net.predict_maps(image, AIRBORNE)
            assert maps.contours is not None
            assert seen.contours is not None
            assert seen.classes.shape == (2, 2, 64, 40)
            for ours, theirs in (
                (seen.classes, maps.logits.softmax(1)),
                (seen.contours, maps.contours.sigmoid()),
            ):
                back = torch.rot90(theirs, -turns, (-2, -1))
                assert torch.equal(ours, back.flip(-1) if mirrored else back)


def test_turns_and_mirrors_are_the_eight_views_of_the_square() -> None:
    """Identity or a quarter turn, times up-down mirror, times left-right mirror (PP-LinkNet)."""
    views = views_of((1.0,), flip=True, turn=True)
    assert (len(views), views[:2]) == (8, (View(), View(mirrored=True)))
    image = torch.arange(9).reshape(1, 1, 3, 3)
    ours = {
        tuple((image.flip(-1) if v.mirrored else image).rot90(v.turns, (-2, -1)).flatten().tolist())
        for v in views
    }
    released = set()
    for turned in (image, image.rot90(1, (-2, -1))):
        for down in (turned, turned.flip(-2)):
            released |= {tuple(seen.flatten().tolist()) for seen in (down, down.flip(-1))}
    assert ours == released
    # A pointwise network sees the same in all of them: sum and mean are one decision.
    summed = 8 * predict_views(Pointwise(), pixels(), AIRBORNE, views).classes[:, 1]
    plain = predict_views(Pointwise(), pixels(), AIRBORNE, PLAIN).classes[:, 1]
    assert torch.equal(RELEASED.mask(summed), plain > RELEASED.threshold)


@pytest.mark.parametrize(("modality", "views"), [("optical", 8), ("sar", 2)])
def test_only_optical_networks_are_scored_on_turned_views(tmp_path: Path, modality: str, views: int) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4)
    net = Pointwise(modality=modality)
    [(_, prediction)] = predict_by_settings(
        net, store, sensor=AIRBORNE, rows=[0], settings=ScoringSettings(flip=True, turn=True)
    )
    assert len(net.seen) == views
    assert prediction.shape == (SIDE, SIDE)


def test_flipped_augmentation_does_not_depend_on_the_side() -> None:
    net, x = network(), pixels()
    views = views_of((1.0,), flip=True)
    seen, mirrored = (predict_views(net, i, AIRBORNE, views).classes for i in (x, x.flip(-1)))
    assert torch.allclose(seen, mirrored.flip(-1), atol=1e-6)


@pytest.mark.parametrize("scales", [(), (1.0, 1.0), (0.1,), (5.0,)])
def test_senseless_scales_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="scales"):
        ScoringSettings(scales=scales)


def test_tile_maps_hold_contours_and_are_black_where_there_is_no_data(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4, nodata_rows=20)
    net = network()
    for window in (64, 512):
        [(row, tile)] = predict_tiles(net, store, AIRBORNE, [1], window_px=window)
        assert row == 1
        assert tile.bands == (BUILDING_BAND, *LABELS)
        assert tile.values.shape == (4, SIDE, SIDE)
        assert not tile.band(BUILDING_BAND)[:20].any()
        assert not tile.values[1:, :20].any()
        assert (tile.values[1:, 20:] > 0).all()
        assert np.array_equal(tile.valid, store.layer(AIRBORNE, "sar")[1].any(axis=-1))
        [image] = predict_images(net, [store.tile(AIRBORNE, 1, "sar")], window_px=window)
        assert np.array_equal(image.values, tile.values)
    [(_, plain)] = predict_tiles(network(contours=False), store, AIRBORNE, [0])
    assert plain.bands == (BUILDING_BAND,)


def test_tiles_can_be_predicted_with_augmentation(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=4)
    views = views_of((1.0, 1.25), flip=True)
    net = Pointwise()
    [(_, prediction)] = predict_tiles(net, store, AIRBORNE, [0], views=views)
    assert len(net.seen) == 4
    assert prediction.shape == (SIDE, SIDE)
