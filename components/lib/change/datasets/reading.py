"""Reading of pairs: files in, arrays of one size and grid out; a bad pair is left out with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from components.contract.errors import BadDataError, StormsightError
from components.lib.change.datasets.base import PairDataset
from components.lib.change.datasets.finding import PairFiles, Reason, Refused
from components.lib.change.datasets.grids import grid_problem
from components.lib.change.datasets.images import MOST_FILE_BYTES, Decoded, decode
from components.lib.change.datasets.labels import decode_label
from components.lib.change.pair import ChangedBuilding, Pair, Pixels
from components.lib.change.terms import BANDS, CHANGED, UNCHANGED, UNKNOWN, Kind, Modality
from components.lib.datasets.scaling import scale_sar
from components.lib.folders import read_bounded
from components.lib.foreign import judged
from components.lib.geo.vectorise import FOUR_CONNECTED, outlines_of_parts

_LEAVE_OUT = "correct the files, or leave the pair out"


class RefusedPairError(BadDataError):
    """A pair that is left out, with the kind of reason."""

    def __init__(self, message: str, *, next_step: str = _LEAVE_OUT, reason: Reason = "unreadable") -> None:
        super().__init__(message, next_step=next_step)
        self.reason = reason


class PairReader:
    """Reader of a data set's pairs.

    Args:
        files: Regular files of the data set by relative path.
        dataset: Its declaration.
        value_range: Values of images that are not of 8 bits which become 1 and 255, linearly and the same for
            all pairs; values beyond are clipped. None: such images are refused.

    Attributes:
        refused: Pairs that were left out so far.
        late_before: Pairs whose first date was taken after the second, by their time tags.
        dated: Number of pairs of which time tags tell both dates.
        unchanged: Pairs whose two images have the same pixels, by name.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        dataset: PairDataset,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self._files, self._dataset, self._value_range = files, dataset, value_range
        self.refused: list[Refused] = []
        self.late_before: list[str] = []
        self.dated = 0
        self.unchanged: list[str] = []

    def read_all(self, pairs: Iterable[PairFiles]) -> Iterator[Pair]:
        """Yield the pairs that can be read; the others are added to ``refused``."""
        for files in pairs:
            try:
                pair = self.read(files)
            except RefusedPairError as error:
                self.refused.append(Refused(files.name, error.reason, error.message))
            except StormsightError as error:
                self.refused.append(Refused(files.name, "unreadable", error.message))
            else:
                yield pair

    def read(self, files: PairFiles) -> Pair:
        """Read one pair.

        Raises:
            BadDataError: If a file is damaged, sizes, bands or grids differ, or the label cannot be told.
            MissingInputError: If a file cannot be read.
        """
        before, after = self._decoded(files.before), self._decoded(files.after)
        self._check_order(files, before, after)
        if before.size != after.size:
            raise RefusedPairError(
                f"{files.after} has {_size(after)} pixels, {files.before} {_size(before)}", reason="size"
            )
        _check_grids((files.before, before), (files.after, after))
        modalities = (self._dataset.before_modality, self._dataset.after_modality)
        images = [
            self._pixels(name, image, modality)
            for name, image, modality in zip(
                (files.before, files.after), (before, after), modalities, strict=True
            )
        ]
        if np.array_equal(before.bands, after.bands):
            self.unchanged.append(files.name)
        label, buildings = self._label(files, before)
        for image in images:
            label[~image.any(axis=-1)] = UNKNOWN
        placed = before if before.place is not None else after
        return Pair(
            name=files.name,
            scene=files.scene,
            split=files.split,
            before={modalities[0]: images[0]},
            after={modalities[1]: images[1]},
            label=label,
            place=placed.place,
            crs=placed.crs,
            buildings=buildings,
        )

    def _decoded(self, key: str) -> Decoded:
        content = read_bounded(self._files[key], key, MOST_FILE_BYTES, next_step="cut it into smaller pairs")
        with judged(key):
            return decode(content, key)

    def _check_order(self, files: PairFiles, before: Decoded, after: Decoded) -> None:
        """Count dates in the wrong order; refuse a pair whose sensors are in the wrong order."""
        if before.taken and after.taken:
            self.dated += 1
            if before.taken > after.taken:
                self.late_before.append(files.name)
        kinds = (self._dataset.before_modality, self._dataset.after_modality)
        if kinds[0] != kinds[1] and _looks_like(before, kinds[1]) and _looks_like(after, kinds[0]):
            raise RefusedPairError(
                f"{files.before} looks like {kinds[1]} and {files.after} like {kinds[0]}: the folders of the "
                "two dates are swapped",
                reason="order",
            )

    def _pixels(self, name: str, image: Decoded, modality: Modality) -> Pixels:
        """Return an image as the store has it: (H, W, C) uint8, 0 where there are no data."""
        bands, no_data = image.bands, image.no_data
        if not _bands_fit(image, modality):
            raise RefusedPairError(
                f"{name} has {_bands(bands.shape[-1])}, "
                f"{'three' if modality == 'optical' else 'one or four'} are needed for {modality}",
                reason="bands",
            )
        if self._dataset.black_is_no_data:
            no_data = no_data | ~bands.any(axis=-1)
        if modality == "sar" and bands.shape[-1] != len(BANDS["sar"]):
            bands = np.repeat(bands[..., :1], len(BANDS["sar"]), axis=-1)
        if bands.dtype == np.uint8:
            # 0 in all bands means no data in the store.
            pixels = np.where((~bands.any(axis=-1) & ~no_data)[..., None], np.uint8(1), bands)
            return np.where(no_data[..., None], np.uint8(0), pixels)
        if self._value_range is None:
            raise RefusedPairError(
                f"{name} is {bands.dtype}, not uint8; pairs.value_range says which values become 1 and 255",
                reason="type",
            )
        if np.issubdtype(bands.dtype, np.complexfloating):
            raise RefusedPairError(f"{name} is {bands.dtype}: complex values are no picture", reason="type")
        values = np.moveaxis(bands, -1, 0).astype(np.float32)
        valid = ~no_data & np.isfinite(values).all(axis=0)
        return scale_sar(np.nan_to_num(values), valid, self._value_range)

    def _label(self, files: PairFiles, before: Decoded) -> tuple[Pixels, tuple[ChangedBuilding, ...]]:
        """Return the union of a pair's labels, and the changed areas of those that show one kind."""
        union: Pixels = np.full(before.size, UNCHANGED, dtype=np.uint8)
        buildings: list[ChangedBuilding] = []
        for key, kind in files.labels:
            image = self._decoded(key)
            if image.size != before.size:
                raise RefusedPairError(
                    f"label {key} has {_size(image)} pixels, the images {_size(before)}", reason="size"
                )
            _check_grids((files.before, before), (key, image))
            try:
                label = decode_label(image, self._dataset.coding, key)
            except BadDataError as error:
                raise RefusedPairError(error.message, reason="label") from error
            unknown = (label == UNKNOWN) | (union == UNKNOWN)
            union = np.maximum(union, label)
            union[unknown] = UNKNOWN
            if kind is not None:
                buildings += _areas(label == CHANGED, kind)
        return union, tuple(buildings)


