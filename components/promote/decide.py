"""The stage: register the challengers, judge them, move aliases, write the record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError, GateRefusedError
from components.contract.hashing import sha256_file
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import get_sensor
from components.lib.files import read_json, write_json, write_text
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.registry.artefact import by_version, fetched, register
from components.lib.registry.champion import ChampionLine
from components.lib.registry.ledger import Entry, open_ledgers
from components.lib.store.store import Store
from components.lib.tracking.connection import Connection, connect, store_errors
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import flatten
from components.promote.attempt import agreed, forget
from components.promote.candidates import CANDIDATES
from components.promote.exam import Exam, choose_device, examine
from components.promote.gate import judge
from components.promote.parameters import PromoteParameters
from components.promote.provenance import hashes
from components.promote.record import canonical, decision_record, record_hash, text_of
from components.promote.reproduce import Reproduction, reproduce

LOG = logging.getLogger(__name__)

Reproducer = Callable[[Path, Exam, str], Reproduction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Where the stage reads and writes, and by which rules.

    Attributes:
        parameters: The ``promote`` section.
        scoring: The ``scoring`` section.
        tracking: The ``tracking`` section.
        store: The prepared store.
        verdict: The data verdict.
        out: Folder of the record.
        reproducer: How the fresh process is asked.
    """

    parameters: PromoteParameters
    scoring: ScoringSettings
    tracking: TrackingParameters
    store: Path = Path("data/prepared")
    verdict: Path = Path("reports/validate/verdict.json")
    out: Path = Path("reports/promote")
    reproducer: Reproducer = reproduce


