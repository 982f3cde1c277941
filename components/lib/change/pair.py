"""A pair of images of the same ground from two dates, with the label of what changed between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from components.lib.change.terms import Kind, Modality, Split
from components.lib.geo.geoarray import PixelTransform

if TYPE_CHECKING:
    import shapely

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ChangedBuilding:
    """A building that was added, removed or enlarged.

    Attributes:
        kind: Kind of change.
        outline: Changed ground in pixels of the pair: x to the right, y down, (0, 0) the upper-left corner.
            Of an enlarged building, the part that is new.
    """

    kind: Kind
    outline: shapely.Polygon


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two dates of the same ground on one grid of pixels.

    Attributes:
        name: Name in its data set.
        scene: Ground that it shows. Pairs of one scene lie in one split, and intervals of scores draw scenes.
        split: Part of the data set.
        before: Images of the first date by modality, (H, W, C) with the bands of ``BANDS``; a pixel that is 0
            in all bands has no data.
        after: Images of the second date, the same.
        label: (H, W): ``UNCHANGED``, ``CHANGED`` or ``UNKNOWN``.
        place: Place of the pixels on the ground; None for images without georeference.
        crs: Coordinate reference system of ``place``.
        buildings: Changed buildings, where the data set knows them one by one.
    """

    name: str
    scene: str
    split: Split
    before: Mapping[Modality, Pixels]
    after: Mapping[Modality, Pixels]
    label: Pixels
    place: PixelTransform | None = None
    crs: str | None = None
    buildings: tuple[ChangedBuilding, ...] = ()
