from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from components.evaluate.apls.command import Choices, score_files
from components.lib.roads.tracing.chains import edges_of
from components.lib.roads.tracing.rules import TracingRules
from components.lib.roads.writing.geojson import write_geojson
from tests.benchmarks.bench_tracing import plain_edges
from tests.lib.roads.tracing.masks import Pixels, empty, traced

SEEDS = range(4)


def blobs(seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((70, 60)), 1.0 + 0.5 * seed)
    return np.asarray(smooth > np.quantile(smooth, 0.5))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["skeleton", "noise"])
def test_edges_are_those_of_a_plain_loop_over_pixels(seed: int, kind: str) -> None:
    noise = np.random.default_rng(seed).random((40, 50)) < 0.2 + 0.2 * seed
    skeleton = skeletonize(blobs(seed)) if kind == "skeleton" else noise  # type: ignore[no-untyped-call]
    edges = edges_of(skeleton, np.ones(skeleton.sum()), (1.0, 1.0))
    ends = edges.graph.ends
    ring = (ends[:, 0] == ends[:, 1]) & (edges.degree()[ends[:, 0]] == 2)  # the loop starts at junctions
    count, length = plain_edges(skeleton)
    assert count == (~ring).sum()
    assert edges.graph.lengths[~ring].sum() == pytest.approx(length)
    assert edges.width_sum / edges.pixels == pytest.approx(np.full(len(ends), 2.0))


def test_pixels_alone_and_squares_of_four_are_no_roads() -> None:
    skeleton = empty()
    skeleton[10, 10] = skeleton[20:22, 20:22] = True
    edges = edges_of(skeleton, np.ones(5), (1.0, 1.0))
    assert edges.graph.lengths.tolist() == [4.0]  # the square's rim
    assert len(traced(skeleton, TracingRules(least_area_m2=0.0, loop_m=3.0))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_graphs_of_noise_have_no_fault_that_a_strict_reader_finds(seed: int, tmp_path: Path) -> None:
    rules = TracingRules(least_area_m2=0.0, spur_m=0.0, loop_m=0.0, simplify_m=1.5)
    roads = traced(blobs(seed), rules)
    assert len(roads) > 5
    assert (roads.width_m > 0).all()
    write_geojson(tmp_path / "g.geojson", roads, lon_lat=False)
    found = score_files(
        tmp_path / "g.geojson", tmp_path / "g.geojson", Choices(definition="java", mode="strict")
    )
    assert found["apls"] == 1.0
