from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.inference.tiles import bands_of
from components.lib.inference.views import views_of
from components.lib.mapping.blocks import Blocks, Box, Windows
from components.lib.mapping.forward import block_levels, map_blocks
from components.lib.mapping.levels import Levels, to_levels
from components.lib.mapping.predicting import Precision, WindowSettings
from components.lib.mapping.scene import Pixels, Scene
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from tests.lib.mapping.looks_at_ground import AIRBORNE, SPACEBORNE, Nearby, PixelScene, random_scene

SMALL = WindowSettings(window_px=64, overlap_px=16, batch=3)


def whole_map(
    net: SegmentationNetwork, looks: list[Scene], side: int, settings: WindowSettings, order: int = 1
) -> Levels:
    """Levels of the whole scene, put together from its blocks."""
    shape = (looks[0].grid.height, looks[0].grid.width)
    blocks = Blocks(shape, side)
    levels = np.full((len(bands_of(net)), *shape), 255, dtype=np.uint8)
    for number, part in map_blocks(net, looks, blocks, range(len(blocks))[::order], settings):
        box = blocks.box(number)
        levels[:, box.top : box.bottom, box.left : box.right] = part
    return levels


def direct(net: SegmentationNetwork, scene: PixelScene) -> Levels:
    """Levels of one pass over the whole scene."""
    with torch.inference_mode():
        x = torch.from_numpy(scene.pixels).permute(2, 0, 1)[None]
        maps = net.predict_maps(x, scene.facts.sensor)
        p = maps.logits.softmax(1)[:, 1:2]
        if maps.contours is not None:
            p = torch.cat([p, maps.contours.sigmoid()], 1)
    return to_levels(p[0].numpy(), np.asarray(scene.pixels.any(-1)))


@pytest.mark.parametrize("contours", [False, True])
def test_windows_equal_the_whole_image_for_a_network_that_sees_one_pixel(contours: bool) -> None:
    net, scene = Nearby(contours=contours, reach=0), random_scene(150, 210)
    levels = whole_map(net, [scene], 100, SMALL)
    assert levels.shape == ((4 if contours else 1), 150, 210)
    difference = np.abs(levels.astype(int) - direct(net, scene))
    # One of 254 fine levels lies so close to a half that the two ways may round it apart.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_windows_equal_the_whole_image_farther_from_their_borders_than_the_network_sees() -> None:
    net, scene = Nearby(reach=3), random_scene(150, 210)
    apart = np.abs(whole_map(net, [scene], 100, SMALL).astype(int) - direct(net, scene))[0]
    near = np.zeros((150, 210), dtype=bool)
    for window in Windows((150, 210), 64, 16).touching(Box(0, 0, 150, 210)):
        # The network looks up and left.
        if window.top:
            near[window.top : window.top + 3, window.left : window.right] = True
        if window.left:
            near[window.top : window.bottom, window.left : window.left + 3] = True
    assert apart[~near].max() <= 1
    # Nearer than that a wrong prediction has a small weight, 3 of 17 at most along each axis.
    assert apart[near].mean() < 254 * 3 / 17
    assert apart[near].max() > 1


@pytest.mark.parametrize(("side", "order"), [(64, 1), (48, 1), (100, -1), (500, 1)])
def test_levels_do_not_depend_on_the_division(side: int, order: int) -> None:
    net, scene = Nearby(contours=True), random_scene(150, 210)
    scene.pixels[30:80, 100:] = 0
    expected = whole_map(net, [scene], 37, SMALL)
    assert np.array_equal(whole_map(net, [scene], side, SMALL, order), expected)


def test_levels_of_a_real_network_do_not_depend_on_the_division() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus", encoder="timm-mobilenetv3_small_minimal_100", decoder_channels=16,
        sensors=(AIRBORNE,), contours=True,
    )  # fmt: skip
    net, scene = build_network(config), random_scene(100, 140)
    scene.pixels[:, :60] = 0
    expected = whole_map(net, [scene], 500, SMALL)
    assert len(np.unique(expected)) > 20
    for side, order, kept in ((60, -1, 0), (75, 1, 10)):
        settings = replace(SMALL, kept_in_memory_mib=kept, kept_on_disk_mib=0)
        assert np.array_equal(whole_map(net, [scene], side, settings, order), expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_levels_do_not_depend_on_the_number_of_threads(precision: Precision) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus", encoder="timm-mobilenetv3_small_minimal_100", decoder_channels=16,
        sensors=(AIRBORNE,),
    )  # fmt: skip
    net, scene = build_network(config), random_scene(100, 140)
    settings, threads, maps = replace(SMALL, precision=precision), torch.get_num_threads(), []
    layer, used = net.get_submodule("head"), set[int]()
    layer.register_forward_hook(lambda *_: used.add(torch.get_num_threads()))
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            maps.append(whole_map(net, [scene], 60, settings))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert len(np.unique(maps[0])) > 10
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])
    assert used == {1}


def test_one_block_alone_equals_its_part_of_all() -> None:
    net, scene = Nearby(), random_scene(150, 210)
    blocks = Blocks((150, 210), 80)
    expected = dict(map_blocks(net, [scene], blocks, range(len(blocks)), SMALL))
    for number in (5, 0, 3):
        assert np.array_equal(block_levels(net, [scene], blocks, number, SMALL), expected[number])


