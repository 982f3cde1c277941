"""Curves that trainings left below ``reports``: one row per logged step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from components.contract.errors import BadDataError

STAGES = ("optical", "distill", "adapt")
"""Folders of the building models' training curves, in the order the models are trained."""

ALL_STAGES = (*STAGES, "change")
"""Folders of all training curves."""


def training_curves(reports: Path, stages: Sequence[str] = STAGES) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield folder below ``reports`` and table of every training curve that has a step and a loss.

    Args:
        reports: Folder of all reports.
        stages: Folders in it that are searched.

    Raises:
        BadDataError: If a file is no table of numbers.
    """
    for path in (path for stage in stages for path in sorted((reports / stage).rglob("curve.csv"))):
        try:
            curve = pd.read_csv(path)
        except EmptyDataError:
            continue  # killed before its first step was logged
        except (ParserError, UnicodeDecodeError) as error:
            raise _damaged(path) from error
        if not {"step", "loss"} <= set(curve.columns) or curve.empty:
            continue
        if not all(pd.api.types.is_numeric_dtype(kind) for kind in curve.dtypes):
            raise _damaged(path)
        yield path.parent.relative_to(reports).as_posix(), curve


def _damaged(path: Path) -> BadDataError:
    return BadDataError(
        f"{path} is no table of numbers",
        next_step="run `dvc repro` on the training that writes it, or remove the file",
    )
