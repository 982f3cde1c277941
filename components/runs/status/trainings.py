"""Trainings and landings: what is pending, at work, stuck or barred, the last failures, rejections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from components.contract.errors import StormsightError
from components.contract.keys import OPERATIONS, REJECTED, alive_key, failures_prefix
from components.lib.objects.sealed import read_sealed
from components.lib.operations.standing import Standing
from components.lib.operations.state import Claim
from components.runs.parameters import load_runs_parameters
from components.runs.plan import last_failures, standing
from components.runs.status.findings import LISTED, Finding, attempt, listed, run_of, unread
from components.runs.status.sources import Sources

LIST = "python -m components.acquisitions list"

LOOKED_AT = 50
"""Newest rejections that are read."""


def find_next(sources: Sources) -> list[Finding]:
    """Return what is to be trained next, who is at it, why it is barred or spent, and the last failures."""
    source = OPERATIONS
    return [
        *attempt(source, lambda: _standing(sources, source)),
        *attempt(source, lambda: _pending(sources, source)),
        *attempt(source, lambda: _at_work(sources, source)),
    ]


def find_deliveries(sources: Sources) -> list[Finding]:
    """Return what lies in the landing place, and the newest rejections that no registration followed."""
    return [
        *attempt("landing place", lambda: _landed(sources)),
        *attempt(REJECTED, lambda: _rejections(sources)),
    ]


def _landed(sources: Sources) -> list[Finding]:
    landing, registered = sources.landing, sources.state.registered
    waiting = [name for name in landing.folders() if name not in registered]
    words = f"not registered in the landing place: {len(waiting)} ({listed(waiting)})"
    return [Finding(words, landing.uri, LIST if waiting else "")]


def _rejections(sources: Sources) -> list[Finding]:
    objects, source = sources.objects, REJECTED
    registered = sources.state.registered
    newest = sorted(objects.list(REJECTED), key=attrgetter("modified"), reverse=True)
    found: dict[str, Finding] = {}
    for info in newest[:LOOKED_AT]:
        place = info.key
        try:
            record = read_sealed(objects, info.key, _Rejection)
        except StormsightError as error:
            found[info.key] = unread(place, error)
            continue
        if record.id not in registered:
            named = record.message.startswith("acquisition ")
            words = record.message if named else f"{record.id}: {record.message}"
            found.setdefault(record.id, Finding(words, place, record.next_step))
    if not found:
        return [Finding("no delivery is rejected", source)]
    more = len(found) - LISTED
    rest = Finding(f"and {more} more rejected deliveries", source, LIST)
    return [*list(found.values())[:LISTED], *([rest] if more > 0 else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rejection:
    """Part of a rejection's record that is read here."""

    id: str
    message: str
    next_step: str


def _standing(sources: Sources, source: str) -> list[Finding]:
    found = standing(sources.environment, sources.state)
    words = f"set {found.key[:12]}: {found.position}: {found.reason}"
    return [
        Finding(words, source, found.next_step),
        *attempt(failures_prefix(found.key), lambda: _failures(sources, found)),
    ]


def _pending(sources: Sources, source: str) -> list[Finding]:
    state = sources.state
    trained = state.trained
    new = [name for name in state.pending if name not in trained]
    words = (
        f"registered acquisitions: {len(state.pending)}; in no finished training: {len(new)} ({listed(new)})"
    )
    return [Finding(words, source, LIST if new else "")]


def _at_work(sources: Sources, source: str) -> list[Finding]:
    """Return the runs that hold a claim without an outcome, the newest sign of life first."""
    lease = load_runs_parameters(sources.environment.source / "params.yaml").lease
    now = datetime.now(UTC)
    open_claims = [claim for claim in sources.newest if claim.outcome is None]
    found = []
    for claim in open_claims[:LISTED]:
        silent = now - claim.alive > lease
        found.append(
            Finding(
                f"{run_of(claim)} holds the claim of set {claim.claimed.key[:12]}, last sign of life "
                f"{claim.alive:%F %R} UTC"
                + (": silent for longer than its lease, so stuck" if silent else ""),
                alive_key(claim.run),
                _unstick(claim) if silent else "",
            )
        )
    return found or [Finding("no run is at work", source)]


def _unstick(claim: Claim) -> str:
    return (
        f"another run may take it over; or python -m components.runs release --run {claim.run} --reason ..."
    )


def _failures(sources: Sources, found: Standing) -> list[Finding]:
    return [
        Finding(
            record.text(),
            failures_prefix(found.key, record.stage),
            record.next_step,
        )
        for record in last_failures(sources.objects, found.key)
    ]