def decide(gate: Gate, models: tuple[str, ...] = tuple(CANDIDATES)) -> dict[str, Any]:
    """Judge every challenger against its champion, promote those that pass, and write the record.

    All judgements are made before the first alias moves. A champion that another process changed meanwhile
    turns that model's outcome into a refusal, recorded and then raised.

    Returns:
        What ``reports/promote/decision.json`` holds.

    Raises:
        MissingInputError: If the store, the verdict or a model is missing.
        BadDataError: If a model folder or the champion's artefact is not intact, or ledger and registry
            disagree.
        GateRefusedError: If a champion changed while its challenger was judged.
        SourceUnavailableError: If MLflow does not answer.
    """
    trial = _open(gate)
    decisions = agreed(lambda: {model: _judge_one(trial, model) for model in models})
    outcomes, refusal = {}, None
    for model in models:
        decision = decisions[model]
        outcomes[model], lost = _apply(trial, model, decision)
        refusal = refusal or lost
    document = {"simulated": trial.simulated, "models": outcomes}
    write_json(gate.out / "decision.json", document)
    text = text_of(document)
    write_text(gate.out / "decision.txt", text)
    for line in text.splitlines():
        LOG.info("%s", line)
    if refusal is not None:
        forget()
        raise refusal
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What all challengers of one run share."""

    gate: Gate
    connection: Connection
    store: Store
    verdict: Mapping[str, Any]
    hashes: Mapping[str, str]
    simulated: bool
    device: str

    def line(self, model: str) -> ChampionLine:
        return ChampionLine(self.connection, open_ledgers(self.gate.parameters.ledger), model)

    def examine(self, net: SegmentationNetwork) -> Exam:
        return examine(net, self.store, self.gate.scoring, self.device)


def _open(gate: Gate) -> _Trial:
    verdict = read_json(gate.verdict, made_by="validate")
    if not isinstance(verdict, dict):
        raise BadDataError(f"{gate.verdict} is not a verdict", next_step="run `dvc repro --force validate`")
    store = Store.open(gate.store)
    return _Trial(
        gate=gate,
        connection=connect(gate.tracking),
        store=store,
        verdict=verdict,
        hashes={**hashes(gate.store), "verdict": sha256_file(gate.verdict)},
        simulated=bool(verdict.get("simulated")) or any(get_sensor(s).simulated for s in store.sensors),
        device=choose_device(),
    )


def _judge_one(trial: _Trial, model: str) -> dict[str, Any]:
    candidate = CANDIDATES[model]
    # Loading checks the weights against the model's own signature before anything is registered.
    net = load_bundle(candidate.folder, trial.device)
    line = trial.line(model)
    line.recover()
    line.require_agreement()
    champion_version = line.current()
    version = register(
        trial.connection,
        model,
        candidate.folder,
        tags={
            "modality": net.config.modality,
            "sensors": ",".join(net.config.sensors),
            "simulated": str(trial.simulated).lower(),
            **{f"{name}_sha256": value for name, value in trial.hashes.items()},
        },
        params=flatten(net.config.model_dump(mode="json")),
        made_by=candidate.made_by,
    )
    LOG.info("%s: version %s is judged against version %s", model, version, champion_version or "none")
    challenger = trial.examine(net)
    judgement = judge(
        challenger,
        challenger if champion_version == version else _champion(trial, model, champion_version),
        verdict=trial.verdict,
        reproduction=_reproduce(trial, model, version, challenger),
        parameters=trial.gate.parameters,
        same_model=champion_version == version,
    )
    weights = sha256_file(candidate.folder / "weights.safetensors")
    return decision_record(
        judgement,
        model=model,
        version=version,
        champion_version=champion_version,
        hashes={**trial.hashes, "weights": weights, "scores": challenger.digest},
        parameters=trial.gate.parameters,
        simulated=trial.simulated,
    )


def _champion(trial: _Trial, model: str, version: str | None) -> Exam | None:
    if version is None:
        return None
    with fetched(trial.connection, by_version(trial.connection, model, version)) as folder:
        return trial.examine(load_bundle(folder, trial.device))


def _reproduce(trial: _Trial, model: str, version: str, exam: Exam) -> Reproduction:
    try:
        with fetched(trial.connection, by_version(trial.connection, model, version)) as folder:
            return trial.gate.reproducer(folder, exam, trial.device)
    except BadDataError as error:  # the store does not hold what was registered: a refusal
        return Reproduction(False, error.message)


def _apply(
    trial: _Trial, model: str, decision: dict[str, Any]
) -> tuple[dict[str, Any], GateRefusedError | None]:
    """Keep the decision with the version, and move the alias if it says so."""
    digest = record_hash(decision)
    outcome, reasons = decision["outcome"], decision["reasons"]
    _keep(trial.connection, model, decision, digest)
    entry: Entry | None = None
    lost: GateRefusedError | None = None
    if outcome == "promoted":
        try:
            entry = _promote(trial.line(model), decision, digest)
        except GateRefusedError as error:
            outcome, reasons, lost = "refused", [error.message], error
    with store_errors(trial.connection.uri):
        trial.connection.client.set_model_version_tag(model, decision["version"], "outcome", outcome)
    return {
        "outcome": outcome,
        "reasons": reasons,
        "decision": decision,
        "decision_sha256": digest,
        "ledger": None if entry is None else {"seq": entry.seq, "hash": entry.hash, "time": entry.time},
    }, lost


def _promote(line: ChampionLine, decision: Mapping[str, Any], digest: str) -> Entry:
    """Carry the decision out, unless an earlier or a concurrent attempt of the same training did."""
    if (done := _carried_out(line, decision, digest)) is not None:
        return done
    try:
        return line.promote(
            decision["version"],
            decided_against=decision["champion_version"],
            decision=digest,
            reason=decision["reasons"][0],
        )
    except GateRefusedError:
        if (done := _carried_out(line, decision, digest)) is not None:
            return done
        raise


def _carried_out(line: ChampionLine, decision: Mapping[str, Any], digest: str) -> Entry | None:
    if "training" not in decision:
        return None  # a user's own run: the same words may have led to a change that was rolled back since
    line.recover()
    return next((entry for entry in line.ledger.entries() if entry.change.decision == digest), None)


def _keep(connection: Connection, model: str, decision: dict[str, Any], digest: str) -> None:
    """The record beside the version in MLflow: what the ledger's hash can be checked against."""
    run_id = by_version(connection, model, decision["version"]).run_id
    with store_errors(connection.uri):
        if run_id is not None:
            connection.client.log_text(run_id, canonical(decision), f"decisions/{digest}.json")
            if decision["challenger"] is not None:
                value = decision["challenger"]["value"]
                connection.client.log_metric(run_id, f"clean_{decision['metric']}", value)
        connection.client.set_model_version_tag(model, decision["version"], "decision_sha256", digest)
