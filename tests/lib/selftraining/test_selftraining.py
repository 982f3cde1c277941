from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from components.contract.errors import ParameterError, ResourceError
from components.lib.losses.segmentation import IGNORE
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sensorset import use_sensor
from components.lib.selftraining.codes import LOGITS, PROBABILITIES
from components.lib.selftraining.fusion import fuse_scales
from components.lib.selftraining.pseudolabels import LabelSummary, PseudoLabelSettings, make_pseudo_labels
from components.lib.selftraining.thresholds import (
    ConfidenceHistogram,
    assign_labels,
    sample_confidences,
    sample_probabilities,
)

Maps = npt.NDArray[np.float64]


def probability_maps(seed: int, images: int = 4, side: int = 37, classes: int = 2) -> Maps:
    random = np.random.default_rng(seed)
    values = np.exp(2 * random.normal(size=(images, classes, side, side)))
    values /= values.sum(axis=1, keepdims=True)
    return PROBABILITIES.decode(PROBABILITIES.encode(values))


def reference_thresholds(maps: Maps, portion: float) -> list[float]:
    """Pseudo-labelling with lists, as released (docs/methods/adaptation.md#pseudo-labels)."""
    classes = maps.shape[1]
    kept: list[list[float]] = [[] for _ in range(classes)]
    for image in maps:
        predicted, confidence = image.argmax(0), image.max(0)
        for k in range(classes):
            kept[k] += list(confidence[predicted == k][::16])
    thresholds = []
    for values in kept:
        ordered = sorted(values, reverse=True)
        n = int(portion * len(ordered))
        thresholds.append(ordered[n - 1] if n else 1.0)
    return thresholds


def reference_labels(image: Maps, thresholds: list[float]) -> npt.NDArray[np.uint8]:
    """Step 5, pixel by pixel."""
    labels = np.full(image.shape[1:], 255, dtype=np.uint8)
    for y, x in np.ndindex(*labels.shape):
        ratios = [image[k, y, x] / thresholds[k] for k in range(len(thresholds))]
        if max(ratios) >= 1:
            labels[y, x] = ratios.index(max(ratios))
    return labels


@pytest.mark.parametrize("portion", [0.1, 0.33, 1.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_thresholds_and_labels_against_lists(portion: float, classes: int) -> None:
    maps = probability_maps(7, classes=classes)
    histogram = ConfidenceHistogram(classes, PROBABILITIES)
    for image in maps:
        everywhere = np.ones(image.shape[1:], dtype=bool)
        histogram.add(sample_confidences(PROBABILITIES.encode(image), everywhere, classes))
    expected = reference_thresholds(maps, portion)
    thresholds = histogram.thresholds(portion)
    assert thresholds.tolist() == expected
    for image in maps:
        assert np.array_equal(assign_labels(image, thresholds), reference_labels(image, expected))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 65535), max_size=40),
    st.floats(0.01, 1.0),
)
def test_histogram_threshold_is_that_of_the_sorted_list(codes: list[int], portion: float) -> None:
    histogram = ConfidenceHistogram(1, PROBABILITIES)
    half = len(codes) // 2
    for part in (codes[:half], codes[half:]):
        histogram.add([np.array(part, dtype=np.uint16)])
    kept = int(np.floor(portion * len(codes)))
    ordered = np.sort(PROBABILITIES.decode(np.array(codes, dtype=np.uint16)))[::-1]
    assert histogram.thresholds(portion)[0] == (ordered[kept - 1] if kept else 1.0)


def test_class_never_predicted_keeps_threshold_one() -> None:
    histogram = ConfidenceHistogram(2, PROBABILITIES)
    image = np.stack([np.full((32, 32), 0.9), np.full((32, 32), 0.1)])
    histogram.add(sample_confidences(PROBABILITIES.encode(image), np.ones((32, 32), bool), 2))
    thresholds = histogram.thresholds(0.5)
    assert thresholds[1] == 1.0
    assert set(np.unique(assign_labels(image, thresholds))) <= {0, IGNORE}