@pytest.mark.parametrize(("in_memory", "on_disk"), [(0, 0), (0, 10), (1, 0)])
def test_kept_predictions_change_nothing(in_memory: int, on_disk: int) -> None:
    net, scene = Nearby(), random_scene(150, 210)
    expected = whole_map(net, [scene], 80, SMALL)
    settings = replace(SMALL, kept_in_memory_mib=in_memory, kept_on_disk_mib=on_disk)
    scene.reads.clear()
    assert np.array_equal(whole_map(net, [scene], 80, settings), expected)
    repeated = len(scene.reads) - len(set(scene.reads))
    assert (repeated > 0) == (in_memory == on_disk == 0)


def test_every_window_has_a_pass_of_its_own_on_cpu() -> None:
    net = Nearby()
    whole_map(net, [random_scene(150, 210)], 80, SMALL)
    assert net.shapes == [(1, 4, 64, 64)] * 15


def test_batches_of_full_size_as_for_a_gpu_give_the_same_map(monkeypatch: pytest.MonkeyPatch) -> None:
    net, scene = Nearby(contours=True), random_scene(150, 210)
    scene.pixels[30:80, 100:] = 0
    expected = whole_map(net, [scene], 80, SMALL)
    net.shapes.clear()
    monkeypatch.setattr(WindowSettings, "rows", property(lambda settings: settings.batch))
    assert np.array_equal(whole_map(net, [scene], 80, SMALL), expected)
    assert set(net.shapes) == {(3, 4, 64, 64)}
    assert len(net.shapes) == -(-3 * 5 // 3)


def test_a_scene_smaller_than_a_window() -> None:
    net, scene = Nearby(reach=1), random_scene(40, 30)
    levels = whole_map(net, [scene], 2048, SMALL)
    difference = np.abs(levels.astype(int) - direct(net, scene))
    assert difference.max() <= 1


def test_a_strip_from_the_south_is_turned_for_the_network_alone() -> None:
    net = Nearby()
    north = random_scene(150, 210)
    # Turned windows lie on the lattice of the scene's first pixel only if it ends with one.
    south = random_scene(160, 208, orientation=1)
    blocks = Blocks((160, 208), 100)
    levels = dict(map_blocks(net, [south], blocks, range(len(blocks)), SMALL))
    assert len(levels) == len(blocks)
    turned = PixelScene(np.ascontiguousarray(south.pixels[::-1, ::-1]), north.facts)
    expected = whole_map(net, [turned], 100, SMALL)[:, ::-1, ::-1]
    assert np.array_equal(whole_map(net, [south], 100, SMALL), expected)


def test_pixels_without_data_have_level_0_and_empty_windows_are_not_predicted() -> None:
    net, scene = Nearby(), random_scene(150, 300)
    scene.pixels[:, 120:] = 0
    scene.pixels[10:20, 10:20] = 0
    levels = whole_map(net, [scene], 80, SMALL)
    assert np.array_equal(levels[0] > 0, scene.pixels.any(-1))
    predicted = sum(shape[0] for shape in net.shapes)
    assert predicted == 9  # three rows, three columns of windows up to column 120
    net.shapes.clear()
    scene.pixels[:] = 0
    assert not whole_map(net, [scene], 80, SMALL).any()
    assert net.shapes == []


def test_a_sensor_that_the_network_does_not_know_is_refused_before_a_pixel_is_read() -> None:
    scene = random_scene(100, 100, sensor=SPACEBORNE)
    with pytest.raises(ParameterError, match=SPACEBORNE):
        map_blocks(Nearby(), [scene], Blocks((100, 100), 50), [0], SMALL)
    optical = random_scene(100, 100, modality="optical")
    with pytest.raises(ParameterError, match="is optical, but the network reads sar"):
        map_blocks(Nearby(), [optical], Blocks((100, 100), 50), [0], SMALL)
    assert not scene.reads
    assert not optical.reads


def test_looks_on_different_grids_are_refused() -> None:
    looks = [random_scene(100, 100), random_scene(100, 90)]
    with pytest.raises(ValueError, match="one grid"):
        map_blocks(Nearby(), looks, Blocks((100, 100), 50), [0], SMALL)


@pytest.mark.parametrize(("window", "overlap"), [(64, 32), (1024, 256), (64, -1)])
def test_overlaps_that_cannot_be_blended_are_refused(window: int, overlap: int) -> None:
    with pytest.raises(ParameterError, match="overlap"):
        WindowSettings(window_px=window, overlap_px=overlap)


def test_an_error_of_the_scene_arrives_and_a_caller_may_stop_early() -> None:
    class Broken(PixelScene):
        def read(self, box: Box) -> Pixels:
            raise OSError("row 7")

    scene = random_scene(100, 100)
    blocks = Blocks((100, 100), 50)
    with pytest.raises(OSError, match="row 7"):
        list(map_blocks(Nearby(), [Broken(scene.pixels)], blocks, range(4), SMALL))
    started = map_blocks(Nearby(), [scene], blocks, range(4), SMALL)
    next(started)
    started.close()


def test_views_are_averaged() -> None:
    net, scene = Nearby(reach=0), random_scene(100, 100)
    both = replace(SMALL, views=views_of([1.0], flip=True))
    assert np.array_equal(whole_map(net, [scene], 100, both), whole_map(net, [scene], 100, SMALL))
