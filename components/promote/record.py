"""Decision record: hashes of the inputs, JSON for machines, text for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_file, sha256_json
from components.contract.identity import data_hash, pipeline_identity
from components.promote.gate import Judgement
from components.promote.parameters import PromoteParameters


def input_hashes(store: Path, verdict: Path) -> dict[str, str]:
    """Return the SHA-256 of a decision's inputs: parameters, prepared store, code and data verdict.

    Parameters and code are the pipeline's identity, as in run records and training keys.

    Args:
        store: Prepared store.
        verdict: Data verdict, ``verdict.json``.
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
    version: str,
    champion_version: str | None,
    hashes: Mapping[str, str],
    parameters: PromoteParameters,
    simulated: bool,
) -> dict[str, Any]:
    """Return one model's decision as JSON values.

    Args:
        judgement: Outcome of the gate.
        model: Registered model.
        version: Version of the challenger.
        champion_version: Version of the champion, None if there was none.
        hashes: SHA-256 of ``weights``, ``params``, ``data``, ``code`` and ``scores``.
        parameters: Section ``promote``.
        simulated: True if any tile is from the simulated world.
    """
    return {
        "model": model,
        "outcome": "promoted" if judgement.promoted else "refused",
        "version": version,
        "champion_version": champion_version,
        "simulated": simulated,
        "reasons": judgement.failures or [_why_promoted(judgement, champion_version)],
        "checks": [asdict(check) for check in judgement.checks],
        "metric": parameters.metric,
        "challenger": None if judgement.challenger is None else judgement.challenger.as_dict(),
        "champion": None if judgement.champion is None else judgement.champion.as_dict(),
        "gain": None if judgement.gain is None else judgement.gain.as_dict(),
        "guards": [asdict(guard) for guard in judgement.guards],
        "sensors": list(judgement.sensors),
        "tiles": judgement.tiles,
        "rules": parameters.model_dump(mode="json", exclude={"ledger"}),
        "sha256": dict(hashes),
    }


def record_hash(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record as canonical JSON; the ledger points to it."""
    return sha256_json(record)


def text_of(document: Mapping[str, Any]) -> str:
    """Return ``decision.json`` as text."""
    blocks = [_simulated(document["simulated"])]
    blocks += [_model_text(name, part) for name, part in sorted(document["models"].items())]
    return "\n\n".join(blocks) + "\n"


def _simulated(simulated: bool) -> str:
    if simulated:
        return "SIMULATED: all numbers below are from the rehearsal world, none from a real sensor."
    return "All numbers below are from real acquisitions."


def _model_text(model: str, part: Mapping[str, Any]) -> str:
    decision = part["decision"]
    against = decision["champion_version"]
    rival = "there was no champion" if against is None else f"the champion was version {against}"
    lines = [f"{model}: version {decision['version']} {part['outcome'].upper()} ({rival})", ""]
    lines += [f"  because {reason}" for reason in part["reasons"]]
    lines += ["", f"  {decision['metric']} on {decision['tiles']} clean test tiles of {_names(decision)}:"]
    for name in ("challenger", "champion", "gain"):
        if decision[name]:
            sign = "+" if name == "gain" else ""
            lines.append(f"    {name:<11}{_interval(decision[name], sign)}")
    lines += ["", "  checks:"]
    lines += [
        f"    {'ok  ' if c['passed'] else 'FAIL'}  {c['name']}: {c['words']}" for c in decision["checks"]
    ]
    if decision["guards"]:
        lines += ["", "  guard slices (challenger, champion, difference with its two-sided interval):"]
        lines += [_guard(guard) for guard in decision["guards"]]
    lines += ["", "  SHA-256:"]
    lines += [f"    {name:<11}{value}" for name, value in sorted(decision["sha256"].items())]
    lines += [f"    {'decision':<11}{part['decision_sha256']}"]
    if part["ledger"]:
        lines += [f"    {'ledger':<11}{part['ledger']['hash']} (entry {part['ledger']['seq']})"]
    return "\n".join(lines)


def _why_promoted(judgement: Judgement, champion_version: str | None) -> str:
    if champion_version is None or judgement.gain is None:
        return "it is the first model of its name and every check passed"
    return (
        f"it gains {judgement.gain.value:+.4f} over version {champion_version} (lower bound "
        f"{judgement.gain.lower_bound:+.4f}) and every check passed"
    )


def _names(decision: Mapping[str, Any]) -> str:
    return ", ".join(decision["sensors"]) or "no common sensor"


def _interval(value: Mapping[str, Any], sign: str) -> str:
    number, low, high, bound = (
        f"{value[name]:{sign}.4f}" for name in ("value", "low", "high", "lower_bound")
    )
    if value["degenerate"]:
        return f"{number} (one location: no interval)"
    return (
        f"{number}  [{low}, {high}] at {value['confidence']:.0%}, one-sided lower bound {bound}, "
        f"{value['locations']} locations"
    )


def _guard(guard: Mapping[str, Any]) -> str:
    difference = guard["difference"]
    return (
        f"    {'ok  ' if guard['passed'] else 'FAIL'}  {guard['slice']:<32}{guard['metric']:<5}"
        f"{guard['challenger']:.4f}  {guard['champion']:.4f}  {difference['value']:+.4f} "
        f"[{difference['low']:+.4f}, {difference['high']:+.4f}]"
    )
