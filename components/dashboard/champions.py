"""Champions: version, decision, score, since when and by whom; and what waits for a person's approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.contract.keys import approval_chain, champion_chain
from components.dashboard.notices import STORE, Notices
from components.lib.history.facts import ModelFacts, RunFacts
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, decision_of
from components.lib.registry.served import MODELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """Present champion of a registered model, and all its promotions.

    Attributes:
        model: Registered model.
        version: Version; None if there is none any more.
        since: Time of its change, UTC, ISO 8601.
        restored: Whether a rollback brought it back.
        actor: Person, or run and account, that made the change; empty in entries of former code.
        reason: Reason in words.
        decision_sha256: Decision that promoted it; empty without a version.
        judged: The gate's judgement; None where no run that is known has that decision.
        run: Run of that judgement; empty as above.
        decisions: Decisions by version, of all promotions.
    """

    model: str
    version: str | None
    since: str
    restored: bool
    actor: str
    reason: str
    decision_sha256: str
    judged: ModelFacts | None
    run: str
    decisions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """Challenger that waits for a person.

    Attributes:
        model: Registered model.
        version: Version that would become champion.
        since: Time of the request, UTC, ISO 8601.
        reason: Reason in words.
    """

    model: str
    version: str
    since: str
    reason: str


def find_champions(ledgers: ChampionLedgers, runs: Sequence[RunFacts], notices: Notices) -> list[Champion]:
    """Return the champions that ledgers name, in the order of the registered models."""
    judged = {
        model.decision_sha256: (model, run.run)
        for run in reversed(runs)
        for model in run.models.values()
        if model.decision_sha256
    }
    found: list[Champion] = []
    for model in MODELS:
        entries = notices.attempt(champion_chain(model), ledgers.of(model).entries, store=STORE)
        if entries:
            found.append(_champion(model, entries, judged))
    return found


def find_requests(ledgers: ChampionLedgers, notices: Notices) -> list[Request]:
    """Return the requests for an approval without a verdict."""
    found: list[Request] = []
    for model in MODELS:
        waiting = notices.attempt(approval_chain(model), ledgers.approvals(model).waiting, store=STORE)
        if waiting is not None:
            entry, request = waiting
            found.append(Request(model, request.version, entry.time, request.reason))
    return found


def _champion(
    model: str, entries: Sequence[ChampionEntry], judged: Mapping[str, tuple[ModelFacts, str]]
) -> Champion:
    last = entries[-1]
    decisions = {
        entry.version: entry.change.decision
        for entry in entries
        if entry.action == "promote" and entry.version is not None
    }
    sha256 = decision_of(entries)
    facts, run = judged.get(sha256, (None, ""))
    return Champion(
        model=model,
        version=last.version,
        since=last.time,
        restored=last.action == "rollback",
        actor=last.change.actor or "",
        reason=last.change.reason,
        decision_sha256=sha256,
        judged=facts,
        run=run,
        decisions=decisions,
    )
