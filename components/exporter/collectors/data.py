"""Data: the newest verdict on tiles, registered acquisitions, and what lies in the landing place."""

from __future__ import annotations

from dataclasses import dataclass

from components.contract.errors import StormsightError
from components.contract.keys import REJECTED, is_key
from components.exporter.sources import Sources
from components.lib.monitoring.readings import Readings
from components.lib.objects.protocol import ObjectInfo, map_many
from components.lib.objects.sealed import read_sealed

VERDICT = "reports/validate/metrics.json"
"""Path of the verdict's numbers among a run's metrics."""

LOOKED_AT = 50
"""Waiting folders that are listed for their age, the first by name."""


def collect_verdict(sources: Sources, readings: Readings) -> None:
    """Tell the tiles of the newest recorded verdict, and its quarantined ones by rule."""
    newest = next((one.metrics[VERDICT] for one in sources.history.runs if VERDICT in one.metrics), None)
    if not isinstance(newest, dict):
        return
    tiles, quarantined, rules = (newest.get(name) for name in ("tiles", "quarantined", "rules"))
    if isinstance(tiles, int):
        readings.set("stormsight_tiles_validated", tiles)
    for rule, count in _by_rule(quarantined, rules).items():
        readings.set("stormsight_tiles_quarantined", count, rule=rule)


def collect_acquisitions(sources: Sources, readings: Readings) -> None:
    """Count registered acquisitions, and tell the time of the last registration."""
    state = sources.state
    withdrawn = len(state.withdrawn)
    readings.set("stormsight_acquisitions_registered", withdrawn, state="withdrawn")
    readings.set("stormsight_acquisitions_registered", len(state.registered) - withdrawn, state="pending")
    if state.times:
        newest = max(state.times.values())
        readings.set("stormsight_acquisition_last_timestamp_seconds", newest.timestamp())


def collect_landing(sources: Sources, readings: Readings) -> None:
    """Count what waits in the landing place and since when, and the deliveries there that are rejected."""
    landing, registered = sources.places.landing, sources.state.registered
    folders = [name for name in landing.folders() if name not in registered]
    rejected = {name for name in _rejected(sources) if name in folders}
    waiting = [name for name in folders if name not in rejected]
    readings.set("stormsight_landing_waiting", len(waiting))
    readings.set("stormsight_deliveries_rejected", len(rejected))
    listed = [name for name in waiting if is_key(name)][:LOOKED_AT]
    infos = [info for found in map_many(landing, lambda n: landing.list(f"{n}/"), listed) for info in found]
    if infos:
        oldest = min(info.modified for info in infos)
        readings.set("stormsight_landing_oldest_timestamp_seconds", oldest.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rejection:
    """Part of a rejection's record that is read here."""

    id: str


def _by_rule(quarantined: object, rules: object) -> dict[str, int]:
    """Return the quarantined tiles by rule; records of former code state their number alone."""
    if isinstance(rules, dict):
        return {str(rule): count for rule, count in rules.items() if isinstance(count, int)}
    return {"unknown": quarantined} if isinstance(quarantined, int) and quarantined else {}


def _rejected(sources: Sources) -> set[str]:
    """Return the folders that were rejected; a record is read once, a damaged one is left out."""
    objects, known = sources.places.objects, sources.rejected
    infos = {(info.key, info.version): info for info in objects.list(REJECTED)}

    def read(info: ObjectInfo) -> str:
        try:
            return read_sealed(objects, info.key, _Rejection).id
        except StormsightError:  # registration writes it anew at its next look
            return ""

    new = [mark for mark in infos if mark not in known]
    ids = map_many(objects, read, [infos[mark] for mark in new])
    known.update(zip(new, ids, strict=True))
    for mark in known.keys() - infos.keys():
        del known[mark]
    return set(known.values()) - {""}
