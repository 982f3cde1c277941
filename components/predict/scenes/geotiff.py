"""Scene in one GeoTIFF file of any size, read window by window."""

from __future__ import annotations

from dataclasses import replace

from components.lib.foreign import judged
from components.lib.geo.grid import Grid
from components.lib.geo.raster import RasterProfile
from components.lib.geo.windowed import WindowedGeoTiff
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels, SceneFacts
from components.predict.scenes.checks import Survey
from components.predict.scenes.place import Place
from components.predict.scenes.reading import Reading, read_pixels

WHOLE_PX = 4 << 20
"""Pixels up to which a file is surveyed whole."""

_WINDOWS, _WINDOW_PX = 16, 32
"""Windows along each side of a larger file that are surveyed, and their side."""

_STRIDE_PX = 1 << 20


class GeoTiffScene:
    """One look in one file.

    Args:
        file: The file.
        facts: Its facts.
        place: Its place on the ground.
        reading: Conversion of its bands into pixels.
        survey: Counts over its pixels.
    """

    def __init__(
        self, file: WindowedGeoTiff, facts: SceneFacts, place: Place, reading: Reading, survey: Survey
    ) -> None:
        self._file = file
        self._place = place
        self._reading = reading
        self.facts = facts
        self.survey = survey

    @property
    def grid(self) -> Grid:
        """Place on the ground, north up."""
        return self._place.grid

    def on(self, grid: Grid) -> GeoTiffScene:
        """Return the same look on another grid of its CRS, sampled from the file's own pixels."""
        return GeoTiffScene(
            self._file, self.facts, replace(self._place, grid=grid), self._reading, self.survey
        )

    def read(self, box: Box) -> Pixels:
        """Return pixels; see :class:`~components.lib.mapping.scene.Scene`."""
        with judged(self._file.profile.name):
            return read_pixels(box, self._place, self._reading, self._file.read)


def survey_file(file: WindowedGeoTiff, reading: Reading) -> Survey:
    """Count data and values of a file: of all its pixels, or of windows spread evenly over a large one.

    Raises:
        BadDataError: If the file is damaged where it is read.
    """
    profile = file.profile
    found = Survey(reading, sampled=profile.height * profile.width > WHOLE_PX)
    with judged(profile.name):
        for box in _sample(profile) if found.sampled else _rows(profile):
            found.add(*reading.values(file.read(box)))
    return found


def _rows(profile: RasterProfile) -> list[Box]:
    step = max(1, _STRIDE_PX // profile.width)
    tops = range(0, profile.height, step)
    return [Box(top, 0, min(top + step, profile.height), profile.width) for top in tops]


def _sample(profile: RasterProfile) -> list[Box]:
    """Return windows in the middle of equal cells, row by row."""
    tops, lefts = _starts(profile.height), _starts(profile.width)
    return [
        Box(top, left, min(top + _WINDOW_PX, profile.height), min(left + _WINDOW_PX, profile.width))
        for top in tops
        for left in lefts
    ]


def _starts(length: int) -> list[int]:
    cell = length / _WINDOWS
    starts = (max(0, int((i + 0.5) * cell - _WINDOW_PX / 2)) for i in range(_WINDOWS))
    return sorted(set(starts))
