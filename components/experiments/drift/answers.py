"""Probabilities of a trained radar model on drawn acquisitions, with and without the named shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components.experiments.drift.shifts import GEOLOCATION, OTHER, SHIFTS, USUAL
from components.experiments.drift.world import Drawn, Imaging, Scale, building_mask, draw
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.datasets.scaling import scale_sar
from components.lib.drift.answers import tile_parts
from components.lib.drift.expected_score import BlockProbabilities
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.geo.orientation import align
from components.lib.inference.tiles import predict_images
from components.lib.inference.views import views_of
from components.lib.metrics.probabilities import ProbabilityHistogram
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.layout import BANDS
from components.lib.tasks.labels import BUILDING_BAND

Case = tuple[str, float]
"""Name and size of a shift."""

NONE: Case = ("none", 0.0)

MIN_AREA_M2 = 20.0
"""Buildings of at most this area are no label, as in the store (``prepare.min_area_m2``)."""


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """Probabilities of one tile by ground block, and the number of its strip."""

    strip: int
    parts: tuple[tuple[str, ProbabilityHistogram], ...]


Answers = list[TileAnswer]


@dataclass(frozen=True, slots=True)
class Mapper:
    """A radar model that maps drawn tiles.

    Attributes:
        net: The network.
        settings: Section `scoring`.
    """

    net: SegmentationNetwork
    settings: ScoringSettings

    def cases(self, scale: Scale, number: int, *, shifted: bool) -> Iterator[tuple[Case, BlockProbabilities]]:
        """Yield the probabilities on acquisition ``number`` without shift and, if asked for, with each.

        Args:
            scale: Size of the acquisition.
            number: Its number; it lies on ground of its own.
            shifted: Whether every shift is applied to it.
        """
        usual = draw(scale, number, USUAL)
        plain = self.answers(usual)
        yield NONE, _blocks(plain)
        if not shifted:
            return
        drawn: dict[Imaging, Answers] = {}
        for shift in SHIFTS:
            for size in shift.sizes:
                imaging = shift.imaging(size)
                if imaging != USUAL and imaging not in drawn:
                    drawn = {imaging: self.answers(draw(scale, number, imaging))}  # one at a time is kept
                match shift.name:
                    case "gain":
                        found = self.answers(usual, gain_db=size)
                    case name if name == GEOLOCATION:
                        found = self.answers(usual, moved_m=size)
                    case "other sensor":
                        found = _mixed(drawn[OTHER], plain, size)
                    case _:
                        found = drawn[imaging]
                yield (shift.name, size), _blocks(found)

    def answers(self, drawn: Sequence[Drawn], *, gain_db: float = 0.0, moved_m: float = 0.0) -> Answers:
        """Predict drawn tiles; count the probabilities by the outlines of buildings.

        Args:
            drawn: The tiles, all of one size.
            gain_db: Decibels added to every pixel; values beyond the store's scale are cut off.
            moved_m: Distance by which the images lie too far east of the outlines, metres.
        """
        views = views_of(self.settings.scales, flip=self.settings.flip)
        images = (_image(one, gain_db) for one in drawn)
        predictions = predict_images(
            self.net, images, window_px=self.settings.window_px, batch=self.settings.batch, views=views
        )
        found: Answers = []
        for one, prediction in zip(drawn, predictions, strict=True):
            truth = align(building_mask(one, moved_m, MIN_AREA_M2), prediction.orientation)
            parts = tile_parts(
                prediction,
                prediction.band(BUILDING_BAND),
                truth,
                prediction.valid,
                self.settings.block_m,
            )
            found.append(TileAnswer(one.strip.index, tuple(parts)))
        return found


def _image(drawn: Drawn, gain_db: float) -> GeoArray:
    """Return a tile as the store would have it: scaled to uint8, and turned where it was seen from south."""
    sensor, frame, orientation = SIMULATED_AIRBORNE, drawn.tile.frame, drawn.strip.orientation
    valid = (drawn.tile.sar != 0).any(axis=0)
    scaled = scale_sar(drawn.tile.sar + np.float32(gain_db), valid, sensor.scale_limits)
    north_up = PixelTransform.north_up(x_left_m=frame.x_left, y_top_m=frame.y_top, gsd_m=frame.gsd)
    return GeoArray(
        values=np.moveaxis(align(scaled[..., list(sensor.quad_pol_source)], orientation), -1, 0),
        bands=BANDS["sar"],
        valid=align(valid, orientation),
        transform=north_up.turned(frame.rows, frame.cols) if orientation == 1 else north_up,
        crs=sensor.crs,
        sensor=sensor.name,
        orientation=orientation,
    )


def _mixed(other: Answers, usual: Answers, share: float) -> Answers:
    """Return the answers where the first strips were taken by the other sensor."""
    first = round(share * (max(answer.strip for answer in usual) + 1))
    return [one if one.strip < first else same for one, same in zip(other, usual, strict=True)]


def _blocks(answers: Answers) -> BlockProbabilities:
    return BlockProbabilities.of(part for answer in answers for part in answer.parts)
