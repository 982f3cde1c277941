"""Claims at work, and the standing of the set that would be trained next."""

from __future__ import annotations

from datetime import datetime

from components.exporter.sources import Sources
from components.lib.monitoring.readings import Readings
from components.lib.operations.events import Failed
from components.lib.operations.standing import Position, standing_of
from components.lib.operations.state import Claim, State

POSITIONS = {
    Position.EMPTY: "empty",
    Position.NEW: "new",
    Position.AT_WORK: "at_work",
    Position.TRAINED: "trained",
    Position.BARRED: "barred",
    Position.REDRIVE: "redrive",
    Position.SPENT: "spent",
}
"""Label of each position."""


def collect_claims(sources: Sources, readings: Readings) -> None:
    """Count the trainings at work, those silent or taken over, and tell the oldest last sign of life."""
    now, lease = sources.clock(), sources.claims.lease
    at_work = _at_work(sources)
    readings.set("stormsight_claims_open", len(at_work))
    readings.set("stormsight_claims_silent", sum(now - claim.alive > lease for claim in at_work))
    taken_over = sum(any(earlier.silent for earlier in claim.earlier[-1:]) for claim in at_work)
    readings.set("stormsight_claims_taken_over", taken_over)
    if at_work:
        oldest = min(claim.alive for claim in at_work)
        readings.set("stormsight_claim_alive_timestamp_seconds", oldest.timestamp())


def collect_standing(sources: Sources, readings: Readings) -> None:
    """Tell the position of the set that would be trained next, and count the sets that are barred.

    Raises:
        ParameterError: If dvc.yaml or params.yaml cannot be read: they say what would be trained.
    """
    found = standing_of(
        sources.state,
        sources.identity.code,
        sources.identity.params,
        now=sources.clock(),
        lease=sources.claims.lease,
        redrives=sources.claims.redrives,
        with_signs=sources.operations.with_signs,
    )
    for position, label in POSITIONS.items():
        readings.set("stormsight_set_position", float(found.position is position), position=label)
    readings.set("stormsight_sets_barred", len(_barred(sources)))


def _at_work(sources: Sources) -> list[Claim]:
    """Return the claims without an outcome, with the last signs of life of their runs."""
    state = sources.state
    keys = [key for key, claim in state.claims.items() if claim.outcome is None]
    signed: State = sources.operations.with_signs(state, keys)
    return [signed.claims[key] for key in keys]


def _barred(sources: Sources) -> list[Claim]:
    """Return the final failures under the present code and parameters since a set was trained under them."""
    own = [
        claim
        for claim in sources.state.claims.values()
        if (claim.claimed.code, claim.claimed.params) == (sources.identity.code, sources.identity.params)
    ]
    trained = max((_end(claim) for claim in own if claim.succeeded), default=None)
    return [
        claim
        for claim in own
        if isinstance(claim.outcome, Failed)
        and claim.outcome.final
        and (trained is None or _end(claim) > trained)
    ]


def _end(claim: Claim) -> datetime:
    return claim.ended or claim.alive
