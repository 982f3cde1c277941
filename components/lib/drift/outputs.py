"""Statistics of a model's answers by location, from the tables that ``evaluate`` leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract.errors import BadDataError, ParameterError
from components.lib.files import require_input
from components.lib.foreign import judged

TILES, OBJECTS = "tiles.parquet", "objects.parquet"
"""Tables of an evaluation: pixel counts by tile and ground block, and buildings."""

TEACHER = "teacher"
"""Model of the optical images, with whose answers those of a SAR model are compared."""

TOGETHER = 2
"""Evaluation's ground blocks each way that make one location: their neighbours are too much alike."""

LEAST_PX = 10_000
"""Pixels of a location that count; tiles leave slivers in blocks that they hardly touch."""

MOST_PX = 1e15
"""More pixels than any table counts."""

_EVALUATE = "run `dvc repro --force evaluate`"
_WORDS = ("acquisition", "sensor", "location", "model", "kind")
_COUNTS = ("px_tp", "px_fp", "px_fn", "px_tn")
_OF_TILES = (*_WORDS[:-1], *_COUNTS)
_OF_OBJECTS = (*_WORDS, "area_px", "confidence")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Tables of one evaluation.

    Attributes:
        tiles: Pixel counts of each model by tile and ground block.
        objects: True and drawn buildings by model.
    """

    tiles: pd.DataFrame
    objects: pd.DataFrame

    def of(self, sensor: str, acquisition: str, *, without: bool = False) -> Outputs:
        """Return the rows of a sensor's acquisition, or those of all its other acquisitions."""
        return Outputs(
            *(
                table[(table["sensor"] == sensor) & ((table["acquisition"] == acquisition) != without)]
                for table in (self.tiles, self.objects)
            )
        )


def read_outputs(folder: Path) -> Outputs:
    """Read the tables of an evaluation.

    Args:
        folder: ``reports/evaluate``, or one like it.

    Raises:
        MissingInputError: If a table is missing.
        BadDataError: If one is damaged.
    """
    return Outputs(_read(folder / TILES, _OF_TILES), _read(folder / OBJECTS, _OF_OBJECTS))


def output_statistics(outputs: Outputs, model: str) -> pd.DataFrame:
    """Return the statistics of a model's answers at each location.

    Args:
        outputs: Tables of one sensor.
        model: Name of the model in the tables.

    Returns:
        float64, indexed by ``location``, :data:`TOGETHER` blocks each way: ``building_share`` (of pixels),
        ``buildings_per_mpx``, ``log_area`` (mean natural logarithm of areas in pixels) and ``confidence``
        (mean) of the drawn buildings; against the truth ``share_error`` (predicted less true share) and
        ``pixel_iou``; and ``share_over_teacher``, where a teacher was scored on the same ground. NaN where
        there is nothing to take a mean of.

    Raises:
        ParameterError: If the model was not scored on any of the tiles.
    """
    own = outputs.tiles[outputs.tiles["model"] == model]
    if own.empty:
        known = ", ".join(sorted(set(outputs.tiles["model"]))) or "no other either"
        raise ParameterError(
            f"{model} was not scored on these tiles", next_step=f"name a model that was: {known}"
        )
    counts = _counts(own)
    pixels = counts.sum(axis=1)
    predicted = (counts["px_tp"] + counts["px_fp"]) / pixels
    true = (counts["px_tp"] + counts["px_fn"]) / pixels
    found = pd.DataFrame({"building_share": predicted, "share_error": predicted - true})
    union = counts["px_tp"] + counts["px_fp"] + counts["px_fn"]
    found["pixel_iou"] = (counts["px_tp"] / union).where(union > 0)
    drawn = outputs.objects[(outputs.objects["model"] == model) & (outputs.objects["kind"] == "proposal")]
    groups = drawn.assign(log_area=np.log(drawn["area_px"])).groupby("location")
    found["buildings_per_mpx"] = groups.size().reindex(found.index).fillna(0) / pixels * 1e6
    for name in ("log_area", "confidence"):
        found[name] = groups[name].mean().reindex(found.index)
    teacher = outputs.tiles[outputs.tiles["model"] == TEACHER]
    if model != TEACHER and not teacher.empty:
        theirs = _counts(teacher)
        share = (theirs["px_tp"] + theirs["px_fp"]) / theirs.sum(axis=1)
        found["share_over_teacher"] = predicted - share.reindex(found.index)
    return found[pixels >= LEAST_PX].astype("float64")


def _counts(tiles: pd.DataFrame) -> pd.DataFrame:
    counts: pd.DataFrame = tiles.groupby("location")[list(_COUNTS)].sum().astype("float64")
    return counts


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    require_input(path, made_by="evaluate")
    with judged(str(path), next_step=_EVALUATE):
        table = pd.read_parquet(path)
        missing = [name for name in columns if name not in table]
        if missing:
            raise _unfit(path, f"it has no column {', '.join(missing)}")
        numbers = [name for name in columns if name not in _WORDS]
        table = table.astype(dict.fromkeys(numbers, "float64"))
        for name in numbers:  # true buildings have no confidence
            if name != "confidence" and not table[name].between(0.0, MOST_PX).all():
                raise _unfit(path, f"{name} is no number of pixels everywhere")
        if any(table[name].isna().any() for name in columns if name in _WORDS):
            raise _unfit(path, f"a row lacks one of {', '.join(_WORDS)}")
        names = table["location"].astype(str)
        if not names.str.fullmatch(r"-?\d{1,9}_-?\d{1,9}").all():
            raise _unfit(path, "a ground block has no name")
    return table.assign(location=[_location(name) for name in names])


def _unfit(path: Path, why: str) -> BadDataError:
    return BadDataError(f"{path}: {why}", next_step=_EVALUATE)


def _location(block: str) -> str:
    """Return the location of a ground block ``<column>_<row>``."""
    column, _, row = block.partition("_")
    return f"{int(column) // TOGETHER}_{int(row) // TOGETHER}"
