from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import shapely

from components.contract.errors import BadDataError, MissingInputError
from components.lib.evaluation.examples import (
    INDEX,
    ExampleGroup,
    Examples,
    ExampleTile,
    quantised,
    read_examples,
    write_examples,
)

RANDOM = np.random.default_rng(0)
HOSTILE = "../../<script>"


def tile(*, optical: bool = True) -> ExampleTile:
    shape = (6, 5)
    return ExampleTile(
        image_id=HOSTILE,
        rank=1 / 3,
        from_south=True,
        tp=1,
        fp=2,
        fn=3,
        nodata_share=0.1,
        models=("teacher", "none"),
        sar=RANDOM.integers(0, 255, (*shape, 4), dtype=np.uint8),
        optical=RANDOM.integers(0, 255, (*shape, 4), dtype=np.uint8) if optical else None,
        truth=RANDOM.random(shape) > 0.5,
        predicted=RANDOM.random((2, *shape)) > 0.5,
        probability=quantised(RANDOM.random((2, *shape), dtype=np.float32)),
        matched=(shapely.box(0.1, 1 / 3, 2.7, 4.123456789012345),),
        false_alarms=(),
        missed=(shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),),
    )


def group(*tiles: ExampleTile) -> ExampleGroup:
    return ExampleGroup(sensor="s", ranked_by="none", split="sn6-clean", max_nodata=0.25, tiles=tiles)


def assert_same(a: ExampleTile | None, b: ExampleTile | None) -> None:
    assert a is not None
    assert b is not None
    for name in ExampleTile.__slots__:
        one, other = getattr(a, name), getattr(b, name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other, name


def test_examples_come_back_unchanged(tmp_path: Path) -> None:
    examples = Examples(groups=(group(tile(), tile()), group(tile(optical=False))), overview=tile())
    write_examples(tmp_path / "examples", examples)
    found = read_examples(tmp_path / "examples")
    assert [len(g.tiles) for g in found.groups] == [2, 1]
    assert (found.groups[0].sensor, found.groups[0].ranked_by) == ("s", "none")
    for before, after in zip(examples.groups, found.groups, strict=True):
        for a, b in zip(before.tiles, after.tiles, strict=True):
            assert_same(a, b)
    assert_same(examples.overview, found.overview)
    # Names from outside never become paths.
    assert sorted(path.name for path in tmp_path.rglob("*.npz")) == [
        "1-01.npz",
        "1-02.npz",
        "2-01.npz",
        "overview.npz",
    ]


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    examples = Examples(groups=(group(tile()),), overview=None)
    for name in ("a", "b"):
        write_examples(tmp_path / name, examples)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_levels_lose_no_colour() -> None:
    """A float and its level get the same colour, so a stored map is drawn as the map itself."""
    probability = np.append(
        RANDOM.random(10_000, dtype=np.float32), np.array([0, 1, 0.5, 1 / 256], dtype=np.float32)
    )
    cividis = mpl.colormaps["cividis"]
    np.testing.assert_array_equal(cividis(quantised(probability)), cividis(probability))


def test_absent_and_foreign_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="examples"):
        read_examples(tmp_path / "examples")
    (tmp_path / INDEX).write_text('{"groups": [{"sensor": "s"}], "overview": null}')
    with pytest.raises(BadDataError, match="does not hold the examples"):
        read_examples(tmp_path)
