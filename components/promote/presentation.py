"""Texts of a registered version on MLflow's pages: method, scores with intervals, decision and report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.contract.errors import ParameterError
from components.lib.registry.artefact import FOLDER, by_version, damaged_tag
from components.lib.registry.served import (
    CHANGE_MODEL,
    OPTICAL_MODEL,
    ROAD_MODELS,
    ROADS_OPTICAL_MODEL,
    ROADS_SAR_MODEL,
    SAR_MODEL,
)
from components.lib.registry.signature import (
    SIGNATURE_FILE,
    Reading,
    building_reading,
    change_reading,
    signature_text,
)
from components.lib.tracking.connection import Connection, store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from components.lib.change.terms import Modality

REPORT = "reports/evaluate/report/index.html"
LONGEST = 5000
"""MLflow takes at most this many characters of a description."""

PURPOSES = {
    OPTICAL_MODEL: "Buildings from optical images: the teacher of the SAR networks.",
    SAR_MODEL: "Buildings from SAR, distilled from an optical teacher and adapted to the next sensor.",
    ROADS_OPTICAL_MODEL: "Roads from optical images: the teacher of the SAR networks.",
    ROADS_SAR_MODEL: "Roads from SAR, distilled from an optical teacher.",
    CHANGE_MODEL: "Changed buildings from two images of the same ground, before and after.",
}
"""Description of each registered model."""


def present(connection: Connection, model: str, decision: Mapping[str, Any], digest: str) -> None:
    """Write description, signature and tags of the version that a decision is about.

    Args:
        connection: Connection to MLflow.
        model: Registered model.
        decision: Decision record, with the outcome and reasons that came of it.
        digest: SHA-256 of the record, its name in the store.

    Raises:
        MissingInputError: If there is no such version.
        BadDataError: If its tags do not say which bands of which sensors it reads.
        SourceUnavailableError: If the store does not answer.
    """
    version = str(decision["version"])
    found = by_version(connection, model, version)
    reading, run_id = _reading(found), found.run_id
    client = connection.client
    with store_errors(connection.uri):
        link = None
        if run_id is not None:
            text = signature_text(run_id, reading)
            client.log_text(run_id, text, f"{FOLDER}/{SIGNATURE_FILE}")
            link = f"#/experiments/{connection.experiment_id}/runs/{run_id}/artifacts"
        client.update_registered_model(model, PURPOSES.get(model, ""))
        client.update_model_version(model, version, description(decision, digest, reading.inputs, link))
        for name, value in tags(decision, reading.inputs).items():
            client.set_model_version_tag(model, version, name, value)


def _reading(version: ModelVersion) -> Reading:
    """Return what a version reads, from its tags."""
    if version.name == CHANGE_MODEL:
        return change_reading(_modality(version, "before"), _modality(version, "after"))
    modality, sensors = _modality(version, "modality"), version.tags.get("sensors", "")
    try:
        target = "road" if version.name in ROAD_MODELS else "building"
        return building_reading(modality, sensors.split(","), target)
    except ParameterError as error:
        raise damaged_tag(version, "sensors", "known sensors (parameter `sensors` of its run)") from error


def _modality(version: ModelVersion, tag: str) -> Modality:
    known: dict[str | None, Modality] = {"optical": "optical", "sar": "sar"}
    found = known.get(version.tags.get(tag))
    if found is not None:
        return found
    parameter = tag if tag == "modality" else f"{tag}.modality"
    raise damaged_tag(version, tag, f"optical or sar (parameter `{parameter}` of its run)")


def description(decision: Mapping[str, Any], digest: str, bands: Mapping[str, str], link: str | None) -> str:
    """Return the version's description, Markdown.

    Args:
        decision: Decision record.
        digest: SHA-256 of the record, its name in the store.
        bands: Bands behind the input channels, by the name of the input.
        link: Address of the run's files on MLflow's pages.
    """
    head = "Simulated: no number is from a real sensor.\n\n" if decision["simulated"] else ""
    rows = [f"| {where} | {score} |" for where, score in _scores(decision).items()]
    table = f"| {decision['ground']} of | {decision['metric']} |\n|---|---|\n" + "\n".join(rows)
    read = "; ".join(f"{sensor}: {names}" for sensor, names in bands.items())
    record = f"decisions/{digest}.json"
    place = f"[{record}]({link}/{record})" if link else f"`{record}`"
    return (
        f"{head}Method **{decision['method']}**, {decision['outcome']}: {decision['reasons'][0][:1000]}.\n\n"
        f"{table}\n\nInput channels: {read}.\n\n"
        f"Decision: {place} of this version's run, and {_reports(decision)}."
    )[:LONGEST]


def _reports(decision: Mapping[str, Any]) -> str:
    """Return the files of the same run that tell more."""
    if decision["model"] == CHANGE_MODEL:
        return f"`reports/promote_change/{decision['method']}/decision.txt`"
    return f"`reports/promote/decision.txt`. Report: `{REPORT}`"


def tags(decision: Mapping[str, Any], bands: Mapping[str, str]) -> dict[str, str]:
    """Return tags that the table of versions shows: method, score with its interval, bands."""
    scores = _scores(decision)
    return {
        "method": str(decision["method"]),
        "bands": "; ".join(f"{sensor}: {names}" for sensor, names in bands.items()),
        **({decision["metric"]: next(iter(scores.values()))} if scores else {}),
    }


def _scores(decision: Mapping[str, Any]) -> dict[str, str]:
    """Return the challenger's score in words: on all sensors together, if there are several, and on each."""
    by_sensor = {name: values["challenger"] for name, values in decision["by_sensor"].items()}
    values = dict(by_sensor)
    if len(by_sensor) != 1 and decision["challenger"] is not None:
        values = {"all sensors": decision["challenger"], **by_sensor}
    return {name: _words(value) for name, value in values.items() if value}


def _words(value: Mapping[str, Any]) -> str:
    if value["degenerate"]:
        return f"{value['value']:.3f} (interval unknown)"
    return f"{value['value']:.3f} ({value['confidence']:.0%} {value['low']:.3f} to {value['high']:.3f})"
