"""Probabilities of a trained radar model on drawn acquisitions, with and without the named shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components.experiments.drift.shifts import GEOLOCATION, NONE, SHIFTS, USUAL, Case
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

LEVELS: tuple[tuple[Case, ...], ...] = (
    (NONE,),
    *(
        tuple((shift.name, shift.sizes[-rank]) for shift in SHIFTS if rank <= len(shift.sizes))
        for rank in range(1, max(len(shift.sizes) for shift in SHIFTS) + 1)
    ),
)
"""Cases in the order in which they are measured: no shift, every shift at its largest size, the next one."""

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

    def cases(
        self, scale: Scale, number: int, wanted: Sequence[Case]
    ) -> Iterator[tuple[Case, BlockProbabilities]]:
        """Yield the probabilities on acquisition ``number`` with the wanted shifts, in their order.

        Args:
            scale: Size of the acquisition.
            number: Its number; it lies on ground of its own.
            wanted: Shifts and sizes; :data:`NONE` is without.
        """
        usual = draw(scale, number, USUAL)
        predicted = self.predicted(usual)
        plain = self.counted(usual, predicted)
        drawn: dict[Imaging, Answers] = {USUAL: plain}
        shifts = {shift.name: shift for shift in SHIFTS}
        for case in wanted:
            name, size = case
            imaging = USUAL if case == NONE else shifts[name].imaging(size)
            if imaging not in drawn:
                other = draw(scale, number, imaging)
                drawn[imaging] = self.counted(other, self.predicted(other))
            found = drawn[imaging]
            if name == "gain":
                found = self.counted(usual, self.predicted(usual, gain_db=size))
            elif name == GEOLOCATION:
                found = self.counted(usual, predicted, moved_m=size)
            elif name == "other sensor":
                found = _mixed(found, plain, size)
            yield case, _blocks(found)

    def predicted(self, drawn: Sequence[Drawn], *, gain_db: float = 0.0) -> list[GeoArray]:
        """Predict drawn tiles, all of one size.

        Args:
            drawn: The tiles.
            gain_db: Decibels added to every pixel; values beyond the store's scale are cut off.
        """
        views = views_of(self.settings.scales, flip=self.settings.flip)
        images = (_image(one, gain_db) for one in drawn)
        window, batch = self.settings.window_px, self.settings.batch
        return list(predict_images(self.net, images, window_px=window, batch=batch, views=views))

    def counted(
        self, drawn: Sequence[Drawn], predicted: Sequence[GeoArray], *, moved_m: float = 0.0
    ) -> Answers:
        """Count the probabilities by the outlines of buildings.

        Args:
            drawn: The tiles.
            predicted: Result of :meth:`predicted`.
            moved_m: Distance by which the images lie too far east of the outlines, metres.
        """
        found: Answers = []
        for one, prediction in zip(drawn, predicted, strict=True):
            truth = align(building_mask(one, moved_m, MIN_AREA_M2), prediction.orientation)
            band, valid = prediction.band(BUILDING_BAND), prediction.valid
            parts = tile_parts(prediction, band, truth, valid, self.settings.block_m)
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
