"""Arrays turned into pictures: false colour, overlays, differences, outlines.

Colours stay apart for every kind of colour vision (Okabe and Ito, 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image, ImageDraw

from components.lib.files import atomic_file

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

BUILDING: Final[Colour] = (245, 245, 240)
"""Off-white: buildings that are there and were found."""

FALSE_ALARM: Final[Colour] = (213, 94, 0)
"""Vermillion: predicted, but not there."""

MISSED: Final[Colour] = (86, 180, 233)
"""Sky blue: there, but not predicted."""

HEADING_PX: Final = 24
"""Height of a sheet's headings."""

_FONT_PX: Final = 15

_Mask = npt.NDArray[np.bool_]


def optical_picture(tile: npt.NDArray[np.uint8]) -> Picture:
    """Return (H, W, 3) RGB of (H, W, 4) stored B, R, R, G."""
    return np.ascontiguousarray(tile[..., [1, 3, 0]])


def sar_picture(tile: npt.NDArray[np.uint8]) -> Picture:
    """Return false colour of (H, W, 4) stored HH, HV, VH, VV: red HH, green HV, blue VV.

    Every band is stretched from its 2nd to its 98th percentile of valid pixels, so that sensors of another
    noise floor can be looked at; no-data stays black.
    """
    valid = tile.any(axis=-1)
    picture = np.zeros((*tile.shape[:2], 3), dtype=np.uint8)
    if not valid.any():
        return picture
    for channel, band in enumerate((0, 1, 3)):
        values = tile[..., band].astype(np.float32)
        low, high = np.percentile(values[valid], (2, 98))
        stretched = np.clip((values - low) / max(high - low, 1.0), 0, 1) * 255
        picture[..., channel] = np.where(valid, np.maximum(stretched, 1), 0)
    return picture


def backdrop(picture: Picture, brightness: float = 0.45) -> Picture:
    """Return a dim grey version of ``picture`` for coloured marks to stand out from."""
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.repeat((grey * brightness).astype(np.uint8)[..., None], 3, axis=-1)


def truth_panel(truth: _Mask, under: Picture) -> Picture:
    """Paint (H, W) true buildings over the dimmed picture."""
    return _paint(backdrop(under), (truth, BUILDING))


def difference_panel(truth: _Mask, predicted: _Mask, under: Picture) -> Picture:
    """Paint right, false alarm and missed pixels over the dimmed picture."""
    return _paint(
        backdrop(under),
        (truth & predicted, BUILDING),
        (predicted & ~truth, FALSE_ALARM),
        (truth & ~predicted, MISSED),
    )


def probability_panel(probability: npt.NDArray[np.floating] | npt.NDArray[np.uint8]) -> Picture:
    """Paint a probability in the cividis colour map, which reads alike for all kinds of colour vision.

    Args:
        probability: (H, W) floats in [0, 1], or uint8 levels of 1/256 each: the map has as many colours.
    """
    values = probability if probability.dtype == np.uint8 else np.clip(probability, 0, 1)
    coloured: Picture = (mpl.colormaps["cividis"](values)[..., :3] * 255).astype(np.uint8)
    return coloured


def outline_panel(
    under: Picture, layers: Iterable[tuple[Iterable[shapely.Geometry], Colour]], width: int = 2
) -> Picture:
    """Draw polygon outlines in pixel coordinates over the dimmed picture, later layers on top."""
    image = Image.fromarray(backdrop(under))
    pen = ImageDraw.Draw(image)
    for geometries, colour in layers:
        for polygon in shapely.get_parts(np.asarray(list(geometries), dtype=object)):
            for ring in shapely.get_rings(polygon):
                pen.line([tuple(point) for point in ring.coords], fill=colour, width=width)
    return np.asarray(image)


def graph_panel(
    under: Picture,
    lines: Iterable[npt.NDArray[np.float64]],
    nodes: npt.NDArray[np.float64],
    line_colour: Colour,
    node_colour: Colour,
) -> Picture:
    """Draw lines (K, 2) in pixel coordinates, and a dot at each node (N, 2), over the picture."""
    image = Image.fromarray(under)
    pen = ImageDraw.Draw(image)
    for line in lines:
        pen.line([(x, y) for x, y in line.tolist()], fill=line_colour, width=3)
    for x, y in nodes.tolist():
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=node_colour)
    return np.asarray(image)


def tiled(rows: Iterable[Iterable[Picture]], gap_px: int) -> Picture:
    """Return pictures of one size side by side, row below row, with white gaps between them."""
    return _joined([_joined(list(row), gap_px, axis=1) for row in rows], gap_px, axis=0)


def squared(picture: Picture, side: int, how: Image.Resampling = Image.Resampling.BILINEAR) -> Picture:
    """Return the picture as ``side`` x ``side`` pixels, whatever its shape."""
    return np.asarray(Image.fromarray(picture).resize((side, side), how))


def save_sheet(
    path: Path, rows: Iterable[Iterable[Picture]], gap_px: int, headings: Sequence[str] = ()
) -> None:
    """Write a PNG of pictures of one size, row below row, in true colour.

    Args:
        path: File to write.
        rows: Pictures of each row.
        gap_px: White gap between pictures, pixels.
        headings: What each column shows, written above it on ``HEADING_PX`` more pixels; none by default.
    """
    sheet = tiled(rows, gap_px)
    if headings:
        sheet = np.concatenate([heading_strip(headings, sheet.shape[1], gap_px), sheet])
    with atomic_file(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)


def heading_strip(headings: Sequence[str], width: int, gap_px: int, height: int = HEADING_PX) -> Picture:
    """Return a white strip with a heading above each column of pictures.

    Args:
        headings: What each column shows.
        width: Width of the strip, pixels.
        gap_px: Gap between the columns, pixels.
        height: Height of the strip, pixels; the letters grow with it.
    """
    strip = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(strip)
    step = (width + gap_px) / len(headings)
    font_px = _FONT_PX * height / HEADING_PX
    for column, heading in enumerate(headings):
        middle = (column + 0.5) * step - gap_px / 2
        pen.text((middle, height / 2), heading, fill="black", anchor="mm", font_size=font_px)
    return np.asarray(strip)


def _joined(pictures: list[Picture], gap_px: int, axis: int) -> Picture:
    shape = list(pictures[0].shape)
    shape[axis] = gap_px
    gap = np.full(shape, 255, dtype=np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=axis)


def fit(picture: Picture, side: int) -> Image.Image:
    """Return the picture as an image of at most ``side`` pixels on its longer side."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return image


def save_png(path: Path, picture: Picture, *, side: int = 480, colours: int | None = 128) -> None:
    """Write a PNG, small enough for a page that holds dozens.

    Args:
        path: File to write.
        picture: (H, W, 3) uint8.
        side: Largest side, pixels.
        colours: Size of the palette; None keeps true colour.
    """
    image = fit(picture, side)
    if colours is not None:
        image = image.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG)
    with atomic_file(path, sweep=False) as temporary:
        image.save(temporary, format="PNG", optimize=True)


def as_hex(colour: Colour) -> str:
    """Return ``#rrggbb`` of a colour."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _paint(under: Picture, *layers: tuple[_Mask, Colour]) -> Picture:
    picture = under.copy()
    for mask, colour in layers:
        picture[mask] = (0.15 * picture[mask] + 0.85 * np.array(colour)).astype(np.uint8)
    return picture
