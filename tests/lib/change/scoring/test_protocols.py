from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import shapely

from components.contract.errors import BadDataError, ParameterError
from components.lib.change.pair import ChangedBuilding, Pixels
from components.lib.change.scoring.protocols import CROP_PX, predict_pair, score_split
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import write_pairs
from components.lib.change.terms import CHANGED
from components.lib.metrics.counts import Counts
from tests.lib.change.pairs import facts, image, make_pair

SIZE = (300, 520)


class Marked:
    """Predictor that finds the pixels that are 255 in the first band of the second date, and keeps sizes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def predict(self, before: Pixels, after: Pixels) -> npt.NDArray[np.float32]:
        self.seen.append(before.shape)
        assert before.shape[:2] == after.shape[:2]
        return np.asarray(after[..., 0] == 255, dtype=np.float32)


class Normalised:
    """Predictor whose answer depends on the whole of what it sees, as a network's does."""

    def predict(self, before: Pixels, after: Pixels) -> npt.NDArray[np.float32]:
        return np.asarray(after[..., 0] > after[..., 0].mean(), dtype=np.float32)


def marked(boxes: list[tuple[int, int, int, int]], size: tuple[int, int] = SIZE) -> Pixels:
    after = np.ones((*size, 3), dtype=np.uint8)
    for top, left, height, width in boxes:
        after[top : top + height, left : left + width] = 255
    return after


def test_crops_are_predicted_apart_and_put_together() -> None:
    before, after = image(1, SIZE, "optical"), image(2, SIZE, "optical")
    predictor = Marked()
    whole = predict_pair(predictor, before, after, "whole_tile")
    assert predictor.seen == [(*SIZE, 3)]
    predictor.seen.clear()
    np.testing.assert_array_equal(predict_pair(predictor, before, after, "crops_256"), whole)
    assert predictor.seen == [(CROP_PX, CROP_PX, 3)] * 6


def test_a_network_that_looks_around_differs_between_the_protocols() -> None:
    after = marked([(0, 0, 100, 100)])
    found = [predict_pair(Normalised(), after, after, protocol) for protocol in ("whole_tile", "crops_256")]
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize("protocol", ["whole_tile", "crops_256"])
def test_a_building_across_a_crops_edge_counts_once(protocol: Any, tmp_path: Path) -> None:
    """Of two touching buildings one is found; the false alarm is one."""
    boxes = [(240, 240, 40, 40), (10, 10, 20, 20)]
    label = np.zeros(SIZE, np.uint8)
    label[240:280, 240:280] = label[240:280, 280:300] = CHANGED
    pair = make_pair(
        size=SIZE,
        label=label,
        after={"optical": marked(boxes)},
        buildings=(
            ChangedBuilding("added", shapely.box(240, 240, 280, 280)),
            ChangedBuilding("added", shapely.box(280, 240, 300, 280)),
        ),
    )
    write_pairs(tmp_path / "pairs", [pair], facts(tile_px=128))
    found = score_split(Marked(), PairStore.open(tmp_path / "pairs"), "train", protocol)
    assert found.objects == Counts(1, 1, 1)
    assert found.pixels == Counts(1600, 400, 800, SIZE[0] * SIZE[1] - 2800)
    assert [score.scene for score in found.pairs] == ["first"]


def test_without_known_buildings_the_labels_parts_are_the_objects(tmp_path: Path) -> None:
    label = np.zeros((32, 32), np.uint8)
    label[4:8, 4:8] = CHANGED
    after = {"optical": marked([(4, 4, 4, 4)], (32, 32))}
    write_pairs(tmp_path / "pairs", [make_pair(label=label, after=after, buildings=())], facts())
    found = score_split(Marked(), PairStore.open(tmp_path / "pairs"), "train", "whole_tile")
    assert found.objects == Counts(1, 0, 0)


def test_an_empty_split_and_an_unknown_protocol_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", [make_pair()], facts())
    store = PairStore.open(tmp_path / "pairs")
    with pytest.raises(BadDataError, match="no pair in the split test"):
        score_split(Marked(), store, "test", "whole_tile")
    with pytest.raises(ParameterError, match="unknown protocol 'crops'"):
        score_split(Marked(), store, "train", cast("Any", "crops"))


def test_a_prediction_of_another_size_is_our_bug() -> None:
    class Halved:
        def predict(self, before: Pixels, after: Pixels) -> npt.NDArray[np.float32]:
            return np.zeros((before.shape[0] // 2, before.shape[1] // 2), dtype=np.float32)

    with pytest.raises(ValueError, match=r"prediction of \(8, 8\)"):
        predict_pair(Halved(), image(1, (16, 16), "optical"), image(2, (16, 16), "optical"), "whole_tile")
