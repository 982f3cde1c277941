"""Protocols by which a store's pairs are predicted and scored.

One checkpoint differs by up to a point of F1 between them, so a score names its protocol:

- ``whole_tile``: one pass over the pair as it is, 1,024 x 1,024 pixels in LEVIR-CD.
- ``crops_256``: crops of 256 pixels without overlap, each predicted apart, as most published tables have it.
  Crops that reach over the edge are padded with no data, which is cut off again.

Objects are matched in the whole pair in both: a building that a crop's edge cuts counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
import shapely
from tqdm import tqdm

from components.contract.errors import BadDataError, ParameterError
from components.lib.change.pair import Pixels
from components.lib.change.scoring.scores import ChangeRules, ChangeScores, score_pair
from components.lib.change.store.layout import LABEL, layer_name
from components.lib.change.store.store import PairStore
from components.lib.change.terms import Modality
from components.lib.geo.rasterise import rasterise_instances

ScoringProtocol = Literal["whole_tile", "crops_256"]

PROTOCOLS: Final[tuple[ScoringProtocol, ...]] = ("whole_tile", "crops_256")
CROP_PX: Final = 256
"""Side of the crops of ``crops_256``, pixels."""

Probability = npt.NDArray[np.float32]


class ChangePredictor(Protocol):
    """Anything that predicts change."""

    def predict(self, before: Pixels, after: Pixels) -> Probability:
        """Return the probability that a pixel changed, (H, W), 0 to 1.

        Args:
            before: (H, W, C) uint8 of the first date, any H and W; a pixel of zeros has no data.
            after: The same of the second date; its bands may be others.
        """
        ...


def predict_pair(
    predictor: ChangePredictor, before: Pixels, after: Pixels, protocol: ScoringProtocol
) -> Probability:
    """Predict one pair by a protocol.

    Args:
        predictor: The network.
        before: (H, W, C) uint8 of the first date.
        after: (H, W, C) uint8 of the second date.
        protocol: ``whole_tile`` or ``crops_256``.

    Returns:
        Probability of change, (H, W).

    Raises:
        ParameterError: If there is no such protocol.
        ValueError: If a prediction has not the size of its images.
    """
    if protocol not in PROTOCOLS:
        raise ParameterError(f"unknown protocol {protocol!r}", next_step=f"use one of {', '.join(PROTOCOLS)}")
    if protocol == "whole_tile":
        return _checked(predictor.predict(before, after), before)
    height, width = before.shape[:2]
    whole = np.empty((height, width), dtype=np.float32)
    for y in range(0, height, CROP_PX):
        for x in range(0, width, CROP_PX):
            first, second = _crop(before, y, x), _crop(after, y, x)
            target = whole[y : y + CROP_PX, x : x + CROP_PX]
            target[:] = _checked(predictor.predict(first, second), first)[
                : target.shape[0], : target.shape[1]
            ]
    return whole


def predict_split(
    predictor: ChangePredictor,
    store: PairStore,
    split: str,
    protocol: ScoringProtocol,
    *,
    before: Modality = "optical",
    after: Modality = "optical",
) -> Iterator[tuple[str, Probability]]:
    """Yield the name of each pair of a split and its probability of change, (H, W).

    Args:
        predictor: The network.
        store: The store.
        split: ``train``, ``val`` or ``test``.
        protocol: ``whole_tile`` or ``crops_256``.
        before: Modality of the first date.
        after: Modality of the second date.

    Raises:
        BadDataError: If the split is empty.
        MissingInputError: If the data set has no such images.
        ParameterError: If there is no such split or protocol.
    """
    names = store.names(split)
    if not names:
        raise BadDataError(
            f"data set {store.facts.data_set} in {store.folder} has no pair in the split {split}",
            next_step=f"score another split; see them in reports/pairs/{store.facts.data_set}/details.json",
        )
    for name in tqdm(names, desc=f"{protocol} {split}", unit="pair", disable=None, leave=False):
        images = (
            store.whole(layer_name("before", before), name),
            store.whole(layer_name("after", after), name),
        )
        yield name, predict_pair(predictor, *images, protocol)


def score_split(
    predictor: ChangePredictor,
    store: PairStore,
    split: str,
    protocol: ScoringProtocol,
    *,
    before: Modality = "optical",
    after: Modality = "optical",
    rules: ChangeRules | None = None,
    threshold: float = 0.5,
    on_pair: Callable[[str, Probability], None] | None = None,
) -> ChangeScores:
    """Score a network on a split by a protocol; arguments as :func:`predict_split`.

    Args:
        predictor: The network.
        store: The store. Where it knows the changed buildings of a pair, these are the objects.
        split: ``train``, ``val`` or ``test``.
        protocol: ``whole_tile`` or ``crops_256``.
        before: Modality of the first date.
        after: Modality of the second date.
        rules: Matching of objects and tolerance; the defaults of :class:`ChangeRules` if None.
        threshold: Probability above which change is predicted.
        on_pair: Called with name and probability (H, W) of each pair, for those who need more than scores.

    Raises:
        StormsightError: As :func:`predict_split`.
    """
    used, scored = rules or ChangeRules(), []
    for name, probability in predict_split(predictor, store, split, protocol, before=before, after=after):
        scored.append(
            score_pair(
                probability > threshold,
                store.whole(LABEL, name)[..., 0],
                used,
                name=name,
                scene=str(store.tiles_of(name)["scene"].iloc[0]),
                buildings=buildings_of(store, name, probability.shape, used.min_area_px),
            )
        )
        if on_pair is not None:
            on_pair(name, probability)
    return ChangeScores(scored, used)


def buildings_of(
    store: PairStore, name: str, shape: tuple[int, ...], min_area_px: int
) -> npt.NDArray[np.int32] | None:
    """Return the changed buildings of a pair numbered, (H, W); None where the data set knows none at all.

    Args:
        store: The store.
        name: Name of the pair.
        shape: Height and width of the pair.
        min_area_px: Smaller buildings are left out, pixels.
    """
    if store.buildings.empty:
        return None
    own = store.buildings.loc[store.buildings["name"] == name, "wkt_px"]
    outlines = [p for p in shapely.from_wkt(own.to_numpy(dtype=object)) if p.area >= min_area_px]
    return rasterise_instances(outlines, shape[0], shape[1])


def _crop(image: Pixels, y: int, x: int) -> Pixels:
    """Return a crop (256, 256, C); no data beyond the edge."""
    part = image[y : y + CROP_PX, x : x + CROP_PX]
    if part.shape[:2] == (CROP_PX, CROP_PX):
        return part
    padded = np.zeros((CROP_PX, CROP_PX, image.shape[2]), dtype=image.dtype)
    padded[: part.shape[0], : part.shape[1]] = part
    return padded


def _checked(probability: Probability, image: Pixels) -> Probability:
    if probability.shape != image.shape[:2]:
        raise ValueError(f"a prediction of {probability.shape} for images of {image.shape[:2]} pixels")
    return probability
