"""Bands of a raster as its file describes them: which pixels are data, and which band is which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.foreign import REFETCH, one_line
from components.lib.geo.raster import Raster

Mask = npt.NDArray[np.bool_]

_WORDS = {"RED": "R", "GREEN": "G", "BLUE": "B", "NEARINFRARED": "NIR"}
"""Names by which descriptions call bands, beside the bands' own."""

_OTHER_COLOURS = frozenset(
    {"CYAN", "MAGENTA", "YELLOW", "HUE", "SATURATION", "LIGHTNESS", "CB", "CR", "ALPHA"}
)
"""Words for what no product has."""

_POLARISATIONS = frozenset({"HH", "HV", "VH", "VV"})

_WORD = re.compile(r"(?<![A-Z0-9])[A-Z]+(?![A-Z0-9])|(?<![A-Z])[A-Z]{3,}(?![A-Z])")
"""A word. A letter or two with a digit beside them are another sensor's name of a band (B2)."""

_POLARISATION = re.compile(
    r"(?<![A-Z])(?:[HVRL][HV]){1,2}(?![A-Z])|(?<![A-Za-z])(?:[hvrl][hv]){1,2}(?![A-Za-z])"
)
"""Polarisations, linear, compact (``RH``) or a pair (``HHVV``), also in ``VV1``, ``Gamma0VV``, ``VVdB``."""


def nodata_pixels(raster: Raster) -> Mask:
    """Return where a raster has no data, as (H, W).

    No data are: 0 in every band, the same for all products of SpaceNet; the declared no-data value in every
    band; what the file's mask hides. In a raster of real numbers a declared value other than 0 is no
    measurement, so that one band with it suffices; in a picture of whole numbers it may be a colour.
    """
    array, nodata = raster.array, raster.nodata
    empty = array == 0
    missing: Mask = np.zeros(array.shape[1:], dtype=bool)
    if nodata is not None and nodata != 0:
        declared = _declared(array, nodata)
        empty |= declared
        if not np.issubdtype(array.dtype, np.integer):
            missing |= declared.any(axis=0)
    missing |= empty.all(axis=0)
    if raster.masked is not None:
        missing |= raster.masked
    return missing


def valid_pixels(raster: Raster) -> Mask:
    """Return where a raster has data that are finite in every band, as (H, W)."""
    valid: Mask = np.isfinite(raster.array).all(axis=0) & ~nodata_pixels(raster)
    return valid


def in_band_order(raster: Raster, bands: Sequence[str]) -> Raster:
    """Return the raster with its bands in the declared order, as its descriptions tell them apart.

    Args:
        raster: A raster of as many bands as ``bands``; one of another number is returned as it is.
        bands: Names of the bands in the order of the product: polarisations or colours.

    Returns:
        The same raster where the descriptions name none of ``bands`` or agree with the order.

    Raises:
        BadDataError: If the descriptions name other bands than those, one twice, or only some of them in
            another order.
    """
    profile = raster.profile
    named = [_named(description, bands) for description in profile.descriptions]
    if len(named) != len(bands) or named == list(bands) or not any(named):
        return raster
    if all(name in (None, band) for name, band in zip(named, bands, strict=True)):
        return raster
    if sorted(map(str, named)) != sorted(bands):
        described = ", ".join(one_line(text)[:40] or "nothing" for text in profile.descriptions)
        raise BadDataError(
            f"{profile.name} has bands described as {described}; {', '.join(bands)} are expected",
            next_step=REFETCH,
        )
    order = [named.index(band) for band in bands]
    return replace(
        raster,
        array=raster.array[order],
        profile=replace(profile, descriptions=tuple(profile.descriptions[i] for i in order)),
    )


def _declared(array: npt.NDArray[np.generic], nodata: float) -> Mask:
    if np.isnan(nodata):
        return np.asarray(np.isnan(array))
    if np.issubdtype(array.dtype, np.integer):
        return np.asarray(array == nodata)
    with np.errstate(over="ignore"):
        return np.asarray(array == np.asarray(nodata).astype(array.dtype))


def _named(description: str, bands: Sequence[str]) -> str | None:
    """Return the one band that a description names, "?" for a band that the product lacks, or None."""
    if set(bands) & _POLARISATIONS:
        words = [word.upper() for word in _POLARISATION.findall(description)]
    else:
        known = {*bands, *_WORDS, *_OTHER_COLOURS}
        words = [_WORDS.get(word, word) for word in _WORD.findall(description.upper()) if word in known]
    found = sorted(set(words))
    if not found:
        return None
    return found[0] if len(found) == 1 and found[0] in bands else "?"
