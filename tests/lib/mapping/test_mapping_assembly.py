from __future__ import annotations

import numpy as np
import pytest

from components.contract.errors import BadDataError
from components.lib.mapping.assembly import Assembly
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.levels import Levels
from tests.lib.mapping.planted import content, division, drawer, drawn_block

PLAIN = drawer("plain", min_area_px=1)


def scene(height: int, width: int, *boxes: tuple[int, int, int, int]) -> Levels:
    """Levels of full probability in boxes (top, left, bottom, right)."""
    levels = np.ones((4, height, width), dtype=np.uint8)
    for top, left, bottom, right in boxes:
        levels[:, top:bottom, left:right] = 255
    return levels


def added(levels: Levels, blocks: Blocks, order: list[int]) -> list[int]:
    """Number of buildings that each block completes."""
    assembly = Assembly(blocks, PLAIN)
    return [len(assembly.add(n, drawn_block(levels, blocks, n, PLAIN))) for n in order]


def test_a_building_is_drawn_with_the_last_block_that_it_touches() -> None:
    levels = scene(30, 30, (8, 8, 12, 12))
    blocks = division(levels, 10)
    assert added(levels, blocks, [0, 8, 1, 2, 4, 5, 3, 6, 7]) == [0, 0, 0, 0, 0, 0, 1, 0, 0]


def test_a_piece_that_ends_at_a_border_waits_for_the_block_behind_it_alone() -> None:
    levels = scene(30, 30, (2, 8, 5, 10))
    blocks = division(levels, 10)
    assert added(levels, blocks, [0, 3, 4, 1]) == [0, 0, 0, 1]


def test_pieces_that_meet_at_a_corner_of_four_blocks_wait_for_each_other() -> None:
    levels = scene(20, 20, (6, 6, 10, 10), (10, 10, 14, 14))
    blocks = division(levels, 10)
    # Each touches both empty blocks with its corner pixel; they are two buildings, joined by their corners.
    assert added(levels, blocks, [0, 3, 1, 2]) == [0, 0, 0, 2]


def test_what_lies_at_the_edge_of_the_scene_waits_for_nothing() -> None:
    levels = scene(20, 20, (0, 0, 5, 5))
    assert added(levels, division(levels, 10), [0]) == [1]


def test_held_pixels_grow_with_the_border_not_with_the_area() -> None:
    held = []
    for side in (120, 240):
        boxes = [(y, x, y + 8, x + 8) for y in range(4, side, 12) for x in range(4, side, 12)]
        levels = scene(side, side, *boxes)
        blocks = division(levels, 30)
        assembly = Assembly(blocks, PLAIN)
        most = 0
        for number in range(len(blocks)):
            assembly.add(number, drawn_block(levels, blocks, number, PLAIN))
            most = max(most, assembly.held_px)
        assert assembly.held_px == 0
        held.append(most)
    assert held[0] > 0
    assert held[1] <= 2.2 * held[0], "four times the area, twice the border"


def test_missing_blocks_are_named() -> None:
    levels = scene(20, 20)
    blocks = division(levels, 10)
    assembly = Assembly(blocks, PLAIN)
    assembly.add(2, drawn_block(levels, blocks, 2, PLAIN))
    with pytest.raises(BadDataError, match="3 of 4 blocks have not been mapped: 0, 1, 3"):
        assembly.finish()


def test_a_block_of_another_division_is_refused() -> None:
    levels = scene(20, 20)
    with pytest.raises(BadDataError, match="block 0 was drawn as"):
        Assembly(division(levels, 10), PLAIN).add(0, drawn_block(levels, division(levels, 20), 0, PLAIN))


def test_a_block_counts_once() -> None:
    levels = scene(20, 20)
    blocks = division(levels, 10)
    assembly = Assembly(blocks, PLAIN)
    assembly.add(0, drawn_block(levels, blocks, 0, PLAIN))
    with pytest.raises(ValueError, match="block 0 was added before"):
        assembly.add(0, drawn_block(levels, blocks, 0, PLAIN))


@pytest.mark.parametrize("side", [10, 20, 40])
def test_a_saturated_map_is_refused_by_name_whatever_the_blocks(side: int) -> None:
    levels = scene(40, 40, (3, 4, 38, 30))
    rules = drawer("plain", most_part_px=35 * 26 - 1)
    blocks = division(levels, side)
    assembly = Assembly(blocks, rules)
    with pytest.raises(BadDataError, match=r"(?s)more than the 909 px.*saturated.*raise the threshold"):
        for number in range(len(blocks)):
            assembly.add(number, drawn_block(levels, blocks, number, rules))


def test_a_part_of_just_the_largest_size_is_drawn() -> None:
    levels = scene(40, 40, (3, 4, 38, 30))
    rules = drawer("plain", most_part_px=35 * 26)
    blocks = division(levels, 10)
    assembly = Assembly(blocks, rules)
    found = [assembly.add(n, drawn_block(levels, blocks, n, rules)) for n in range(len(blocks))]
    assert [len(content(b)[0]) for b in found if len(b)] == [1]
