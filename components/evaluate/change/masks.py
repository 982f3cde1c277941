"""Two folders of change masks, matched by the stems of their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from components.contract.errors import BadDataError, MissingInputError
from components.lib.change.datasets.base import LabelCoding
from components.lib.change.datasets.grids import grid_problem
from components.lib.change.datasets.images import Decoded, decode
from components.lib.change.datasets.labels import decode_label
from components.lib.change.pair import Pixels
from components.lib.change.terms import CHANGED, UNCHANGED, UNKNOWN

SUFFIXES: Final = (".png", ".tif", ".tiff")

_WITH_UNKNOWN: Final = LabelCoding(values={0: UNCHANGED, 1: CHANGED, 255: UNKNOWN})


class MaskFolder:
    """Masks of a folder.

    Args:
        folder: Folder with PNG and TIFF files, one mask each; whatever else is in it, links and hidden files,
            is left alone.

    Attributes:
        files: The masks by stem.
        highest_level: Highest of the probabilities that were read so far from files of 8 bits, of 255.

    Raises:
        MissingInputError: If there is no such folder.
        BadDataError: If it holds no mask, or two of one stem.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: Mapping[str, Path] = _files(folder)
        self.highest_level = 0
        self._last: tuple[str, Decoded] | None = None

    def image(self, stem: str) -> Decoded:
        """Return a mask as its file holds it.

        Raises:
            BadDataError: If it cannot be read.
        """
        if self._last is None or self._last[0] != stem:
            self._last = stem, decode(self.files[stem].read_bytes(), str(self.files[stem]))
        return self._last[1]

    def coding(self, stems: list[str]) -> LabelCoding:
        """Return the coding that all masks of the folder share.

        Two-valued masks and colours are those of :func:`components.lib.change.datasets.labels.decode_label`.
        Where 1 and 255 occur, in whatever files, 255 is unknown, as in the store of pairs.

        Raises:
            BadDataError: If a mask holds probabilities, naming it.
        """
        seen = set[int]()
        for stem in stems:
            bands = self.image(stem).bands
            if bands.dtype.kind == "f":
                raise self._no_mask(stem, "decimal numbers")
            if bands.dtype != np.uint8 or not (bands == bands[..., :1]).all():
                continue  # judged when it is decoded
            found = set(np.unique(bands).tolist())
            if not found <= {0, 1, 255}:
                raise self._no_mask(stem, f"{len(found)} values, {max(found)} among them")
            seen |= found
        return _WITH_UNKNOWN if {1, 255} <= seen else LabelCoding()

    def label(self, stem: str, coding: LabelCoding) -> Pixels:
        """Return a mask as ``UNCHANGED``, ``CHANGED`` and ``UNKNOWN``, (H, W); transparent is unknown.

        Raises:
            BadDataError: If it has 16 bits, several colours, or values that the coding does not know.
        """
        return decode_label(self.image(stem), coding, str(self.files[stem]))

    def over(self, stem: str, threshold: float) -> Pixels:
        """Return where a map of probabilities exceeds a threshold, as a mask (H, W).

        Numbers of 8 bits are probabilities times 255, decimal numbers probabilities.

        Raises:
            BadDataError: If it has several bands, 16 bits, or numbers outside of 0 to 1.
        """
        bands = self.image(stem).bands
        values, decimal = bands[..., 0], bands.dtype.kind == "f"
        one_band = bands.shape[-1] == 1 or bool((bands == bands[..., :1]).all())
        if not one_band or not (decimal or bands.dtype == np.uint8):
            raise BadDataError(
                f"{self.files[stem]} is no map of probabilities: {bands.shape[-1]} band(s) of {bands.dtype}",
                next_step="write one band, 8-bit or decimal",
            )
        if decimal and not ((values >= 0) & (values <= 1)).all():
            raise BadDataError(
                f"{self.files[stem]} holds numbers outside of 0 to 1, or none at all (NaN)",
                next_step="write probabilities: a sigmoid of logits, 0 where there are no data",
            )
        if not decimal:
            self.highest_level = max(self.highest_level, int(values.max()))
        limit = threshold if decimal else threshold * 255
        return np.where(values > limit, np.uint8(CHANGED), np.uint8(UNCHANGED))

    def _no_mask(self, stem: str, what: str) -> BadDataError:
        return BadDataError(
            f"{self.files[stem]} holds {what}: a mask has 0 and 1, or 0 and 255, or 0, 1 and 255 for unknown",
            next_step="give --threshold if these are predicted probabilities; turn classes into a mask first",
        )


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise MissingInputError(
            f"{folder} is neither a folder nor a file of footprints",
            next_step="name a folder of masks (PNG or TIFF), or a GeoParquet, GeoPackage or GeoJSON file",
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        foreign = path.suffix.lower() not in SUFFIXES or path.name.startswith(".")
        if foreign or path.is_symlink() or not path.is_file():
            continue
        if path.stem in found:
            raise BadDataError(
                f"{folder} holds {found[path.stem].name} and {path.name}: which is the mask {path.stem}?",
                next_step="keep one of them",
            )
        found[path.stem] = path
    if not found:
        raise BadDataError(
            f"{folder} holds no mask (PNG or TIFF; links and folders below do not count)",
            next_step="name the folder of the files",
        )
    return found


def labels_and_predictions(
    truth: MaskFolder, prediction: MaskFolder, threshold: float | None
) -> Iterator[tuple[str, Pixels, Pixels]]:
    """Yield stem, label and predicted mask of each pair, both as ``UNCHANGED``, ``CHANGED``, ``UNKNOWN``.

    Args:
        truth: Masks of what changed.
        prediction: Masks, or maps of probabilities, of what is predicted.
        threshold: Probability above which change is predicted; None if the prediction holds masks.

    Raises:
        BadDataError: If a partner is missing, two differ in size or place, or a file is no mask.
    """
    stems = common_stems(truth, prediction)
    true = truth.coding(stems)
    ours = prediction.coding(stems) if threshold is None else None
    for stem in stems:
        label = truth.label(stem, true)
        if ours is not None:
            predicted = prediction.label(stem, ours)
        else:
            assert threshold is not None
            predicted = prediction.over(stem, threshold)
        if label.shape != predicted.shape:
            raise BadDataError(
                f"{truth.files[stem]} has {_size(label)} pixels, {prediction.files[stem]} {_size(predicted)}",
                next_step="predict on the truth's own pixels",
            )
        named = [(str(folder.files[stem]), folder.image(stem)) for folder in (truth, prediction)]
        if problem := grid_problem(named[0], named[1]):
            raise BadDataError(
                problem, next_step="predict on the truth's own grid, or correct the georeference"
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
