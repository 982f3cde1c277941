"""One round of pseudo-labelling over a whole set of tiles, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from components.contract.temporary import scratch_folder
from components.lib.disk import require_free_space
from components.lib.files import atomic_file
from components.lib.losses.segmentation import IGNORE
from components.lib.nets.network import SegmentationNetwork
from components.lib.selftraining.codes import LOGITS, PROBABILITIES, Codes
from components.lib.selftraining.contrast import ClassContrast, looked_at
from components.lib.selftraining.fusion import Fusion, fuse_scales
from components.lib.selftraining.thresholds import (
    ConfidenceHistogram,
    assign_labels,
    sample_confidences,
    sample_probabilities,
)
from components.lib.store.layer import StoredLayer

Tiles = StoredLayer | npt.NDArray[Any]
"""Images, (N, H, W, C): a layer of a store, or an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelSettings:
    """Settings of pseudo-labelling.

    Attributes:
        portion: Share of each class's most confident pixels that sets its threshold.
        scales: Scales whose maps are averaged.
        fusion: Average probabilities (default) or logits ("as released").
        batch: Tiles per forward pass.
        prior: Share that each class is expected to have. A network that misses most buildings of a new sensor
            still ranks pixels well; its labels then follow these shares instead of repeating what it misses.
            None balances by predicted classes, as released. Needs probabilities.
        keep_maps: Keep all fused maps in a scratch file between setting thresholds and applying them (2 bytes
            per pixel and class), instead of running the network a second time.
    """

    portion: float
    scales: tuple[float, ...]
    fusion: Fusion = "softmax"
    batch: int = 4
    prior: tuple[float, ...] | None = None
    keep_maps: bool = False


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """Result of a round of pseudo-labelling.

    Attributes:
        thresholds: Confidence that each class needed.
        shares: Share of the pixels with data that got each class's label.
        ignored: Share of the pixels with data that got none.
        contrast: Labelled building minus background per texture, in deviations (``ClassContrast``).
    """

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    ignored: float
    contrast: tuple[float, ...]

    @property
    def histogram(self) -> tuple[float, ...]:
        """Share of each class in the labelled pixels; all 0 if none is labelled."""
        labelled = sum(self.shares)
        return tuple(share / labelled if labelled else 0.0 for share in self.shares)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def make_pseudo_labels(
    net: SegmentationNetwork,
    tiles: Tiles,
    rows: npt.NDArray[np.integer],
    *,
    sensor: str,
    settings: PseudoLabelSettings,
    output: Path,
    device: torch.device | str = "cpu",
) -> LabelSummary:
    """Label tiles with the network's own confident predictions.

    Pixels without data (0 in every band) are ignored: there is nothing to be confident about. Memory holds
    one batch of tiles at a time. The network runs twice, to set the thresholds and to apply them, unless
    ``settings.keep_maps``.

    Args:
        net: On ``device``; used in evaluation mode.
        tiles: Images, (N, H, W, C) uint8, usually mapped.
        rows: Rows of them to label; label i belongs to ``rows[i]``.
        sensor: Sensor whose statistics the network uses.
        settings: Settings of the labels.
        output: File for the labels, .npy, (len(rows), H, W) uint8: 0 background, 1 building, 255 ignored.
        device: Device of the network.

    Raises:
        ResourceError: If the disk cannot take the labels, and the scratch file if there is one.
    """
    classes, (height, width) = net.config.classes, tiles.shape[1:3]
    codec = PROBABILITIES if settings.fusion == "softmax" else LOGITS
    require_free_space(output.parent, len(rows) * height * width * (2 * classes * settings.keep_maps + 1))
    histogram = ConfidenceHistogram(classes, codec)
    sample = sample_confidences if settings.prior is None else sample_probabilities
    output.parent.mkdir(parents=True, exist_ok=True)

    def fused(title: str) -> Iterator[Codes]:
        for images in _batches(tiles, rows, settings.batch, f"{title} {sensor}"):
            maps = fuse_scales(net, images.to(device), sensor, settings.scales, settings.fusion)
            for values in maps.cpu().numpy():
                yield codec.encode(values)

    with scratch_folder("maps", output.parent) as folder:
        shape = (len(rows), classes, height, width)
        scratch = _scratch(folder, shape) if settings.keep_maps else None
        for i, codes in enumerate(fused("thresholds of")):
            histogram.add(sample(codes, np.any(tiles[rows[i]], axis=-1), classes))
            if scratch is not None:
                scratch[i] = codes
        thresholds = histogram.thresholds(settings.portion, settings.prior)
        again = fused("pseudo-label") if scratch is None else iter(scratch)
        return _write_labels(output, tiles, rows, (codec.decode(codes) for codes in again), thresholds)


def _scratch(folder: Path, shape: tuple[int, ...]) -> Codes:
    return np.lib.format.open_memmap(folder / "fused.npy", mode="w+", dtype=np.uint16, shape=shape)


def _batches(tiles: Tiles, rows: npt.NDArray[np.integer], size: int, title: str) -> Iterator[torch.Tensor]:
    """Yield tiles (B, C, H, W) uint8, in order."""
    for start in tqdm(range(0, len(rows), size), desc=title, unit="batch", disable=None, leave=False):
        yield torch.from_numpy(tiles[rows[start : start + size]]).permute(0, 3, 1, 2)


def _write_labels(
    output: Path,
    tiles: Tiles,
    rows: npt.NDArray[np.integer],
    maps: Iterable[npt.NDArray[np.float64]],
    thresholds: npt.NDArray[np.float64],
) -> LabelSummary:
    classes = len(thresholds)
    counts = np.zeros(classes + 1, dtype=np.int64)
    contrast, sampled = ClassContrast(tiles.shape[-1]), looked_at(len(rows))
    with atomic_file(output) as temporary:
        labels = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.uint8, shape=(len(rows), *tiles.shape[1:3])
        )
        for i, values in enumerate(maps):
            valid = tiles[rows[i]].any(axis=-1)
            labels[i] = np.where(valid, assign_labels(values, thresholds), IGNORE)
            if i in sampled:
                contrast.add(tiles[rows[i]], labels[i])
            counts += np.bincount(np.minimum(labels[i][valid], classes), minlength=classes + 1)
        labels.flush()
    shares = counts / max(int(counts.sum()), 1)
    return LabelSummary(
        thresholds=tuple(map(float, thresholds)),
        shares=tuple(map(float, shares[:classes])),
        ignored=float(shares[classes]),
        contrast=contrast.value(),
    )
