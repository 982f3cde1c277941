"""Drawing of buildings from levels: the task's own vectoriser, then the outlines that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.mapping.blocks import Box
from components.lib.mapping.buildings import Buildings, concatenate
from components.lib.mapping.levels import NO_DATA, Levels, to_probability
from components.lib.mapping.regular import regular_outlines
from components.lib.tasks.buildings import BUILDINGS

Outlines = Literal["raw", "simplified", "regular"]
"""Outlines along pixel edges; simplified by ``scoring.simplify_px``; with right angles where walls allow."""

MOST_PART_PX = 2**24
"""Largest box of one connected part, pixels: 4.2 km² at half a metre, drawn in about 1.5 GB."""

_NARROW_PX = 256
_CANVAS_PX = 2**20
_PIXELS = PixelTransform(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Pixels of one or more 8-connected parts that are drawn together.

    Attributes:
        rows: (N,) rows in the scene.
        columns: (N,) columns in the scene.
        levels: (C, N) their levels.
        box: Smallest box of the scene that holds them.
    """

    rows: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    levels: Levels
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawer:
    """Rules by which a map's buildings are drawn.

    Attributes:
        settings: Vectoriser and its parameters.
        threshold: Probability above which a pixel is building.
        outlines: Form of the polygons.
        bands: Bands of the levels, as the network names them.
        most_part_px: Largest box of one connected part, pixels.
    """

    settings: ScoringSettings
    threshold: float
    outlines: Outlines
    bands: tuple[str, ...]
    most_part_px: int = MOST_PART_PX

    def prediction(self, levels: Levels) -> GeoArray:
        """Return the probabilities of levels (C, H, W) as the task takes them."""
        return GeoArray(
            values=to_probability(levels),
            bands=self.bands,
            valid=levels[0] != NO_DATA,
            transform=_PIXELS,
            crs="",
            sensor="",
            orientation=0,
        )

    def mask(self, prediction: GeoArray) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) that buildings are made of."""
        return BUILDINGS.drawn_mask(prediction, self.settings, self.threshold)

    def draw(self, prediction: GeoArray, *, top: int = 0, left: int = 0) -> Buildings:
        """Draw the buildings of a prediction whose first pixel is (``top``, ``left``) of the scene.

        Each is drawn from the pixels of its own 8-connected part of :meth:`mask` alone, in an order that
        depends on all.
        """
        raw = self.outlines == "raw"
        settings = self.settings.model_copy(update={"simplify_px": 0.0}) if raw else self.settings
        drawn = BUILDINGS.draw(prediction, settings, self.threshold)
        outlines = np.asarray(shapely.normalize(drawn.geometries), dtype=object)
        if self.outlines == "regular":
            outlines = regular_outlines(outlines)
        return Buildings(outlines, drawn.confidences).shifted(left, top)

    def draw_parts(self, parts: Sequence[Part]) -> Buildings:
        """Draw the buildings of parts that touch each other nowhere, however they lie in the scene."""
        return concatenate(self._draw_column(column) for column in _columns(parts))

    def check_size(self, box: Box) -> None:
        """Refuse a connected part whose drawing would exhaust the memory.

        Raises:
            BadDataError: If its box has more than ``most_part_px`` pixels.
        """
        if box.area <= self.most_part_px:
            return
        height, width = box.shape
        raise BadDataError(
            f"one connected part of the predicted buildings, at row {box.top}, column {box.left}, "
            f"is {height} x {width} px, more than the {self.most_part_px} px that are drawn at once: "
            "the probability map is saturated there",
            next_step="raise the threshold, or check that the model was trained for this sensor and scene",
        )

    def _draw_column(self, column: Sequence[Part]) -> Buildings:
        """Draw parts below each other on one canvas, an empty row between them, and put them back."""
        tops = np.cumsum([0, *(part.box.shape[0] + 1 for part in column)])
        canvas = np.zeros((len(self.bands), tops[-1], max(p.box.shape[1] for p in column)), dtype=np.uint8)
        for part, top in zip(column, tops[:-1].tolist(), strict=True):
            canvas[:, part.rows - part.box.top + top, part.columns - part.box.left] = part.levels
        drawn = self.draw(self.prediction(canvas))
        if not len(drawn):
            return drawn
        # Regular outlines may reach beyond their pixels, so the middle of a polygon says whose it is.
        bounds = shapely.bounds(drawn.geometries)
        owner = np.searchsorted(tops, (bounds[:, 1] + bounds[:, 3]) / 2, side="right") - 1
        left = np.array([part.box.left for part in column])
        top = np.array([part.box.top for part in column]) - tops[:-1]
        shift = np.stack([left, top], axis=1)[owner].astype(np.float64)
        xy, index = shapely.get_coordinates(drawn.geometries, return_index=True)
        return Buildings(shapely.set_coordinates(drawn.geometries, xy + shift[index]), drawn.confidences)


def _columns(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Yield parts to draw on one canvas: narrow ones together, a wide one alone."""
    column: list[Part] = []
    height = 0
    for part in parts:
        if part.box.shape[1] > _NARROW_PX:
            yield [part]
            continue
        if column and (height + part.box.shape[0]) * _NARROW_PX > _CANVAS_PX:
            yield column
            column, height = [], 0
        column.append(part)
        height += part.box.shape[0] + 1
    if column:
        yield column