def test_minority_class_gets_its_own_threshold() -> None:
    # The point of the rule: buildings that are never as sure as background still get labels.
    rows = np.arange(64 * 64).reshape(64, 64)
    building = np.where(rows < 640, 0.55 + 0.1 * (rows % 64) / 64, 0.02)
    image = np.stack([1 - building, building])
    histogram = ConfidenceHistogram(2, PROBABILITIES)
    histogram.add(sample_confidences(PROBABILITIES.encode(image), np.ones((64, 64), bool), 2))
    thresholds = histogram.thresholds(0.5)
    labels = assign_labels(image, thresholds)
    assert 0.55 < thresholds[1] < 0.65
    assert (labels[:10] == 1).any()
    assert (labels[:10] != 0).all()


def test_codes_are_exact_to_half_a_step_and_clip() -> None:
    values = np.linspace(-0.2, 1.2, 1001)
    error = PROBABILITIES.decode(PROBABILITIES.encode(values)) - np.clip(values, 0, 1)
    assert np.abs(error).max() <= 0.5 / 65535 + 1e-12
    assert LOGITS.decode(LOGITS.encode(np.array([-99.0, 99.0]))).tolist() == [-32.0, 32.0]


class ByBand(SegmentationNetwork):
    """A real network object with a forward simple enough to compute by hand: logits are band differences."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = x.float() / 64 - 2
        return torch.stack([values[:, 0], values[:, 1]], dim=1)

    def supervised_maps(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self(x),)


def by_band() -> ByBand:
    return ByBand(NetworkConfig(kind="deeplabv3plus", encoder="none", sensors=("target",)))


def smooth_tiles(count: int = 3, side: int = 48, seed: int = 1) -> npt.NDArray[np.uint8]:
    coarse = torch.rand(count, 4, 6, 6, generator=torch.Generator().manual_seed(seed))
    fine = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    return (1 + 254 * fine).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


@pytest.mark.parametrize("fusion", ["softmax", "logits"])
def test_fusion_averages_over_scales(fusion: str) -> None:
    x = torch.from_numpy(smooth_tiles(2)).permute(0, 3, 1, 2)
    net, expected = by_band(), torch.zeros(2, 2, 48, 48)
    for scale in (0.5, 1.0, 1.5):
        side = round(48 * scale)
        resized = F.interpolate(x.float(), (side, side), mode="bilinear", align_corners=True)
        z = net(resized)
        z = z.softmax(1) if fusion == "softmax" else z
        expected += F.interpolate(z, (48, 48), mode="bilinear", align_corners=True) / 3
    fused = fuse_scales(net, x, "target", (0.5, 1.0, 1.5), fusion)  # type: ignore[arg-type]
    assert torch.allclose(fused, expected, atol=1e-5)
    if fusion == "softmax":
        assert torch.allclose(fused.sum(1), torch.ones(2, 48, 48), atol=1e-5)


def test_fusion_uses_the_sensors_statistics_and_changes_nothing() -> None:
    torch.manual_seed(0)
    net = build_network(
        NetworkConfig(
            kind="deeplabv3plus",
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            sensors=("source",),
        )
    )
    convert_to_csn(net, ("source", "target"))
    x = torch.from_numpy(smooth_tiles(2, 64)).permute(0, 3, 1, 2)
    with use_sensor(net, "target"):
        net.train()(x)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    source, target = (fuse_scales(net, x, sensor, (0.75, 1.0)) for sensor in ("source", "target"))
    assert not torch.equal(source, target)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    with pytest.raises(ParameterError, match="lunar"):
        fuse_scales(net, x, "lunar", (1.0,))


def label(
    tmp_path: Path, tiles: npt.NDArray[np.uint8], rows: list[int], **changes: object
) -> tuple[npt.NDArray[np.uint8], LabelSummary]:
    settings_ = PseudoLabelSettings(**{"portion": 0.33, "scales": (1.0,), "batch": 2, **changes})  # type: ignore[arg-type]
    output = tmp_path / "labels.npy"
    summary = make_pseudo_labels(
        by_band(), tiles, np.array(rows), sensor="target", settings=settings_, output=output
    )
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npy"], "no scratch is left"
    return np.load(output), summary


def test_labels_of_a_set_against_brute_force(tmp_path: Path) -> None:
    tiles = smooth_tiles(4)
    rows = [3, 0, 2]
    labels, summary = label(tmp_path, tiles, rows)
    logits = by_band()(torch.from_numpy(tiles[rows]).permute(0, 3, 1, 2))
    maps = PROBABILITIES.decode(PROBABILITIES.encode(logits.softmax(1).numpy()))
    thresholds = reference_thresholds(maps, 0.33)
    assert list(summary.thresholds) == thresholds
    assert np.array_equal(labels, np.stack([reference_labels(image, thresholds) for image in maps]))
    shares = [float((labels == k).mean()) for k in (0, 1, IGNORE)]
    assert [*summary.shares, summary.ignored] == pytest.approx(shares)
    assert min(shares) > 0.05, "the example exercises all three outcomes"


def test_no_data_is_ignored_and_sets_no_threshold(tmp_path: Path) -> None:
    tiles = smooth_tiles(2)
    _, complete = label(tmp_path, tiles, [0, 1])
    padded = np.concatenate([tiles, np.zeros_like(tiles)], axis=1)
    labels, summary = label(tmp_path, padded, [0, 1])
    assert (labels[:, 48:] == IGNORE).all()
    assert summary == complete


def test_batch_size_does_not_matter(tmp_path: Path) -> None:
    tiles = smooth_tiles(3)
    first = label(tmp_path, tiles, [0, 1, 2], batch=1)
    second = label(tmp_path, tiles, [0, 1, 2], batch=3)
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]


def test_as_released_averages_logits(tmp_path: Path) -> None:
    labels, summary = label(tmp_path, smooth_tiles(3), [0, 1, 2], fusion="logits", scales=(1.0, 1.5))
    assert min(summary.thresholds) < 0.5, "on the logits' scale: no maximum of two probabilities is so small"
    assert set(np.unique(labels)) <= {0, 1, IGNORE}


def test_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(ResourceError, match="GB are needed"):
        label(tmp_path, smooth_tiles(3), [0, 1, 2])
    assert list(tmp_path.iterdir()) == []


def test_keeping_the_maps_or_running_twice_gives_the_same_labels(tmp_path: Path) -> None:
    tiles = smooth_tiles(3)
    twice = label(tmp_path, tiles, [0, 1, 2], scales=(1.0, 1.5))
    kept = label(tmp_path, tiles, [0, 1, 2], scales=(1.0, 1.5), keep_maps=True)
    assert np.array_equal(twice[0], kept[0])
    assert twice[1] == kept[1]


@pytest.mark.parametrize("portion", [0.3, 0.8, 1.0])
def test_labels_can_follow_the_sources_shares_instead_of_what_was_predicted(portion: float) -> None:
    # Buildings ranked right, but never above one half: by prediction there would be none.
    building = np.linspace(0.001, 0.4, 240 * 240)[np.random.default_rng(2).permutation(57600)].reshape(
        240, 240
    )
    image, valid = np.stack([1 - building, building]), np.ones((240, 240), dtype=bool)
    codes, prior = PROBABILITIES.encode(image), (0.9, 0.1)
    histogram = ConfidenceHistogram(2, PROBABILITIES)
    histogram.add(sample_probabilities(codes, valid, 2))
    labels = assign_labels(PROBABILITIES.decode(codes), histogram.thresholds(portion, prior))
    shares = [float((labels == k).mean()) for k in (0, 1)]
    assert shares == pytest.approx([portion * share for share in prior], abs=0.03)
    assert building[labels == 1].min() > building[labels != 1].max(), "the likeliest pixels"
    predicted = ConfidenceHistogram(2, PROBABILITIES)
    predicted.add(sample_confidences(codes, valid, 2))
    assert not (assign_labels(image, predicted.thresholds(portion)) == 1).any()
