"""Two folders of change masks, matched by the stems of their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.contract.errors import BadDataError, MissingInputError
from components.lib.change.pair import CHANGED, UNCHANGED, UNKNOWN
from components.lib.foreign import REFETCH, judged
from components.lib.geo.raster import read_geotiff

SUFFIXES: Final = (".png", ".tif", ".tiff")
MOST_PIXELS: Final = 1 << 26
"""Pixels of a PNG at most: 8,192 a side."""

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Meaning of the values of a folder's masks.

    Attributes:
        changed: Value that means changed.
        unknown: Value that means unknown; None if none does.
    """

    changed: int
    unknown: int | None = None

    def decode(self, values: Pixels) -> npt.NDArray[np.uint8]:
        """Return (H, W) values as ``UNCHANGED``, ``CHANGED`` and ``UNKNOWN``."""
        label = np.where(values == self.changed, CHANGED, UNCHANGED).astype(np.uint8)
        if self.unknown is not None:
            label[values == self.unknown] = UNKNOWN
        return label


class MaskFolder:
    """Masks of a folder.

    Args:
        folder: Folder with PNG and TIFF files, one mask each; other files and folders in it are left alone.

    Raises:
        MissingInputError: If there is no such folder.
        BadDataError: If it holds no mask, or two of one stem.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: Mapping[str, Path] = _files(folder)

    def values(self, stem: str) -> Pixels:
        """Return a mask as it lies in its file, (H, W).

        Raises:
            BadDataError: If it cannot be read, has several bands that differ, or 16 bits.
        """
        return read_values(self.files[stem])

    def encoding(self, stems: list[str]) -> Encoding:
        """Return the encoding that all masks of the folder share.

        0 is unchanged. Of 1 and 255 the one that occurs is changed; where both do, in whatever files, 255 is
        unknown. A folder without a changed pixel may have either.

        Raises:
            BadDataError: If a mask holds other values, naming it: probabilities or classes are no mask.
        """
        seen = set[int]()
        for stem in stems:
            values = self.values(stem)
            if values.dtype.kind == "f" and not np.isin(values, (0, 1, 255)).all():
                raise self._no_mask(stem, "decimal numbers")
            found = {int(value) for value in np.unique(values)}
            if not found <= {0, 1, 255}:
                raise self._no_mask(stem, f"{len(found)} values, {max(found)} among them")
            seen |= found
        return Encoding(1, 255) if {1, 255} <= seen else Encoding(1 if 1 in seen else 255)

    def _no_mask(self, stem: str, what: str) -> BadDataError:
        return BadDataError(
            f"{self.files[stem]} holds {what}: a mask has 0 and 1, or 0 and 255, or 0, 1 and 255 for unknown",
            next_step="give --threshold if these are predicted probabilities; turn classes into a mask first",
        )

    def over(self, stem: str, threshold: float) -> npt.NDArray[np.uint8]:
        """Return where a map of probabilities exceeds a threshold, as a mask (H, W).

        Numbers of 8 bits are probabilities times 255, decimal numbers probabilities.

        Raises:
            BadDataError: If decimal numbers lie outside of 0 to 1 or are none.
        """
        values = self.values(stem)
        if values.dtype.kind == "f":
            if not ((values >= 0) & (values <= 1)).all():
                raise BadDataError(
                    f"{self.files[stem]} holds numbers outside of 0 to 1, or none at all (NaN)",
                    next_step="write probabilities: a sigmoid of logits, 0 where there are no data",
                )
            return np.where(values > threshold, CHANGED, UNCHANGED).astype(np.uint8)
        return np.where(values > threshold * 255, CHANGED, UNCHANGED).astype(np.uint8)


def read_values(path: Path) -> Pixels:
    """Return the values of a mask, (H, W); of a palette or of colours, see :func:`_grey`.

    Raises:
        BadDataError: If the file cannot be read, has bands that differ, or 16 bits.
    """
    content = path.read_bytes()
    with judged(str(path)):
        bands = (
            _png(content, path) if path.suffix.lower() == ".png" else read_geotiff(content, str(path)).array
        )
    if bands.dtype.kind not in "uif" or (bands.dtype.kind != "f" and bands.dtype.itemsize != 1):
        raise BadDataError(
            f"{path} has {bands.dtype.itemsize * 8} bits a pixel ({bands.dtype}): a mask has 8",
            next_step="write it as 8-bit 0 and 255",
        )
    return _grey(bands, path)


def _png(content: bytes, path: Path) -> Pixels:
    """Return the bands of a PNG, (C, H, W); a palette as its colours, which are what people see."""
    modes = {"P": "RGB", "1": "L"}
    try:
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BadDataError(
                    f"{path} has more than {MOST_PIXELS:,} pixels", next_step="cut it into tiles"
                )
            pixels = np.asarray(image.convert(modes[image.mode]) if image.mode in modes else image)
    except OSError as error:  # of bytes in memory: they are no PNG, or end too early
        raise BadDataError(f"{path} cannot be read: it is damaged or no PNG", next_step=REFETCH) from error
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _grey(bands: Pixels, path: Path) -> Pixels:
    """Return one band (H, W): equal bands are one; an opaque alpha is left out; one colour on black is 255.

    Raises:
        BadDataError: If several colours are in use, or pixels are transparent.
    """
    if len(bands) in {2, 4}:
        if not (bands[-1] == 255).all():
            raise BadDataError(f"{path} has transparent pixels", next_step="write the mask without alpha")
        bands = bands[:-1]
    if all(np.array_equal(bands[0], band) for band in bands[1:]):
        return np.asarray(bands[0])
    lit = bands.any(axis=0)
    colours = np.unique(bands[:, lit].T, axis=0)
    if len(colours) > 1:
        raise BadDataError(
            f"{path} has {len(colours)} colours beside black", next_step="write changed ground in one colour"
        )
    return np.where(lit, 255, 0).astype(np.uint8)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise MissingInputError(f"{folder} is no folder", next_step="name a folder of masks (PNG or TIFF)")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.is_symlink() or not path.is_file():
            continue
        if path.stem in found:
            raise BadDataError(
                f"{folder} holds {found[path.stem].name} and {path.name}: which is the mask {path.stem}?",
                next_step="keep one of them",
            )
        found[path.stem] = path
    if not found:
        raise BadDataError(f"{folder} holds no mask (PNG or TIFF)", next_step="name the folder of the files")
    return found


def labels_and_predictions(
    truth: MaskFolder, prediction: MaskFolder, threshold: float | None
) -> Iterator[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield stem, label and predicted mask of each pair, both as ``UNCHANGED``, ``CHANGED``, ``UNKNOWN``.

    Args:
        truth: Masks of what changed.
        prediction: Masks, or maps of probabilities, of what is predicted.
        threshold: Probability above which change is predicted; None if the prediction holds masks.

    Raises:
        BadDataError: If a partner is missing, two differ in size, or a file is no mask.
    """
    stems = common_stems(truth, prediction)
    true = truth.encoding(stems)
    ours = prediction.encoding(stems) if threshold is None else None
    for stem in stems:
        label = true.decode(truth.values(stem))
        if ours is None:
            assert threshold is not None
            predicted = prediction.over(stem, threshold)
        else:
            predicted = ours.decode(prediction.values(stem))
        if label.shape != predicted.shape:
            raise BadDataError(
                f"{truth.files[stem]} has {_size(label)} pixels, {prediction.files[stem]} {_size(predicted)}",
                next_step="predict on the truth's own pixels",
            )
        yield stem, label, predicted


def common_stems(truth: MaskFolder, prediction: MaskFolder) -> list[str]:
    """Return the stems of the masks, which both folders must have alike.

    Raises:
        BadDataError: If a mask has no partner: a set that is scored in part is another set.
    """
    if not truth.files.keys() & prediction.files.keys():
        one, other = next(iter(truth.files.values())), next(iter(prediction.files.values()))
        raise BadDataError(
            f"{truth.folder} and {prediction.folder} have no stem in common, as {one.name} and {other.name}",
            next_step="give prediction and truth of a pair the same name, but for the suffix",
        )
    for first, second in ((truth, prediction), (prediction, truth)):
        alone = sorted(first.files.keys() - second.files.keys())
        if alone:
            more = f", and {len(alone) - 1} more" if len(alone) > 1 else ""
            raise BadDataError(
                f"{first.files[alone[0]]} has no partner in {second.folder}{more}",
                next_step="predict all pairs of the truth, or take what has no partner out of the folder",
            )
    return sorted(truth.files)


def _size(mask: Pixels) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"
