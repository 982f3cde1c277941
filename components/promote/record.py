"""Decision record: hashes of the inputs, and the decision as JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_file, sha256_json
from components.contract.identity import data_hash, pipeline_identity
from components.lib.metrics.intervals import Interval
from components.promote.gate import Judgement
from components.promote.parameters import PromoteParameters


def input_hashes(store: Path, verdict: Path) -> dict[str, str]:
    """Return the SHA-256 of a decision's inputs: parameters, data, code and data verdict.

    Parameters and code are the pipeline's identity, as in run records and training keys.

    Args:
        store: Prepared store, or store of pairs.
        verdict: Data verdict.
    """
    identity = pipeline_identity()
    return {
        "params": identity.params,
        "data": data_hash(store),
        "code": identity.code,
        "verdict": sha256_file(verdict),
    }


def decision_record(
    judgement: Judgement,
    *,
    model: str,
    method: str,
    control: Path | None,
    version: str,
    champion_version: str | None,
    ledger_head: str,
    hashes: Mapping[str, str],
    parameters: PromoteParameters,
    ground: str,
    scoring: Mapping[str, Any],
    simulated: bool,
    acquisitions: Sequence[str],
) -> dict[str, Any]:
    """Return one model's decision as JSON values.

    Args:
        judgement: Outcome of the gate.
        model: Registered model.
        method: Method that the challenger was trained by.
        control: Folder of the control, None where there is none.
        version: Version of the challenger.
        champion_version: Version of the champion, None if there was none.
        ledger_head: Hash of the last entry of the champions' ledger that the decision was made against.
        hashes: SHA-256 of ``weights``, ``params``, ``data``, ``code``, ``verdict`` and ``scores``.
        parameters: Conditions that were held against it.
        ground: Units that are counted, in words.
        scoring: What the scores depend on beside network and data.
        simulated: True if any of the data is from the simulated world.
        acquisitions: Acquisitions in the data.
    """
    return {
        "model": model,
        "method": method,
        "outcome": "promoted" if judgement.promoted else "refused",
        "version": version,
        "champion_version": champion_version,
        "ledger_head": ledger_head,
        "simulated": simulated,
        "reasons": judgement.failures or [_why_promoted(judgement, champion_version)],
        "checks": [asdict(check) for check in judgement.checks],
        "metric": parameters.metric,
        "challenger": _json(judgement.challenger),
        "champion": _json(judgement.champion),
        "gain": _json(judgement.gain),
        "test": None if judgement.test is None else judgement.test.as_dict(),
        "by_sensor": _by_sensor(judgement),
        "control": None
        if control is None
        else {"model": control.as_posix(), "gain": _json(judgement.control_gain)},
        "guards": [{**asdict(g), "difference": g.difference.as_dict()} for g in judgement.guards],
        "sensors": list(judgement.sensors),
        "tiles": judgement.tiles,
        "ground": ground,
        "acquisitions": list(acquisitions),
        "rules": parameters.rules(),
        "scoring": dict(scoring),
        "sha256": dict(hashes),
    }


def record_hash(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record as canonical JSON; the ledger points to it."""
    return sha256_json(record)


def headline(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few numbers that ``dvc metrics show`` prints.

    Args:
        document: Content of ``decision.json``.

    Returns:
        Score of the model that comes last by name (SAR, where both are judged), and the number of models
        ``promoted``.
    """
    models = document["models"]
    decision = models[max(models)]["decision"]
    score = {} if decision["challenger"] is None else {decision["metric"]: decision["challenger"]["value"]}
    known = {name: round(float(value), 4) for name, value in score.items()}
    return {**known, "promoted": sum(part["outcome"] == "promoted" for part in models.values())}


def _by_sensor(judgement: Judgement) -> dict[str, dict[str, Any]]:
    return {
        sensor: {
            "challenger": value.as_dict(),
            "champion": _json(judgement.champion_by_sensor.get(sensor)),
            "gain_over_unadapted": _json(judgement.new_sensors.get(sensor)),
        }
        for sensor, value in judgement.by_sensor.items()
    }


def _json(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else interval.as_dict()


def _why_promoted(judgement: Judgement, champion_version: str | None) -> str:
    if champion_version is None or judgement.test is None or judgement.test.bound is None:
        return "there was no champion and every check passed"
    return (
        f"it gains {judgement.test.gain.value:+.4f} over version {champion_version} (lower bound "
        f"{judgement.test.bound:+.4f}) and every check passed"
    )
