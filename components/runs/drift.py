"""Drift after a training: the acquisitions that it took against the champion that stood before it.

Of a training that succeeded, each acquisition that the champion's reference does not hold is compared with
it, once for an acquisition and a champion; a training that promoted a model leaves the reference of the new
champion. All of it explains data and is no part of the training: whatever fails here is a warning, and the
outcome stands.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ParameterError,
    ResourceError,
    SourceUnavailableError,
    StormsightError,
)
from components.contract.keys import CHAMPIONS, run_record_key
from components.lib.datasets.sensors import get_sensor, known_sensors
from components.lib.drift.comparison import BLOCK_M
from components.lib.drift.features import QUARANTINE, TABLE, chosen, measured_tiles
from components.lib.drift.records import compared_acquisitions, keep_comparison, refusal
from components.lib.drift.reference import (
    Champion,
    Reference,
    champion_at,
    keep_reference,
    read_reference,
)
from components.lib.drift.report import CompareOptions, compare_pixels, open_request
from components.lib.drift.tiles import MOST_BYTES, TileStatistics
from components.lib.objects.content import content_key, folder_files, read_content
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import read_sealed
from components.lib.operations.operations import Operations
from components.lib.operations.state import State
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, champion_of
from components.runs.environment import Environment
from components.runs.gate import Decision, product_of

LOG = logging.getLogger(__name__)

VALIDATED = "data/validated"
"""Output of the stage `verdict`, with the features of all tiles and the list of quarantined ones."""

MOST_ACQUISITIONS = 20
"""Acquisitions that one run compares at most: the newest of those without a comparison."""

LOOKED_AT = 50
"""Newest finished trainings among which the one that made a champion is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Acquisition:
    """Acquisition in a training's record."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """Part of a training's record that is read here.

    Attributes:
        acquisitions: Registered acquisitions that it was trained with.
        data: MD5 of the stages' outputs by path; a folder's ends in ``.dir``.
        decision: Decision of the gate; None for a pipeline without one.
    """

    acquisitions: tuple[_Acquisition, ...]
    data: dict[str, str | None]
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """Training that succeeded, and the champions around it.

    Attributes:
        record: Its record.
        model: Registered model that it was for.
        entries: Changes of that model's champion.
        before: Version that was champion before the training's decision; None without one.
        after: Version that the decision made champion; None if it promoted none.
    """

    record: _Record
    model: str
    entries: Sequence[ChampionEntry]
    before: str | None
    after: str | None


def watch_drift(environment: Environment, run: str, key: str) -> None:
    """Compare the new acquisitions of a training that succeeded, and keep the reference of its champion.

    Args:
        environment: Settings of the command.
        run: Run that ended, for messages.
        key: Key of the training.
    """
    with _told(run, "drift was not looked for"):
        training = _read(environment.objects, key)
        if training is None:
            LOG.info("run %s: the pipeline has no gate, so no champion to compare acquisitions with", run)
            return
        # One may fail without the other.
        with _told(run, "new acquisitions were not compared with the champion before it"):
            _compare_new(environment, run, training)
        with _told(run, "the reference of its champion was not kept"):
            _keep(environment, training)


@contextmanager
def _told(run: str, missing: str, *, but: type[StormsightError] | tuple[()] = ()) -> Iterator[None]:
    """Turn any failure into a warning: the outcome of a training does not hang on it.

    Args:
        run: Run that ended.
        missing: What is missing for the failure, in words.
        but: Failure that is passed on: what comes next would meet it, too.
    """
    try:
        yield
    except but:
        raise
    except StormsightError as error:
        LOG.warning("run %s ended, but %s: %s; %s", run, missing, error.message, error.next_step)
    except Exception:  # a defect here must not cost a training its end
        LOG.warning("run %s ended, but %s: a defect", run, missing, exc_info=True)


def _read(objects: ObjectStore, key: str) -> _Training | None:
    """Return a training with its champions; None for a pipeline without a gate."""
    record = read_sealed(objects, run_record_key(key), _Record)
    if record.decision is None:
        return None
    model = product_of(record.decision)
    entries = ChampionLedgers(objects, CHAMPIONS).of(model).entries()
    decision = record.decision.models[model].decision_sha256
    made = (entry for entry in entries if entry.action == "promote" and entry.change.decision == decision)
    own = next(made, None)
    before, after = (champion_of(entries), None) if own is None else (own.previous_version, own.version)
    return _Training(record=record, model=model, entries=entries, before=before, after=after)


def _keep(environment: Environment, training: _Training) -> None:
    """Keep the reference of the champion that a training made, if it made one."""
    if training.after is None:
        return
    champion = champion_at(training.model, training.after, training.entries)
    note = keep_reference(environment.objects, champion, _tiles(environment, training.record))
    LOG.info("%s version %s: reference of %d tiles is kept", champion.model, champion.version, note.tiles)


def _compare_new(environment: Environment, run: str, training: _Training) -> None:
    """Compare each acquisition that neither the reference nor a record holds yet, oldest first.

    One that was withdrawn meanwhile is left out: no training that it could ask for would take it.
    """
    objects, model = environment.objects, training.model
    if training.before is None:
        LOG.info("run %s: no champion of %s stood before it, so no acquisition is compared", run, model)
        return
    state = Operations(objects).state()
    champion = champion_at(model, training.before, training.entries)
    reference = _reference(environment, champion, training.entries, state)
    known = set(reference.tiles.table["acquisition"])
    known |= compared_acquisitions(objects, model, champion.version)
    taken = {one.id for one in training.record.acquisitions} - state.withdrawn.keys()
    new = [name for name in state.registered if name in taken and name not in known][-MOST_ACQUISITIONS:]
    if not new:
        LOG.info("no acquisition is new to %s version %s", model, champion.version)
        return
    tiles = _tiles(environment, training.record, reference.tiles.block_m)
    for name in new:
        with _told(run, f"{name} was not compared", but=SourceUnavailableError):
            report = _report(objects, tiles, name, reference)
            keep_comparison(objects, model, champion.version, report)
            LOG.info("%s and %s version %s: %s", name, model, champion.version, _words(report))


def _report(objects: ObjectStore, tiles: TileStatistics, name: str, reference: Reference) -> dict[str, Any]:
    """Return the report of an acquisition that asked for a retraining if it differs, or why there is none."""
    try:
        drift = compare_pixels(chosen(tiles, [name]), name, reference, CompareOptions())
    except ParameterError as error:
        sensor = next(iter(tiles.table["sensor"][tiles.table["acquisition"] == name]), "")
        named = {"model": reference.model, "version": reference.version, "sha256": reference.sha256}
        simulated = sensor in known_sensors() and get_sensor(sensor).simulated
        return refusal(name, sensor, error.message, simulated=simulated, reference=named)
    return drift.report(open_request(objects, drift))


def _words(report: dict[str, Any]) -> str:
    if report.get("refused"):
        return f"not compared, {report['refused']}"
    if not report["drifted"]:
        return f"no drift, p = {report['p_value']:.4g}"
    asked = report["request"]
    return (
        f"drift, p = {report['p_value']:.4g}, shifted {', '.join(report['shifted'])}; a retraining is asked "
        f"for in entry {asked['seq']} of ledger/requests"
    )


def _reference(
    environment: Environment, champion: Champion, entries: Sequence[ChampionEntry], state: State
) -> Reference:
    """Return the reference of a champion; one that a person approved gets it from its training now.

    Raises:
        MissingInputError: If it has none, and the training that made it is not known any more.
    """
    try:
        return read_reference(environment.objects, champion)
    except MissingInputError:
        record = _training_of(environment.objects, champion, entries, state)
        if record is None:
            raise
    keep_reference(environment.objects, champion, _tiles(environment, record))
    return read_reference(environment.objects, champion)


def _training_of(
    objects: ObjectStore, champion: Champion, entries: Sequence[ChampionEntry], state: State
) -> _Record | None:
    """Return the record of the training whose decision promoted a version; None if none of the newest did."""
    promotions = [e for e in entries if e.action == "promote" and e.version == champion.version]
    decision = promotions[-1].change.decision if promotions else ""
    ended = [claim for claim in state.claims.values() if claim.succeeded]
    for claim in sorted(ended, key=lambda claim: claim.ended or claim.alive, reverse=True)[:LOOKED_AT]:
        try:
            record = read_sealed(objects, run_record_key(claim.claimed.key), _Record)
        except (MissingInputError, BadDataError):  # pruned, or told by who reads that training
            continue
        judged = None if record.decision is None else record.decision.models.get(champion.model)
        if judged is not None and judged.decision_sha256 == decision:
            return record
    return None


def _tiles(environment: Environment, record: _Record, block_m: float = BLOCK_M) -> TileStatistics:
    """Return the statistics of a training's tiles, out of DVC's remote.

    Raises:
        MissingInputError: If the training left no table of features, or it is pruned.
        BadDataError: If it is damaged, or measured by code that did not know the statistics.
        ResourceError: If it is too large to be read here.
    """
    md5, remote = record.data.get(VALIDATED), open_objects(environment.remote)
    files = {} if md5 is None else folder_files(remote, md5)
    if TABLE not in files:
        raise MissingInputError(
            f"the training has no output {VALIDATED}/{TABLE}",
            next_step="compare by hand in a checkout: `python -m components.drift compare`",
        )
    size = sum(info.size for info in remote.list(content_key(files[TABLE])))
    if size > MOST_BYTES:
        raise ResourceError(
            f"{VALIDATED}/{TABLE} has {size >> 20} MiB, more than {MOST_BYTES >> 20}",
            next_step="compare by hand in a checkout: `python -m components.drift compare`",
        )
    quarantine = read_content(remote, files[QUARANTINE]) if QUARANTINE in files else None
    features = read_content(remote, files[TABLE])
    return measured_tiles(features, quarantine, block_m, name=f"{VALIDATED}/{TABLE}")
