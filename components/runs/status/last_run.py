"""Last runs: outcome, cost, quarantined tiles, pages."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from components.contract.errors import StormsightError
from components.contract.keys import OPERATIONS, WORK, failures_prefix, stage_records_prefix
from components.lib.history.cost import HOUR
from components.lib.history.facts import StageFacts
from components.lib.history.quarantine import LIST, Refusal, listed_md5s, stored_refusals
from components.lib.history.recorded import facts_of_stages
from components.lib.history.requirements import GraphRequirements
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.events import Failed, Succeeded
from components.lib.operations.records import FailureRecord
from components.lib.operations.state import Claim
from components.runs.gate import outcomes, sealed_decision
from components.runs.pages import outputs, page_outputs
from components.runs.plan import last_failures
from components.runs.status.champions import report_command
from components.runs.status.findings import LISTED, Finding, listed, run_of
from components.runs.status.sources import Sources

LOOKED_AT = 5
"""Newest runs among which one with a quarantine list, or with pages, is looked for."""

_JUDGE = "verdict"
"""Stage that writes it; where it fails, its message is all that is left of its list."""

_PARTS = 12
"""Parts of that message that are shown."""


def find_cost(sources: Sources) -> list[Finding]:
    """Return how the last run that ended did, and what its stages cost."""
    claim = next((claim for claim in sources.newest if claim.outcome is not None), None)
    if claim is None:
        return [Finding("no run has ended yet", OPERATIONS)]
    records = sources.stages(claim.claimed.key)
    requirements = GraphRequirements(sources.environment.source)
    stages = facts_of_stages(records.values(), requirements, claim.claimed.profile).values()
    own = [stage for stage in stages if stage.run == claim.run]
    place = stage_records_prefix(claim.claimed.key)
    total = _total(claim.run, own, found_before=len(stages) - len(own))
    return [
        Finding(_outcome(sources.objects, claim), OPERATIONS),
        Finding(total, place),
        *(Finding(t, place) for t in _rows(own)),
    ]


def find_quarantine(sources: Sources) -> list[Finding]:
    """Return the quarantined tiles of the newest run that has a list: counts by rule, and the first few."""
    remote = sources.remote
    for claim in sources.newest[:LOOKED_AT]:
        records = sources.stages(claim.claimed.key)
        lists = list(listed_md5s(remote, outputs(records.values())))
        if lists:
            return _quarantined(claim, stored_refusals(remote, lists), f"remote: {LIST}")
        if refused := [
            one for one in last_failures(sources.objects, claim.claimed.key) if one.stage == _JUDGE
        ]:
            return _refused(claim, refused[-1])
    return [Finding("no run has listed quarantined tiles yet", WORK)]


def find_pages(sources: Sources) -> list[Finding]:
    """Return the pages of the newest run that has some, and the command that fetches them."""
    for claim in sources.newest[:LOOKED_AT]:
        records = sources.stages(claim.claimed.key)
        found = page_outputs(sources.remote, outputs(records.values()))
        pages = sorted(path for path in found if PurePosixPath(path).suffix == ".html")
        if pages:
            index = [path for path in pages if PurePosixPath(path).name == "index.html"] or pages
            maps = [path for path in pages if "map" in PurePosixPath(path).stem.lower()]
            source, fetch = "remote: pages", report_command(claim.run)
            return [
                Finding(f"pages of run {claim.run}: {listed(index)}", source, fetch),
                Finding(f"its map: {listed(maps, none='this run made no page of that name')}", source, fetch),
            ]
    return [Finding("no run has made pages yet", WORK)]


def _outcome(objects: ObjectStore, claim: Claim) -> str:
    match claim.outcome:
        case Succeeded(promoted=promoted):
            words = "promoted" if promoted else "not promoted"
            return f"{run_of(claim)} succeeded: {words}{_by_model(objects, claim)}"
        case Failed() as failed:
            return f"{run_of(claim)} failed in {failed.stage}: {failed.failure_class}: {failed.message}"
    return f"run {claim.run} is at work"


def _by_model(objects: ObjectStore, claim: Claim) -> str:
    """Return the outcome of each model in parentheses; nothing where the record is gone or damaged."""
    try:
        models = outcomes(sealed_decision(objects, claim.claimed.key)[1])
    except StormsightError:  # the ledger's word stands without it
        return ""
    return f" ({', '.join(f'{model} {found}' for model, found in models.items())})" if models else ""


def _total(run: str, stages: list[StageFacts], *, found_before: int) -> str:
    unknown = [stage.stage for stage in stages if stage.gpus is None]
    words = (
        f"run {run}: {_time(_hours(stages))} of stages, {_gpu_hours(stages):.2f} GPU hours by what dvc.yaml "
        f"asks for; {found_before} stages were found from earlier runs, failed attempts are not counted"
    )
    return words + (f"; GPUs unknown of {listed(unknown)}: not in this code's graph" if unknown else "")


def _hours(stages: list[StageFacts]) -> float:
    return sum(stage.duration or 0.0 for stage in stages) / HOUR


def _gpu_hours(stages: list[StageFacts]) -> float:
    return sum((stage.duration or 0.0) * (stage.gpus or 0) for stage in stages) / HOUR


def _rows(stages: list[StageFacts]) -> list[str]:
    """Return a line per stage, the longest first; the parts of a stage that has many are one line."""
    parts: dict[str, list[StageFacts]] = {}
    for stage in stages:
        parts.setdefault(stage.name, []).append(stage)
    lines = []
    for name, found in sorted(parts.items(), key=lambda item: -_hours(item[1])):
        title = found[0].stage if len(found) == 1 else f"{name} ({len(found)} parts)"
        images = listed(sorted({stage.image for stage in found}))
        lines.append(f"{title}: {_time(_hours(found))}, {_gpu_hours(found):.2f} GPU hours, image {images}")
    return lines


def _time(hours: float) -> str:
    return f"{hours:.2f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _refused(claim: Claim, failure: FailureRecord) -> list[Finding]:
    """Return what a failed verdict said, a part per line."""
    place = failures_prefix(claim.claimed.key, failure.stage)
    first = Finding(f"run {claim.run} has no list: {failure.stage} failed", place, failure.next_step)
    return [first, *(Finding(part, place) for part in failure.message.split("; ")[:_PARTS])]


def _quarantined(claim: Claim, rows: list[Refusal], source: str) -> list[Finding]:
    tiles = {(row.acquisition, row.image_id) for row in rows}
    rules = Counter(rule for rule, _, _ in {(r.rule, r.acquisition, r.image_id) for r in rows})
    counts = ", ".join(f"{rule} {count}" for rule, count in rules.most_common()) or "none"
    words = f"run {claim.run}: {len(tiles)} quarantined tiles; by rule: {counts}"
    first = [Finding(f"{row.acquisition}: {row.reason}", source) for row in rows[:LISTED]]
    return [Finding(words, source, report_command(claim.run) if rows else ""), *first]
