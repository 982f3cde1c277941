"""Quarantine list and verdict, in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from components.lib.datasets.sensors import get_sensor
from components.validate.parameters import ValidateParameters
from components.validate.rules import Rule, SetFailure
from components.validate.suite import RuleResult
from components.validate.table import with_columns

QUARANTINE_COLUMNS = ["acquisition", "image_id", "product", "rule", "reason"]

_COUNTED = ("label_count", "label_repaired", "label_empty", "summary_dropped")


def quarantine_list(results: Iterable[RuleResult], features: pd.DataFrame) -> pd.DataFrame:
    """List one row per tile and broken rule, sorted.

    Args:
        results: Results of the tile rules of all sensors.
        features: The tile table, for the words that explain a failure.

    Returns:
        ``QUARANTINE_COLUMNS``.
    """
    rows = [
        (failing["acquisition"], failing["image_id"], result.rule.product, result.rule.name, reason)
        for result in results
        for failing, reason in zip(result.failing, _reasons(result, features), strict=True)
    ]
    return pd.DataFrame(sorted(set(rows)), columns=QUARANTINE_COLUMNS).astype("string")


def _reasons(result: RuleResult, features: pd.DataFrame) -> list[str]:
    rule = result.rule
    if not result.failing or not rule.detail:
        return [tile_reason(rule, failing) for failing in result.failing]
    details = features.set_index(["acquisition", "image_id"])[rule.detail]
    return [
        tile_reason(rule, failing, str(details[failing["acquisition"], failing["image_id"]]))
        for failing in result.failing
    ]


def tile_reason(rule: Rule, failing: dict[str, Any], detail: str = "") -> str:
    """State tile, product, rule, observed value and allowed value in one sentence."""
    subject = " ".join(part for part in (failing["image_id"], rule.product) if part)
    if detail:
        return f"{subject}: {rule.name}: {detail}"
    return f"{subject}: {rule.name}: {rule.what} is {_words(failing[rule.column])}, allowed is {rule.allowed}"


def set_failures(sensor: str, results: Iterable[RuleResult]) -> list[SetFailure]:
    """Return the set rules of ``sensor`` that are not met."""
    return [
        SetFailure(
            result.rule.name,
            sensor,
            f"{result.rule.what} {_observed(result)}, allowed is {result.rule.allowed}",
        )
        for result in results
        if not result.success
    ]


def _observed(result: RuleResult) -> str:
    rule = result.rule
    if rule.kind in ("sum", "mean"):
        return f"is {'undetermined' if result.observed is None else _words(result.observed)}"
    first = [f"{row['strip']} ({_words(row[rule.column])})" for row in result.failing[:5]]
    more = "" if len(result.failing) <= 5 else f" and {len(result.failing) - 5} more"
    return f"is out of bounds for strip {', '.join(first)}{more}"


def share_failures(
    features: pd.DataFrame, quarantined: set[tuple[str, str]], parameters: ValidateParameters
) -> list[SetFailure]:
    """Report acquisitions, or the whole set, with too many quarantined tiles."""
    shares = {
        str(name): _share(rows, quarantined) for name, rows in features.groupby("acquisition", sort=True)
    }
    if len(shares) > 1:
        shares["all acquisitions"] = _share(features, quarantined)
    limit = parameters.max_quarantine_share
    return [
        SetFailure(
            "quarantine_share",
            name,
            f"share of quarantined tiles is {share:.3f}, allowed is at most {limit:g}",
        )
        for name, share in shares.items()
        if share > limit
    ]


def twin_failures(features: pd.DataFrame) -> list[SetFailure]:
    """Report tiles of one sensor that come in two acquisitions: preparing could not tell them apart."""
    tiles = features[features["well_named"].astype(bool)]
    twins = tiles[tiles.duplicated(["sensor", "image_id"], keep=False)]
    return [
        SetFailure(
            "unique",
            str(sensor),
            f"tile {rows['image_id'].min()} is in {' and '.join(sorted(set(rows['acquisition'])))}"
            + (f", and so are {more} more" if (more := rows["image_id"].nunique() - 1) else ""),
        )
        for sensor, rows in twins.groupby("sensor", sort=True)
    ]


def make_verdict(
    features: pd.DataFrame,
    quarantine: pd.DataFrame,
    failures: list[SetFailure],
    parameters: ValidateParameters,
) -> dict[str, Any]:
    """Build the machine-readable verdict.

    Returns:
        ``verdict`` is ``bad`` exactly when there is a set failure; all of them are in ``failures``.
    """
    quarantined = keys(quarantine)
    sensors = sorted(set(features["sensor"]))
    return {
        "verdict": "bad" if failures else "good",
        "tiles": len(features),
        "quarantined": len(quarantined),
        "share": _share(features, quarantined),
        "max_share": parameters.max_quarantine_share,
        "simulated": any(get_sensor(name).simulated for name in sensors),
        "sensors": {
            name: _sensor_summary(features[features["sensor"] == name], quarantined) for name in sensors
        },
        "rules": {str(rule): len(keys(rows)) for rule, rows in quarantine.groupby("rule", sort=True)},
        "failures": [
            {"rule": failure.rule, "subject": failure.subject, "reason": failure.reason}
            for failure in failures
        ],
    }


def keys(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """Return (acquisition, image_id) of each row."""
    return set(zip(rows["acquisition"], rows["image_id"], strict=True))


def _share(features: pd.DataFrame, quarantined: set[tuple[str, str]]) -> float:
    tiles = keys(features)
    return len(tiles & quarantined) / len(tiles) if tiles else 0.0


def _sensor_summary(features: pd.DataFrame, quarantined: set[tuple[str, str]]) -> dict[str, Any]:
    rows = with_columns(features, [*_COUNTED, "label_present", "label_zero_bytes"])
    summary = {name: int(rows[name].sum()) for name in _COUNTED}
    return summary | {
        "simulated": get_sensor(str(rows["sensor"].iloc[0])).simulated,
        "tiles": len(rows),
        "strips": int(rows["strip"].nunique()),
        "quarantined": len(keys(rows) & quarantined),
        "share": _share(rows, quarantined),
        "label_missing": int((rows["label_present"] == False).sum()),  # noqa: E712 - nullable
        "label_zero_bytes": int(rows["label_zero_bytes"].sum()),
    }


def _words(value: Any) -> str:  # noqa: ANN401 - whatever a cell holds
    if isinstance(value, str):
        return value
    number = float(value)
    return str(bool(value)) if str(value) in ("True", "False") else f"{number:.6g}"
