"""Meaning of a label's values: recognised from the declaration and the values, or refused by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.change.datasets.base import LabelCoding
from components.lib.change.datasets.images import Decoded
from components.lib.change.pair import Pixels
from components.lib.change.terms import CHANGED, UNCHANGED, UNKNOWN

GREY = (64, 192)
"""Values from here to below there are neither near black nor near white in a label stored as JPEG."""

MOST_GREY = 0.1
"""Share of such values above which it is no two-valued label; JPEG leaves some at the borders of areas."""

_TWO_VALUED = ({0}, {1}, {255}, {0, 1}, {0, 255})
_SHOWN = 8
_NEXT_STEP = "correct the label, leave the pair out, or declare its coding in components/lib/change/datasets"


def decode_label(image: Decoded, coding: LabelCoding, name: str) -> Pixels:
    """Return a label's meaning.

    Args:
        image: The label as its file holds it.
        coding: Declaration of its values.
        name: File name, for messages.

    Returns:
        (H, W) uint8: ``UNCHANGED``, ``CHANGED``, and ``UNKNOWN`` where the label is transparent or masked.

    Raises:
        BadDataError: If it is not of 8 bits or has values that the coding does not know; they are named.
    """
    if image.bands.dtype != np.uint8:
        raise _bad(name, f"is {image.bands.dtype}, a label has 8 bits")
    known = ~image.no_data
    # What lies under transparent pixels has no meaning.
    bands = np.where(known[..., None], image.bands, 0)
    grey = bands[..., 0] if (bands == bands[..., :1]).all() else None
    if coding.values:
        meaning = _classes(grey, known, coding, name)
    elif grey is None and coding.lossy:
        # JPEG in colour: of a grey label the three bands differ by rounding alone.
        meaning = _near_two_values(bands.mean(axis=-1), known, name)
    elif grey is None:
        meaning = _one_colour(bands, name)
    elif coding.lossy:
        meaning = _near_two_values(grey, known, name)
    else:
        meaning = _two_values(grey, known, name)
    meaning[image.no_data] = UNKNOWN
    return meaning


def _two_values(grey: Pixels, known: npt.NDArray[np.bool_], name: str) -> Pixels:
    values = np.unique(grey[known]).tolist()
    if values and set(values) not in _TWO_VALUED:
        raise _bad(name, f"has the values {_listed(values)}; 0 and 1, or 0 and 255 are known")
    return np.where(grey > 0, np.uint8(CHANGED), np.uint8(UNCHANGED))


def _near_two_values(grey: npt.NDArray[np.number], known: npt.NDArray[np.bool_], name: str) -> Pixels:
    between = (grey >= GREY[0]) & (grey < GREY[1]) & known
    if between.sum() > MOST_GREY * max(known.sum(), 1):
        raise _bad(name, f"has {between.sum() / known.sum():.0%} of values between black and white")
    return np.where(grey >= 128, np.uint8(CHANGED), np.uint8(UNCHANGED))


def _one_colour(bands: Pixels, name: str) -> Pixels:
    """Read black as unchanged and the one other colour as change."""
    if bands.shape[-1] != 3:
        raise _bad(name, f"has {bands.shape[-1]} bands; a label has one, or red, green and blue")
    packed = bands.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    colours = [colour for colour in np.unique(packed).tolist() if colour]
    if len(colours) > 1:
        shown = [f"({colour >> 16}, {colour >> 8 & 255}, {colour & 255})" for colour in colours]
        raise _bad(name, f"has the colours {_listed(shown)} beside black; one is known, as change")
    return np.where(packed > 0, np.uint8(CHANGED), np.uint8(UNCHANGED))


def _classes(grey: Pixels | None, known: npt.NDArray[np.bool_], coding: LabelCoding, name: str) -> Pixels:
    if grey is None:
        raise _bad(name, f"is coloured, a label of the classes {_listed(sorted(coding.values))} is one band")
    strange = sorted(set(np.unique(grey[known]).tolist()) - set(coding.values))
    if strange:
        raise _bad(name, f"has the values {_listed(strange)}; {_listed(sorted(coding.values))} are known")
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for value, meaning in coding.values.items():
        table[value] = meaning
    return table[grey]


def _listed(values: list[int] | list[str]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN]))
    return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN} more"


def _bad(name: str, what: str) -> BadDataError:
    return BadDataError(f"{name} {what}", next_step=_NEXT_STEP)
