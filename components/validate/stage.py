"""The stage as one function: from ``data/raw`` to features, quarantine, data docs and verdict."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import get_sensor
from components.lib.files import atomic_directory, atomic_file, write_json
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.validate.docs import finish_docs
from components.validate.parameters import ValidateParameters
from components.validate.rules import SetFailure, set_rules, tile_rules
from components.validate.suite import RuleResult, Suites, suites
from components.validate.summary import read_summaries
from components.validate.table import strip_table, tile_table, with_columns
from components.validate.tiles import gather_tiles
from components.validate.verdict import (
    keys,
    make_verdict,
    quarantine_list,
    set_failures,
    share_failures,
    twin_failures,
)

_LOG = logging.getLogger(__name__)

HEADLINE = ("tiles", "quarantined")
"""Numbers of the verdict that the DVC metric ``metrics.json`` shows."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders that the stage reads and writes, relative to the repository root."""

    raw: Path = Path("data/raw")
    validated: Path = Path("data/validated")
    reports: Path = Path("reports/validate")


@dataclass(slots=True)
class _Findings:
    results: list[RuleResult] = field(default_factory=list)
    failures: list[SetFailure] = field(default_factory=list)


def validate(folders: Folders, parameters: ValidateParameters) -> dict[str, Any]:
    """Validate all acquisitions of ``folders.raw``; everything is written whether the verdict is good or bad.

    Returns:
        The verdict, as written to ``verdict.json``.

    Raises:
        BadDataError: If the verdict is bad, after everything has been written.
        MissingInputError: If the manifest or a shard is absent.
        ParameterError: If the manifest names an unknown sensor.
    """
    manifest = read_manifest(folders.raw)
    findings = _Findings()
    with ShardReader(folders.raw) as reader:
        summaries, findings.failures = read_summaries(manifest, reader.read)
        features = tile_table(gather_tiles(manifest), summaries, reader.read)
    findings.failures += twin_failures(features)
    if manifest.empty:
        findings.failures.append(SetFailure("tiles", "all acquisitions", "the manifest lists no file"))
    with atomic_directory(folders.reports / "docs") as docs:
        with suites(docs) as runner:
            for sensor in sorted(set(manifest["sensor"])):
                _run_sensor(sensor, features, parameters, runner, findings)
        quarantine = quarantine_list(findings.results, features)
        findings.failures += share_failures(features, keys(quarantine), parameters)
        verdict = make_verdict(features, quarantine, findings.failures, parameters)
        finish_docs(docs, verdict, quarantine)
    _write(folders, features, quarantine, verdict)
    _conclude(folders, verdict)
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
    with atomic_file(folders.validated / "features.parquet") as path:
        features.to_parquet(path, index=False)
    with atomic_file(folders.validated / "quarantine.csv") as path:
        quarantine.to_csv(path, index=False, lineterminator="\n")
    write_json(folders.reports / "verdict.json", verdict)
    write_json(folders.reports / "metrics.json", {name: verdict[name] for name in HEADLINE})


def _conclude(folders: Folders, verdict: dict[str, Any]) -> None:
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
        + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""),
        next_step=f"read {folders.validated / 'quarantine.csv'} and {folders.reports / 'docs/index.html'}, "
        "then fetch the named files again or leave the acquisition out",
    )
