"""Choice of the watershed's seeds on the selection slice; the test split is not opened here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from components.contract.errors import BadDataError, ParameterError
from components.lib.config.scoring import ScoringSettings
from components.lib.metrics.counts import Counts
from components.lib.nets.bundle import load_bundle
from components.lib.nets.config import Modality
from components.lib.scoring.score import score_variants
from components.lib.store.store import Store

COLUMNS = ("vectorise", "seed_threshold", "min_seed_px")
"""Columns that tell the variants apart; the seeds of ``plain`` are NaN."""

_MODALITIES: Mapping[str, Modality] = MappingProxyType({"optical": "optical", "sar": "sar"})
"""Layer that the models of a folder of models/ read; a model that lies elsewhere may read either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Seeds to be tried, every threshold with every size.

    Attributes:
        seed_thresholds: As ``scoring.seed_threshold``.
        min_seeds_px: As ``scoring.min_seed_px``.
    """

    seed_thresholds: tuple[float, ...] = (0.45, 0.55, 0.65, 0.75, 0.85)
    min_seeds_px: tuple[int, ...] = (30, 60, 110)

    def __post_init__(self) -> None:
        if not self.seed_thresholds or any(not 0 < value < 1 for value in self.seed_thresholds):
            raise ParameterError(
                "seed thresholds must lie between 0 and 1", next_step="give for instance 0.55 0.75"
            )
        if not self.min_seeds_px or any(value < 1 for value in self.min_seeds_px):
            raise ParameterError("seeds must have at least 1 pixel", next_step="give for instance 60 110")

    def variants(self, settings: ScoringSettings) -> list[ScoringSettings]:
        """Return ``settings`` with the plain vectoriser first, then with every candidate."""
        drawn = [
            settings.model_copy(
                update={"vectorise": "watershed", "seed_threshold": threshold, "min_seed_px": size}
            )
            for threshold, size in product(self.seed_thresholds, self.min_seeds_px)
        ]
        return [settings.model_copy(update={"vectorise": "plain"}), *drawn]


def tune(
    models: Sequence[Path],
    store: Store,
    settings: ScoringSettings,
    candidates: Candidates,
    *,
    sensor: str | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """Score models by every candidate on the selection slice; each tile is predicted once.

    One setting is then meant for all models: post-processing that suits one of them alone would count as its
    merit.

    Args:
        models: Folders of bundles with a contour head.
        store: The prepared tiles.
        settings: The section `scoring`, whose other values hold.
        candidates: Seeds to try.
        sensor: Sensor of the tiles; by default the one each model was first trained on. Labels of a sensor
            that a model is adapted to without labels must not choose anything, so none is taken by itself.
        device: ``cpu`` or ``cuda``.

    Returns:
        One row per model and variant: ``model, sensor``, ``COLUMNS``, and SpaceNet ``f1, precision, recall``
        with the counts ``tp, fp, fn``.

    Raises:
        MissingInputError: If a model is absent.
        ParameterError: If a model has no contour head, or no statistics for the sensor.
        BadDataError: If a model is broken, or the sensor has no selection tile.
    """
    variants = candidates.variants(settings)
    rows: list[dict[str, object]] = []
    for folder in models:
        net = load_bundle(folder, device, modality=_MODALITIES.get(folder.parent.name))
        if not net.config.contours:
            raise ParameterError(
                f"model {folder} has no contour head: there are no seeds to choose",
                next_step="train with training.contour_weight above 0, or leave the model out",
            )
        chosen = sensor or net.config.sensors[0]
        tiles = store.rows(chosen, "selection")
        if not len(tiles):
            raise BadDataError(
                f"sensor {chosen} has no selection tile",
                next_step="move prepare.split in params.yaml, or name another sensor",
            )
        scores = score_variants(net, store, sensor=chosen, rows=tiles, variants=variants, device=device)
        for variant, scored in zip(variants, scores, strict=True):
            rows.append({"model": folder.as_posix(), "sensor": chosen, **_row(variant, scored.tiles)})
    return pd.DataFrame(rows)


def mean_over_models(table: pd.DataFrame) -> pd.DataFrame:
    """Return the variants by their mean F1 over the models, best first; ties stay in the order tried."""
    means = table.groupby(list(COLUMNS), dropna=False, sort=False)[["f1", "precision", "recall"]].mean()
    return means.reset_index().sort_values("f1", ascending=False, kind="stable", ignore_index=True)


def _row(variant: ScoringSettings, tiles: pd.DataFrame) -> dict[str, object]:
    counts = Counts.of_buildings(tiles)
    seeded = variant.vectorise == "watershed"
    return {
        "vectorise": variant.vectorise,
        "seed_threshold": variant.seed_threshold if seeded else float("nan"),
        "min_seed_px": float(variant.min_seed_px) if seeded else float("nan"),
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
    }


def as_text(table: pd.DataFrame) -> str:
    """Return the table as text: every model, then the means and the best seeds."""
    means = mean_over_models(table)
    seeded = means[means["vectorise"] == "watershed"].iloc[0]
    return "\n".join(
        [
            _format(table),
            "",
            f"mean over {table['model'].nunique()} models, selection slice only:",
            _format(means),
            "",
            "best seeds: seed_threshold {seed_threshold:g}, min_seed_px {min_seed_px:.0f}".format(**seeded),
            "Nothing was changed: the section scoring of params.yaml holds them.",
        ]
    )


def _format(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format="{:.4g}".format, na_rep="-")
