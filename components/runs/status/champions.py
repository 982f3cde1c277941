"""Champions: version, method, score, since when, by whom and why, and whether MLflow agrees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from components.contract.errors import StormsightError
from components.contract.keys import (
    APPROVALS,
    WORK,
    approval_chain,
    champion_chain,
    run_record_key,
)
from components.lib.history.decided import models_of
from components.lib.history.facts import ModelFacts
from components.lib.objects.sealed import unseal
from components.lib.registry.agreement import ChampionReader
from components.lib.registry.ledger import ChampionEntry, champion_of, decision_of
from components.lib.registry.served import MODELS, OPTIONAL_MODELS, ROAD_MODELS
from components.lib.tracking.connection import connect
from components.lib.tracking.database import is_unmade
from components.runs.checking import tracking_of
from components.runs.status.findings import Finding, attempt
from components.runs.status.sources import Sources

HISTORY = "python -m components.promote history"
TRAININGS = 200
"""Newest finished trainings in whose records a champion's decision is looked for."""


def find_champions(sources: Sources) -> list[Finding]:
    """Return what ledgers, records and MLflow say of each registered model's champion."""
    found: list[Finding] = []
    for model in MODELS:
        source = champion_chain(model)
        found += attempt(source, partial(_recorded, sources, model))
    return [*found, *attempt(f"MLflow at {sources.environment.tracking}", lambda: _served(sources))]


def find_approvals(sources: Sources) -> list[Finding]:
    """Return the challengers that wait for a person."""
    found: list[Finding] = []
    for model in MODELS:
        found += attempt(approval_chain(model), partial(_waiting, sources, model))
    return found or [Finding("nothing waits for approval", APPROVALS)]


def _waiting(sources: Sources, model: str) -> list[Finding]:
    waiting = sources.ledgers.approvals(model).waiting()
    if waiting is None:
        return []
    entry, request = waiting
    return [
        Finding(
            f"{model}: version {request.version} waits for approval since {entry.time}: {request.reason}",
            approval_chain(model),
            f"python -m components.promote approve --model {model} --reason ... (or reject)",
        )
    ]


def _recorded(sources: Sources, model: str) -> list[Finding]:
    source = champion_chain(model)
    entries = sources.ledgers.of(model).entries()
    last = entries[-1] if entries else None
    if last is None:
        return [] if model in ROAD_MODELS else [Finding(f"{model}: no champion yet", source)]
    if last.version is None:
        return [Finding(f"{model}: no champion any more since {last.time}", source, HISTORY)]
    verb = "promoted" if last.action == "promote" else "restored by a rollback"
    words = (
        f"{model}: version {last.version} since {last.time}, {verb} by "
        f"{last.change.actor or 'an actor not recorded'}: {last.change.reason}"
    )
    return [
        Finding(words, source, HISTORY),
        *attempt(WORK, lambda: [_judged(sources, model, entries)]),
    ]


def _judged(sources: Sources, model: str, entries: Sequence[ChampionEntry]) -> Finding:
    """Return method and score of the champion, from the record of the training that promoted it."""
    version, digest = champion_of(entries), decision_of(entries)
    finished = (claim for claim in sources.newest if claim.succeeded)
    for claim in islice(finished, TRAININGS):
        key = run_record_key(claim.claimed.key)
        try:
            record = unseal(sources.objects.get(key), name=key).get("decision")
            judged = models_of(record, name=f"the decision in {key}").get(model)
        except StormsightError:  # pruned, or damaged: another training may have it; verify tells
            continue
        if judged is not None and judged.decision_sha256 == digest:
            words = f"{model}: version {version}: {_score(judged)}; run {claim.run}"
            return Finding(words, key, report_command(claim.run))
    # It was made by `make repro`, whose decision is in reports/promote, or its training was pruned.
    return Finding(
        f"{model}: version {version}: no kept training has the decision {digest[:12]} that made it champion",
        WORK,
        f"look at version {version} of {model} in MLflow: its tags have method and score",
    )


def report_command(run: str) -> str:
    """Return the command that fetches the pages of a run."""
    return f"python -m components.runs report {run}"


def _score(judged: ModelFacts) -> str:
    simulated = " (simulated)" if judged.simulated else ""
    if judged.score is None:
        return f"method {judged.method}, without a score{simulated}"
    known = judged.low is not None and judged.high is not None
    interval = f" ({judged.low:.3f} to {judged.high:.3f})" if known else ""
    return f"method {judged.method}, {judged.metric} {judged.score:.3f}{interval}{simulated}"


def _served(sources: Sources) -> list[Finding]:
    """Return whether the aliases in MLflow are those of the ledgers; files are not read."""
    tracking = tracking_of(sources.environment)
    if is_unmade(tracking.effective_uri):  # a look must not make it
        return [Finding("there is no store yet", tracking.effective_uri)]
    connection = connect(tracking)
    found: list[Finding] = []
    for model in MODELS:
        reader = ChampionReader(connection, sources.ledgers, model)
        if model in OPTIONAL_MODELS and _is_unknown(reader):
            continue  # its branch or task is off; find_champions says already that it has no champion
        found += attempt(f"MLflow at {connection.uri}", partial(_agreement, reader))
    return found


def _is_unknown(reader: ChampionReader) -> bool:
    """Return whether neither the ledger nor MLflow has ever had a champion of a model."""
    return not reader.ledger.entries() and reader.current() is None


def _agreement(reader: ChampionReader) -> list[Finding]:
    entries = reader.require_agreement()
    known = bool(entries) and entries[-1].version is not None
    agreed = "MLflow's alias is the ledger's champion" if known else "MLflow has no champion either"
    return [Finding(f"{reader.model}: {agreed}", f"MLflow at {reader.connection.uri}")]
