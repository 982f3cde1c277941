"""Tiles of a strip: checked once, then decoded when a window needs them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_bytes
from components.lib.foreign import judged
from components.lib.geo.grid import Grid
from components.lib.geo.raster import read_geotiff
from components.lib.geo.windowed import changed
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels
from components.predict.scenes.checks import Survey, check_place
from components.predict.scenes.place import Place, place_of
from components.predict.scenes.reading import Reading, crop, read_pixels

CACHE_BYTES = 128 * 2**20
"""Pixels of decoded tiles that the scenes of one command keep."""


@dataclass(frozen=True, slots=True)
class TileFile:
    """File of a tile.

    Attributes:
        name: File name without folders.
        strip: Overflight that the tile was cut from.
        tile: Number, unique in its strip.
        load: Reader of its bytes.
    """

    name: str
    strip: str
    tile: int
    load: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Tile:
    """File whose content was checked.

    Attributes:
        file: The file.
        sha256: Hex SHA-256 of its bytes when they were checked.
    """

    file: TileFile
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckedTile(Tile):
    """Tile with what the check found.

    Attributes:
        place: Its place on the ground.
        survey: Counts over its pixels.
    """

    place: Place
    survey: Survey

    @property
    def grid(self) -> Grid:
        """Grid of its pixels in the training store."""
        return self.place.grid


def check_tile(file: TileFile, reading: Reading) -> CheckedTile:
    """Decode a tile and check all of it.

    Raises:
        BadDataError: If it is damaged, is not of the sensor's product, or lies on no usable grid.
        MissingInputError: If it is gone.
    """
    content = file.load()
    with judged(file.name):
        raster = read_geotiff(content, file.name)
        reading.check(raster.profile)
        place = place_of(raster.profile)
        crs = check_place(file.name, raster.profile.crs, place.native, place.grid)
        if crs != reading.sensor.crs:
            raise BadDataError(
                f"{file.name} is in {crs[:40]}; {reading.title} comes in {reading.sensor.crs}",
                next_step="give the sensor of these tiles, or leave the tile out",
            )
        found = Survey(reading)
        found.add(*reading.values(raster))
        found.check_values(file.name)
    return CheckedTile(file, sha256_bytes(content), place, found)


class TileCache:
    """Pixels of the tiles used last, shared by threads and scenes.

    Args:
        most_bytes: Pixels that are kept; a larger tile is decoded for each window.
    """

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._pixels: OrderedDict[str, Pixels] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Pixels | None:
        """Return pixels that are kept under a key, or None."""
        with self._lock:
            if key in self._pixels:
                self._pixels.move_to_end(key)
            return self._pixels.get(key)

    def put(self, key: str, pixels: Pixels) -> None:
        """Keep pixels, and drop those that were used longest ago."""
        with self._lock:
            if key in self._pixels:
                return
            self._pixels[key] = pixels
            self._held += pixels.nbytes
            while self._held > self._most and self._pixels:
                self._held -= self._pixels.popitem(last=False)[1].nbytes


class TileReader:
    """Decoder of one tile's pixels on a grid.

    Args:
        tile: The tile; kept as an attribute, like ``place``.
        place: Its place, with the grid that its pixels are wanted on.
        reading: Conversion of its bands into pixels.
        cache: Where its pixels are kept.
    """

    def __init__(self, tile: Tile, place: Place, reading: Reading, cache: TileCache) -> None:
        self.tile = tile
        self.place = place
        self._reading = reading
        self._cache = cache
        self._key = f"{tile.file.name} {tile.sha256} {place.grid}"
        self._lock = Lock()

    @property
    def native(self) -> Grid:
        """Grid of the file's own pixels."""
        return self.place.native

    def on(self, grid: Grid) -> TileReader:
        """Return a reader of the tile's pixels on another grid, sampled from the file's own pixels."""
        return TileReader(self.tile, replace(self.place, grid=grid), self._reading, self._cache)

    def pixels(self) -> Pixels:
        """Return all pixels of the tile, (H, W, 4) uint8; of threads that want them one decodes.

        Raises:
            BadDataError: If the file was replaced since it was checked.
        """
        with self._lock:
            pixels = self._cache.get(self._key)
            if pixels is None:
                pixels = self._decode()
                self._cache.put(self._key, pixels)
        return pixels

    def _decode(self) -> Pixels:
        file = self.tile.file
        content = file.load()
        if sha256_bytes(content) != self.tile.sha256:
            raise changed(file.name)
        with judged(file.name):
            raster = read_geotiff(content, file.name)
            held = Box(0, 0, *raster.profile.shape)
            whole = Box(0, 0, self.place.grid.height, self.place.grid.width)
            return read_pixels(whole, self.place, self._reading, lambda box: crop(raster, held, box))
