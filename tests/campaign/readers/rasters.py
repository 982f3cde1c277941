"""GeoTIFF files: header, pixels and bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from tests.campaign.mutations import BINARY, mutate_bytes
from tests.campaign.readers.release import Damage, ReleaseReader, Right
from tests.campaign.world import OPTICAL, SAR, TileKey

NAN, INF = float("nan"), float("inf")

warnings.filterwarnings("ignore", module="rasterio")


class Rasters(ReleaseReader):
    """SAR and optical images: header fields, pixels, and bytes."""

    name = "geotiff"

    def damage(self, rng: Random, tile: TileKey, files: Mapping[str, bytes]) -> tuple[str, Damage]:
        """Damage the SAR or the optical file."""
        del tile
        product = rng.choice((SAR, SAR, OPTICAL))
        kind = rng.choice((_bytes, _bytes, _transform, _profile, _profile, _pixels, _pixels, _tags, _tags))
        return product, kind(rng, files[product], product)


@lru_cache(maxsize=64)
def decoded(content: bytes) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    """Return the pixels of a sound file and its profile."""
    with MemoryFile(content) as memory, memory.open() as dataset:
        return dataset.read(), dict(dataset.profile)


def _encoded(array: np.ndarray[Any, Any], profile: dict[str, Any], **tags: Any) -> bytes:
    """Return a GeoTIFF; ``tags`` are descriptions, scales, offsets, tags, mask, colours."""
    profile = {"driver": "GTiff", **profile}
    profile |= {"count": array.shape[0], "height": array.shape[1], "width": array.shape[2]}
    profile |= {"dtype": array.dtype.name}
    for name in ("blockxsize", "blockysize", "tiled") if "blockxsize" not in tags else ():
        profile.pop(name, None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(array)
            for name in ("descriptions", "scales", "offsets", "units", "gcps"):
                if name in tags:
                    setattr(dataset, name, tags[name])
            if "tags" in tags:
                dataset.update_tags(**tags["tags"])
            if "mask" in tags:
                dataset.write_mask(tags["mask"])
            if "overviews" in tags:
                dataset.build_overviews(tags["overviews"])
        return bytes(memory.read())


def _bytes(rng: Random, content: bytes, product: str) -> Damage:
    del product
    described, changed = mutate_bytes(rng, content, BINARY)
    right = Right.ANY
    if changed == content:
        right = Right.SAME
    return Damage(described, changed, right)


def _transform(rng: Random, content: bytes, product: str) -> Damage:
    del product
    array, profile = decoded(content)
    t = profile["transform"]
    name, changed = rng.choice(
        (
            ("origin x NaN", Affine(t.a, t.b, NAN, t.d, t.e, t.f)),
            ("origin y NaN", Affine(t.a, t.b, t.c, t.d, t.e, NAN)),
            ("origin infinite", Affine(t.a, t.b, INF, t.d, t.e, t.f)),
            ("pixel size NaN", Affine(NAN, t.b, t.c, t.d, t.e, t.f)),
            ("all NaN", Affine(NAN, NAN, NAN, NAN, NAN, NAN)),
            ("pixel size 1e-9", Affine(t.a * 1e-9, 0, t.c, 0, t.e * 1e-9, t.f)),
            ("pixel size 1e9", Affine(t.a * 1e9, 0, t.c, 0, t.e * 1e9, t.f)),
            ("pixel size doubled", Affine(t.a * 2, 0, t.c, 0, t.e * 2, t.f)),
            ("pixel height doubled", Affine(t.a, 0, t.c, 0, t.e * 2, t.f)),
            ("pixel size 1e-320", Affine(1e-320, 0, t.c, 0, -1e-320, t.f)),
            ("south up", Affine(t.a, 0, t.c, 0, -t.e, t.f)),
            ("east to west", Affine(-t.a, 0, t.c, 0, t.e, t.f)),
            ("turned", t * Affine.rotation(30)),
            ("sheared", Affine(t.a, 0.1, t.c, 0.1, t.e, t.f)),
            ("identity", Affine.identity()),
            ("60 m away", Affine(t.a, 0, t.c + 60, 0, t.e, t.f)),
            ("1e300 away", Affine(t.a, 0, 1e300, 0, t.e, t.f)),
        )
    )
    return Damage(f"transform: {name}", _encoded(array, {**profile, "transform": changed}), Right.NEVER)


_CRS = (
    None,
    "EPSG:4326",
    "EPSG:32632",
    "EPSG:3857",
    "EPSG:32631+5773",
    "EPSG:5773",
    "EPSG:4978",
    'LOCAL_CS["here",UNIT["metre",1]]',
)


def _profile(rng: Random, content: bytes, product: str) -> Damage:
    """Change the type, the number of bands, the size, the projection, or how it is stored."""
    array, profile = decoded(content)
    kind = rng.choice(("dtype", "bands", "size", "crs", "stored", "stored"))
    if kind == "dtype":
        name = rng.choice(
            [
                n
                for n in ("uint8", "int16", "uint16", "int32", "float64", "complex64", "int8")
                if n != array.dtype.name
            ]
        )
        right = Right.NEVER if product == OPTICAL or name != "float64" else Right.SAME
        return Damage(f"as {name}", _encoded(array.astype(name), {**profile, "nodata": None}), right)
    if kind == "bands":
        count = rng.choice([n for n in (1, 2, 3, 4, 5, 16, 40) if n != len(array)])
        many = np.concatenate([array] * 14)[:count]
        return Damage(f"{count} bands", _encoded(many, profile), Right.NEVER)
    if kind == "size":
        height, width = rng.choice(
            ((1, 1), (127, 128), (128, 64), (129, 129), (64, 64), (1, 128), (256, 256))
        )
        cut = np.tile(array, (1, 3, 3))[:, :height, :width]
        return Damage(f"{height} x {width} pixels", _encoded(cut, profile), Right.NEVER)
    if kind == "crs":
        crs = rng.choice(_CRS)
        try:
            changed = _encoded(array, {**profile, "crs": crs})
        except Exception:
            crs, changed = None, _encoded(array, {**profile, "crs": None})
        return Damage(f"CRS {crs}", changed, Right.NEVER)
    name, options = rng.choice(
        (
            ("LZW", {"compress": "lzw"}),
            ("LZW with a predictor", {"compress": "lzw", "predictor": 2 if array.dtype.kind == "u" else 3}),
            ("not compressed", {"compress": None}),
            ("PackBits", {"compress": "packbits"}),
            ("in tiles of 16", {"tiled": True, "blockxsize": 16, "blockysize": 16}),
            ("in tiles of 512", {"tiled": True, "blockxsize": 512, "blockysize": 512}),
            ("big-endian", {"ENDIANNESS": "BIG"}),
            ("BigTIFF", {"BIGTIFF": "YES"}),
            ("by band", {"interleave": "band"}),
            ("by pixel", {"interleave": "pixel"}),
            ("GeoTIFF 1.1", {"GEOTIFF_VERSION": "1.1"}),
            ("point pixels", {"compress": "deflate"}),
        )
    )
    profile.pop("compress", None)
    return Damage(f"stored {name}", _encoded(array, {**profile, **options}, blockxsize=1), Right.KEPT)


def _pixels(rng: Random, content: bytes, product: str) -> Damage:
    """Change pixels: values that no sensor gives, and no-data that the file declares or does not."""
    array, profile = decoded(content)
    array = array.copy()
    if product == OPTICAL:
        level = rng.choice((0, 255, 1, 128))
        if rng.random() < 0.3:
            array[:, rng.randrange(128)] = level
            return Damage(f"a line of {level}", _encoded(array, profile), Right.ANY)
        array[:] = level
        return Damage(f"{level} throughout", _encoded(array, profile), Right.NEVER)
    kind = rng.choice(("declared", "declared", "value", "value", "constant"))
    if kind == "declared":
        marker = rng.choice((-9999.0, NAN, -32768.0, 0.0, float(np.finfo("f4").min)))
        empty = array == 0
        array[empty] = marker
        where = "pixels without data"
        return Damage(
            f"{where} are {marker}, declared", _encoded(array, {**profile, "nodata": marker}), Right.KEPT
        )
    if kind == "constant":
        value = rng.choice((0.0, NAN, INF, 92.0, 1e30, -5.0, 50.0))
        array[:] = value
        # A sensor could give such values, though hardly everywhere.
        right = Right.ANY if value in (50.0, 92.0) else Right.NEVER
        return Damage(f"{value} throughout", _encoded(array, profile), right)
    value = rng.choice((NAN, INF, -INF, 1e30, -1e30, -9999.0, 1e5))
    band = rng.randrange(len(array))
    data = np.argwhere(array[band] > 0)
    for row, column in data[rng.randrange(len(data)) :][: rng.choice((1, 50))]:
        array[band, row, column] = value
    return Damage(
        f"some pixels {value}, undeclared", _encoded(array, {**profile, "nodata": None}), Right.NEVER
    )


def _tags(rng: Random, content: bytes, product: str) -> Damage:  # noqa: C901 - a list of kinds
    """Change what the file says about its pixels."""
    array, profile = decoded(content)
    bands = len(array)
    names = ("HH", "HV", "VH", "VV") if product == SAR else ("Red", "Green", "Blue")
    kind = rng.choice(
        ("reversed", "names", "scale", "offset", "tags", "mask", "nodata", "overviews", "gcps", "units")
    )
    if kind == "reversed":
        # What is called VV lies where HH is expected.
        right = Right.REVERSED if product == SAR else Right.OTHER
        return Damage(
            "bands named in reversed order", _encoded(array, profile, descriptions=names[::-1]), right
        )
    if kind == "names":
        given = rng.choice(
            (
                names,
                tuple(n.lower() for n in names),
                tuple(f"Band {i + 1}" for i in range(bands)),
                ("",) * bands,
            )
        )
        return Damage(f"bands named {given}", _encoded(array, profile, descriptions=given), Right.SAME)
    if kind == "scale":
        value = rng.choice((0.5, 0.0, -1.0, NAN, 1e30, 1.0))
        right = Right.SAME if value == 1.0 else Right.OTHER
        return Damage(f"scale {value}", _encoded(array, profile, scales=(value,) * bands), right)
    if kind == "offset":
        value = rng.choice((10.0, -5.0, NAN, INF, 0.0))
        right = Right.SAME if value == 0.0 else Right.OTHER
        return Damage(f"offset {value}", _encoded(array, profile, offsets=(value,) * bands), right)
    if kind == "mask":
        mask = np.full(array.shape[1:], 255, "u1")
        if rng.random() < 0.5:
            return Damage("a mask of data throughout", _encoded(array, profile, mask=mask), Right.SAME)
        mask[:] = 0
        return Damage("a mask of no data throughout", _encoded(array, profile, mask=mask), Right.OTHER)
    if kind == "nodata":
        value = rng.choice((0.0, -9999.0, 3e38, NAN, INF)) if array.dtype.kind == "f" else 0
        return Damage(f"no-data {value} declared", _encoded(array, {**profile, "nodata": value}), Right.SAME)
    if kind == "overviews":
        return Damage("overviews inside", _encoded(array, profile, overviews=[2, 4]), Right.SAME)
    if kind == "gcps":
        points = [
            rasterio.control.GroundControlPoint(r, c, 592_000 + c, 5_746_000 - r)
            for r, c in ((0, 0), (0, 9), (9, 0))
        ]
        return Damage(
            "ground control points",
            _encoded(array, {**profile, "transform": None}, gcps=(points, profile["crs"])),
            Right.NEVER,
        )
    if kind == "units":
        return Damage("units dB", _encoded(array, profile, units=("dB",) * bands), Right.ANY)
    tags = rng.choice(
        ({"AREA_OR_POINT": "Point"}, {"a": "x" * 100_000}, {"é": "\u202e\n"}, {"TIFFTAG_DATETIME": "never"})
    )
    right = Right.ANY if "AREA_OR_POINT" in tags else Right.SAME
    return Damage(f"tags {str(tags)[:40]}", _encoded(array, profile, tags=tags), right)
