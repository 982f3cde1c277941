from __future__ import annotations

import zlib

import numpy as np
import pytest

from components.contract.errors import BadDataError
from components.lib.mapping.encoding import decode, encode
from components.lib.mapping.pieces import DrawnBlock
from tests.lib.mapping.planted import content, division, drawer, drawn_block, noisy, planted


@pytest.fixture(scope="module")
def block() -> DrawnBlock:
    levels = noisy(planted(4, 30, ()).levels, 1)
    return drawn_block(levels, division(levels, 64), 0, drawer(min_area_px=20))


def test_a_block_comes_back_as_it_was(block: DrawnBlock) -> None:
    back = decode(encode(block))
    assert len(block.buildings) > 0
    assert len(block.pieces) > 0
    assert back.box == block.box
    assert content(back.buildings) == content(block.buildings)
    for name in ("sizes", "positions", "levels"):
        before, after = getattr(block.pieces, name), getattr(back.pieces, name)
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    assert encode(back) == encode(block)


def test_an_empty_block_comes_back() -> None:
    levels = np.zeros((4, 10, 10), dtype=np.uint8)
    back = decode(encode(drawn_block(levels, division(levels, 10), 0, drawer())))
    assert (len(back.buildings), len(back.pieces)) == (0, 0)


def test_damage_anywhere_is_seen(block: DrawnBlock) -> None:
    whole = encode(block)
    for at in np.random.default_rng(0).integers(0, len(whole), 60).tolist():
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            with pytest.raises(BadDataError, match=r"(?s)map 3/block 7.*remove it"):
                decode(damaged, name="map 3/block 7")


@pytest.mark.parametrize("packed", [b"", b"no zlib", zlib.compress(b""), zlib.compress(b"no arrays")])
def test_what_was_never_a_block_is_refused(block: DrawnBlock, packed: bytes) -> None:
    magic = encode(block).split(b"\n", 1)[0] + b"\n"
    with pytest.raises(BadDataError, match="does not hold a drawn block"):
        decode(magic + packed)
