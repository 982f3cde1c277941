"""Drawing of buildings from levels: the task's own vectoriser, then the outlines that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
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
from components.lib.mapping.packing import Canvas, pack
from components.lib.mapping.regular import regular_outlines
from components.lib.tasks.buildings import BUILDINGS

Outlines = Literal["raw", "simplified", "regular"]
"""Outlines along pixel edges; simplified by ``scoring.simplify_px``; with right angles where walls allow."""

MOST_PART_PX = 2**24
"""Largest box of one connected part, pixels: 4.2 km² at half a metre, drawn in about 1.5 GB."""

_STRIP_PX = 64
"""Rows whose mask is made at once: what is in between takes many times the memory of levels."""

_PIXELS = PixelTransform(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One 8-connected part of a scene's mask, or several that are drawn together.

    Attributes:
        box: Smallest box of the scene that holds it.
        levels: (C, h, w) levels of the box.
        mask: (h, w) pixels of the part.
    """

    box: Box
    levels: Levels
    mask: npt.NDArray[np.bool_]


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

    def mask(self, levels: Levels) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) that buildings are made of, from levels (C, H, W)."""
        mask = np.empty(levels.shape[1:], dtype=bool)
        for top in range(0, len(mask), _STRIP_PX):
            strip = self._prediction(levels[:, top : top + _STRIP_PX])
            mask[top : top + _STRIP_PX] = BUILDINGS.drawn_mask(strip, self.settings, self.threshold)
        return mask

    def draw(self, levels: Levels) -> Buildings:
        """Draw the buildings of levels (C, H, W), in their pixels.

        Each is drawn from the pixels of its own 8-connected part of :meth:`mask` alone, in an order that
        depends on all. Outlines of no more than ``min_area_px`` square pixels are left out, as the metric
        leaves them out: slivers at the edge of no-data, which is cut out before, shrink when simplified.
        """
        raw = self.outlines == "raw"
        settings = self.settings.model_copy(update={"simplify_px": 0.0}) if raw else self.settings
        drawn = BUILDINGS.draw(self._prediction(levels), settings, self.threshold)
        outlines = np.asarray(shapely.normalize(drawn.geometries), dtype=object)
        if self.outlines == "regular":
            outlines = regular_outlines(outlines)
        large = shapely.area(outlines) > self.settings.min_area_px
        return Buildings(outlines[large], drawn.confidences[large])

    def draw_parts(self, parts: Sequence[Part]) -> Buildings:
        """Draw the buildings of parts that touch each other nowhere, in pixels of the scene."""
        canvases = pack([part.box.shape for part in parts])
        return concatenate(self._draw_canvas(canvas, parts) for canvas in canvases)

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

    def _prediction(self, levels: Levels) -> GeoArray:
        return GeoArray(
            values=to_probability(levels),
            bands=self.bands,
            valid=levels[0] != NO_DATA,
            transform=_PIXELS,
            crs="",
            sensor="",
            orientation=0,
        )

    def _draw_canvas(self, canvas: Canvas, parts: Sequence[Part]) -> Buildings:
        """Draw the parts of one canvas, and put their buildings back to where the parts lie."""
        levels = np.full((len(self.bands), *canvas.shape), NO_DATA, dtype=np.uint8)
        placed = [parts[index] for index in canvas.indices.tolist()]
        for part, top, left in zip(placed, canvas.tops.tolist(), canvas.lefts.tolist(), strict=True):
            height, width = part.box.shape
            np.copyto(levels[:, top : top + height, left : left + width], part.levels, where=part.mask)
        drawn = self.draw(levels)
        if not len(drawn):
            return drawn
        # A regular outline may reach beyond its pixels: the middle of a polygon says whose it is.
        x_min, y_min, x_max, y_max = shapely.bounds(drawn.geometries).T
        owner = canvas.owners((x_min + x_max) / 2, (y_min + y_max) / 2)
        x = np.array([part.box.left for part in placed]) - canvas.lefts
        y = np.array([part.box.top for part in placed]) - canvas.tops
        return drawn.shifted(x[owner], y[owner])