def _bands_fit(image: Decoded, modality: Modality) -> bool:
    """Return whether an image can be read as a modality; a SAR band may stand for red, green and blue."""
    count = image.bands.shape[-1]
    return count == 3 if modality == "optical" else count in {1, 4} or _looks_like(image, "sar")


def _looks_like(image: Decoded, modality: Modality) -> bool:
    """Return whether an image is in colour (optical), or has one band or one that is repeated (SAR)."""
    count = image.bands.shape[-1]
    repeated = count == 3 and bool((image.bands == image.bands[..., :1]).all())
    return count == 3 and not repeated if modality == "optical" else count == 1 or repeated


def _check_grids(first: tuple[str, Decoded], second: tuple[str, Decoded]) -> None:
    problem = grid_problem(first, second)
    if problem is not None:
        raise RefusedPairError(problem, reason="grid")


def _areas(changed: npt.NDArray[np.bool_], kind: Kind) -> list[ChangedBuilding]:
    """Return 4-connected changed areas, one building each, as polygons along pixel edges."""
    parts, _ = ndimage.label(changed, structure=FOUR_CONNECTED)
    return [ChangedBuilding(kind, outline) for outline in outlines_of_parts(parts.astype(np.int32))]


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"


def _size(image: Decoded) -> str:
    return f"{image.size[0]} x {image.size[1]}"
