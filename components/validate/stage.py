"""The verdict over all partitions: from the features of their tiles to quarantine, data docs and verdict.

It reads no pixel, so that one process judges what many have measured (:mod:`.measure`). Its result does not
depend on the partitions: rules look at tiles, strips, acquisitions, sensors and the whole set.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract.errors import BadDataError
from components.contract.partitions import partition_of
from components.lib.datasets.sensors import get_sensor
from components.lib.files import atomic_directory, atomic_file, write_json
from components.validate.docs import finish_docs
from components.validate.measure import FEATURES_FILE, measure, read_measured
from components.validate.parameters import ValidateParameters
from components.validate.rules import SetFailure, set_rules, tile_rules
from components.validate.suite import RuleResult, Suites, suites
from components.validate.table import strip_table, with_columns
from components.validate.verdict import (
    keys,
    make_verdict,
    quarantine_list,
    set_failures,
    share_failures,
    twin_failures,
)

_LOG = logging.getLogger(__name__)

HEADLINE = ("tiles", "quarantined", "rules")
"""Numbers of the verdict that the DVC metric ``metrics.json`` shows."""

QUARANTINE_FILE = "quarantine.csv"


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders that the stage reads and writes, relative to the repository root.

    ``raw`` and ``features`` have a folder for each partition. ``validated`` has the whole quarantine list,
    and for each partition a folder with its own part, on which the partition's preparation depends.
    """

    raw: Path = Path("data/raw")
    features: Path = Path("data/features")
    validated: Path = Path("data/validated")
    reports: Path = Path("reports/validate")


@dataclass(slots=True)
class _Findings:
    results: list[RuleResult] = field(default_factory=list)
    failures: list[SetFailure] = field(default_factory=list)


def validate(folders: Folders, parameters: ValidateParameters, partitions: Sequence[str]) -> dict[str, Any]:
    """Measure all partitions and judge them: :func:`measure` of each, then :func:`judge`."""
    for partition in partitions:
        measure(folders.raw / partition, folders.features / partition)
    return judge(folders, parameters, partitions)


def judge(folders: Folders, parameters: ValidateParameters, partitions: Sequence[str]) -> dict[str, Any]:
    """Judge the measured tiles of all partitions; everything is written whether the verdict is good or bad.

    Returns:
        The verdict, as written to ``verdict.json``.

    Raises:
        BadDataError: If the verdict is bad, after everything has been written, or a table is damaged.
        MissingInputError: If a partition was not measured.
    """
    measured = read_measured(folders.features, partitions)
    features, findings = measured.features, _Findings(failures=measured.failures)
    findings.failures += twin_failures(features)
    if not measured.files:
        findings.failures.append(SetFailure("tiles", "all acquisitions", "the manifest lists no file"))
    with atomic_directory(folders.reports / "docs") as docs:
        with suites(docs) as runner:
            for sensor in measured.sensors:
                _run_sensor(sensor, features, parameters, runner, findings)
        quarantine = quarantine_list(findings.results, features)
        findings.failures += share_failures(features, keys(quarantine), parameters)
        verdict = make_verdict(features, quarantine, findings.failures, parameters)
        finish_docs(docs, verdict, quarantine)
    _write(folders, features, quarantine, verdict)
    for partition in partitions:
        own = quarantine["acquisition"].map(lambda name: partition_of(name, partitions)) == partition
        _write_quarantine(quarantine[own], folders.validated / partition)
    _conclude(folders, verdict, quarantine)
    return verdict


def _run_sensor(
    name: str, features: pd.DataFrame, parameters: ValidateParameters, runner: Suites, findings: _Findings
) -> None:
    """Hold the tile suite against the sensor's tiles, then the set suite against what is left by strip."""
    sensor = get_sensor(name)
    rows = features[features["sensor"] == name]
    rules = tile_rules(sensor, parameters, rows)
    results = runner.run(f"{name}-tiles", with_columns(rows, [rule.column for rule in rules]), rules)
    findings.results += results
    quarantined = keys(quarantine_list(results, features))
    strips = strip_table(rows, quarantined, sensor)
    findings.failures += set_failures(
        name, runner.run(f"{name}-strips", strips, set_rules(sensor, parameters))
    )


def _write(
    folders: Folders, features: pd.DataFrame, quarantine: pd.DataFrame, verdict: dict[str, Any]
) -> None:
    with atomic_file(folders.validated / FEATURES_FILE) as path:
        features.to_parquet(path, index=False)
    _write_quarantine(quarantine, folders.validated)
    write_json(folders.reports / "verdict.json", verdict)
    write_json(folders.reports / "metrics.json", {name: verdict[name] for name in HEADLINE})


def _write_quarantine(quarantine: pd.DataFrame, folder: Path) -> None:
    with atomic_file(folder / QUARANTINE_FILE) as path:
        quarantine.to_csv(path, index=False, lineterminator="\n")


def _conclude(folders: Folders, verdict: dict[str, Any], quarantine: pd.DataFrame) -> None:
    world = " (simulated)" if verdict["simulated"] else ""
    _LOG.info(
        "%d tiles%s, %d quarantined, verdict %s",
        verdict["tiles"],
        world,
        verdict["quarantined"],
        verdict["verdict"],
    )
    if verdict["verdict"] == "good":
        return
    reasons = [f"{failure['subject']}: {failure['reason']}" for failure in verdict["failures"]]
    raise BadDataError(
        f"validate: the set of {verdict['tiles']} tiles{world} is bad: {'; '.join(reasons[:5])}"
        + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
        + _quarantined(quarantine),
        next_step="correct what is named, or leave the acquisition out; a checkout (`make repro`) lists all "
        f"tiles in {folders.validated / QUARANTINE_FILE} and {folders.reports / 'docs/index.html'}",
    )


def _quarantined(quarantine: pd.DataFrame) -> str:
    """Return the quarantined tiles in words, by rule with an example: a pod keeps nothing of a bad set."""
    if quarantine.empty:
        return ""
    rules = [
        f"{rule} {len(keys(rows))}, such as {rows['acquisition'].iloc[0]}: {rows['reason'].iloc[0]}"
        for rule, rows in quarantine.groupby("rule", sort=True)
    ]
    return f"; quarantined tiles by rule: {'; '.join(rules)}"
