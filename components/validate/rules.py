"""Rules for a tile and for the set, as data. No library is named here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from components.lib.datasets.base import Sensor
from components.lib.datasets.sensors import dataset_of
from components.validate.parameters import ValidateParameters

MAX_PAIR_OFFSET_PX = 0.5
"""Grids of a pair may differ by less than a pixel: beyond half of one, pixels meet the wrong partner."""

MAX_RESOLUTION_ERROR = 1e-3
"""Relative; adds up to one pixel across a 900-pixel tile."""

MAX_LABELS_OUTSIDE = 0.1
"""Share of a tile's labels that may lie beside it; labels of another place or CRS all do."""

MAX_BUILDING_M2 = 1e6
"""Square metres; the largest buildings of the world cover less than half of that."""

Kind = Literal["in", "between", "sum", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One expectation on a column of a table.

    Attributes:
        name: Key in the quarantine list and the verdict.
        column: Column it looks at.
        what: The quantity in words, with its unit, for the reason.
        kind: ``in`` (one of ``values``) and ``between`` are held per row; ``sum`` and ``mean`` of the column
            are held once.
        values: Allowed values of kind ``in``.
        low: Smallest allowed value, None for no bound.
        high: Largest allowed value, None for no bound.
        mostly: Share of rows that must meet it; below 1 only in set rules.
        product: Product that the rule is about, "" for the tile or set as a whole.
        detail: Column that explains a failure in words, if any.
    """

    name: str
    column: str
    what: str
    kind: Kind
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    mostly: float = 1.0
    product: str = ""
    detail: str = ""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.kind == "in":
            words = " or ".join(str(value) for value in self.values)
        elif self.low is None:
            words = f"at most {self.high:g}"
        elif self.high is None:
            words = f"at least {self.low:g}"
        elif self.low == self.high:
            words = f"{self.low:g}"
        else:
            words = f"{self.low:g} to {self.high:g}"
        return words if self.mostly == 1 else f"{words} for at least {self.mostly:.0%} of them"


@dataclass(frozen=True, slots=True)
class SetFailure:
    """A reason why the set as a whole is bad.

    Attributes:
        rule: The rule's name.
        subject: Acquisition or sensor.
        reason: Observed and allowed values, in words.
    """

    rule: str
    subject: str
    reason: str


def tile_rules(sensor: Sensor, parameters: ValidateParameters, features: pd.DataFrame) -> list[Rule]:
    """Return the rules for every tile of ``sensor``; a tile that breaks one is quarantined.

    Args:
        sensor: The sensor.
        parameters: Limits.
        features: Feature rows of the sensor, from which the usual tile shape is taken.
    """
    dataset = dataset_of(sensor.name)
    sar, optical = dataset.sar.name, dataset.optical.name
    rules = [
        _true(
            "file_name",
            "well_named",
            "name follows the convention and agrees with the manifest",
            "name_error",
        ),
        Rule(
            name="unique",
            column="duplicates",
            what="files beyond one per product",
            kind="between",
            low=0,
            high=0,
        ),
        _true(
            "orientation_known",
            "orientation_known",
            "orientation flag known for the strip",
            "orientation_error",
        ),
        _true("sar_present", "sar_present", "SAR file present", product=sar),
        *_raster_rules("sar", sar, dtype=dataset.sar.dtype, bands=len(sensor.bands), crs=sensor.crs),
        _nodata_rule("sar", sar, parameters),
        *_sar_rules(sensor, sar),
        *_shape_rules(features, sar),
    ]
    if sensor.paired_optical:
        rules += [
            _true("pair_present", "pair_present", "optical file of the same tile present", product=optical),
            *_raster_rules(
                "optical",
                optical,
                dtype=dataset.optical.dtype,
                bands=len(dataset.optical.bands),
                crs=sensor.crs,
            ),
            _nodata_rule("optical", optical, parameters),
            _alive_rule("optical", optical),
            _true("pair_shape", "pair_same_shape", "optical and SAR have the same shape", product=optical),
            Rule(
                name="pair_grid",
                column="pair_offset_px",
                what="offset between the SAR and optical grids, pixels",
                kind="between",
                low=0,
                high=MAX_PAIR_OFFSET_PX,
                product=optical,
            ),
        ]
    rules += _label_rules(dataset.labels.name)
    if dataset.roads is not None and "road_readable" in features:
        rules += _road_rules(dataset.roads.product.name)
    return rules


def _raster_rules(prefix: str, product: str, *, dtype: str, bands: int, crs: str) -> list[Rule]:
    def column(name: str) -> str:
        return f"{prefix}_{name}"

    return [
        _true(column("checksum"), column("checksum_ok"), "checksum agrees", column("error"), product),
        _true(column("readable"), column("readable"), "file can be decoded", column("error"), product),
        Rule(
            name=column("dtype"),
            column=column("dtype"),
            what="pixel type",
            kind="in",
            values=(dtype,),
            product=product,
        ),
        Rule(
            name=column("bands"),
            column=column("bands"),
            what="number of bands",
            kind="in",
            values=(bands,),
            product=product,
        ),
        Rule(name=column("crs"), column=column("crs"), what="CRS", kind="in", values=(crs,), product=product),
        _true(column("north_up"), column("north_up"), "grid is north-up", product=product),
        Rule(
            name=column("nan"),
            column=column("nan_count"),
            what="NaN or infinite values",
            kind="between",
            low=0,
            high=0,
            product=product,
        ),
    ]


def _nodata_rule(prefix: str, product: str, parameters: ValidateParameters) -> Rule:
    return Rule(
        name=f"{prefix}_nodata",
        column=f"{prefix}_nodata_share",
        what="share of no-data pixels",
        kind="between",
        low=0,
        high=parameters.max_nodata_share,
        product=product,
    )


def _alive_rule(prefix: str, product: str) -> Rule:
    return Rule(
        name=f"{prefix}_alive",
        column=f"{prefix}_min_std",
        what="smallest standard deviation of a band",
        kind="between",
        low=1e-6,
        product=product,
    )


def _sar_rules(sensor: Sensor, product: str) -> list[Rule]:
    low, high = sensor.valid_range
    return [
        Rule(
            name="sar_resolution",
            column="sar_resolution_error",
            kind="between",
            low=0,
            high=MAX_RESOLUTION_ERROR,
            what=f"relative difference of the pixel size from {sensor.gsd_m:g} m",
            product=product,
        ),
        Rule(
            name="sar_range",
            column="sar_min",
            what="smallest valid value",
            kind="between",
            low=low,
            product=product,
        ),
        Rule(
            name="sar_range",
            column="sar_max",
            what="largest valid value",
            kind="between",
            high=high,
            product=product,
        ),
        _alive_rule("sar", product),
    ]


def _shape_rules(features: pd.DataFrame, product: str) -> list[Rule]:
    """Require of all tiles the shape that most of them have, as they are stored in one array."""
    rules = []
    for column, what in (("sar_height", "rows"), ("sar_width", "columns")):
        usual = features[column].dropna().mode() if column in features else pd.Series(dtype=float)
        if len(usual):
            rules.append(
                Rule(
                    name="sar_shape",
                    column=column,
                    what=what,
                    kind="in",
                    values=(int(usual.iloc[0]),),
                    product=product,
                )
            )
    return rules


def _label_rules(product: str) -> list[Rule]:
    return [
        *_vector_rules("label", "labels", product, ("repairable", "unrepairable", "polygons beyond repair")),
        Rule(
            name="label_size",
            column="label_largest_m2",
            what="area of the largest building, square metres",
            kind="between",
            low=0,
            high=MAX_BUILDING_M2,
            product=product,
        ),
    ]


def _road_rules(product: str) -> list[Rule]:
    return _vector_rules("road", "roads", product, ("lines", "dropped", "features that are no lines"))


def _vector_rules(file: str, objects: str, product: str, unusable: tuple[str, str, str]) -> list[Rule]:
    """Return the rules of a GeoJSON file.

    Args:
        file: Beginning of the names of its rules and columns.
        objects: Word for its features.
        product: Product that it is.
        unusable: Endings of the rule and of the column that count what cannot be used, and what that is.
    """
    rule, column, what = unusable
    return [
        _true(f"{file}_checksum", f"{file}_checksum_ok", "checksum agrees", f"{file}_error", product),
        _true(f"{file}_readable", f"{file}_readable", "file can be read", f"{file}_error", product),
        Rule(
            name=f"{file}_{rule}",
            column=f"{file}_{column}",
            what=what,
            kind="between",
            low=0,
            high=0,
            product=product,
        ),
        Rule(
            name=f"{file}_place",
            column=f"{file}_outside_share",
            what=f"share of {objects} beside the tile",
            kind="between",
            low=0,
            high=MAX_LABELS_OUTSIDE,
            product=product,
        ),
    ]


def set_rules(sensor: Sensor, parameters: ValidateParameters) -> list[Rule]:
    """Return the rules for all strips of ``sensor`` together; if one is broken, the verdict is bad."""
    low, high = sensor.valid_range
    mean_low, mean_high = (low + share * (high - low) for share in parameters.mean_range)
    rules = [
        Rule(name="tiles", column="tiles", what="number of tiles", kind="sum", low=1),
        Rule(
            name="strip_coverage",
            column="kept_share",
            what="share of a strip's tiles that is kept",
            kind="between",
            low=0.5,
            mostly=parameters.min_strip_coverage,
        ),
        Rule(
            name="strip_drift",
            column="drift",
            what="distance of a strip's mean from the median strip's",
            kind="between",
            low=0,
            high=parameters.max_strip_drift,
            mostly=parameters.min_strip_coverage,
        ),
        *(
            Rule(
                name="mean",
                column=f"mean_{band}",
                what=f"mean of {band} over the strips",
                kind="mean",
                low=mean_low,
                high=mean_high,
            )
            for band in sensor.bands
        ),
    ]
    if sensor.paired_optical:
        rules.append(Rule(name="labels", column="labels", what="labelled buildings", kind="sum", low=1))
    return rules


def _true(name: str, column: str, what: str, detail: str = "", product: str = "") -> Rule:
    return Rule(
        name=name, column=column, what=what, kind="in", values=(True,), detail=detail, product=product
    )
