"""Cost of trainings, of promoted models and of a mapped square kilometre, as text and JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.contract.errors import ParameterError, StormsightError
from components.contract.keys import map_item_key
from components.lib.catalogue.mapped import MapFacts, read_map
from components.lib.catalogue.maps import Catalogue
from components.lib.config.loader import load_under
from components.lib.history.cost import (
    HOUR,
    Cost,
    CostParameters,
    Promotion,
    cost_of_run,
    per_square_kilometre,
    promotions,
)
from components.lib.history.facts import ModelFacts, RunFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import HistoryReader
from components.lib.objects.protocol import ObjectStore, map_many
from components.runs.environment import Environment
from components.runs.gate import PRODUCTS

Version = tuple[str, str]
"""Registered model and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """Costs of an installation.

    Attributes:
        prices: Price table and power model.
        runs: Newest ended runs with their costs, newest first.
        promoted: Promotions, newest first.
        since: Cost of the runs since the last promotion.
        mapped: Mapped square kilometres by model and version.
        problems: Records and maps that could not be read, in words.
    """

    prices: CostParameters
    runs: Sequence[tuple[RunFacts, Cost]]
    promoted: Sequence[Promotion]
    since: Cost
    mapped: Mapping[Version, float]
    problems: Sequence[str]


def read_cost(environment: Environment, last: int) -> CostReport:
    """Read the costs of all trainings whose records are kept.

    Args:
        environment: Settings of the command.
        last: Runs to list.

    Raises:
        ParameterError: If the section ``cost`` is malformed, or ``last`` is not above 0.
        BadDataError: If the ledger is broken.
        SourceUnavailableError: If the store does not answer.
    """
    if last < 1:
        raise ParameterError(f"--last is {last}", next_step="list one run or more")
    prices = load_under(environment.profile, "cost", CostParameters, environment.source / "params.yaml")
    reader = HistoryReader(environment.objects, GraphRequirements(environment.source))
    history = reader.read()
    ended = [run for run in history.runs if run.outcome != "at work" and run.kept]
    problems = [f"{one.source}: {one.message}" for one in history.problems]
    detailed: list[RunFacts] = []
    for facts in map_many(environment.objects, lambda run: _detailed(reader, run), ended):
        if isinstance(facts, str):
            problems.append(facts)
        else:
            detailed.append(facts)
    found, since = promotions(detailed, prices)
    mapped, unread = mapped_area(environment.objects)
    return CostReport(
        prices=prices,
        runs=[(run, cost_of_run(run, prices)) for run in detailed[:last]],
        promoted=found[::-1],
        since=since,
        mapped=mapped,
        problems=[*problems, *unread],
    )


def mapped_area(objects: ObjectStore) -> tuple[dict[Version, float], list[str]]:
    """Return the square kilometres that each model's version has mapped, and what could not be read."""
    area: dict[Version, float] = defaultdict(float)
    problems: list[str] = []
    entries = Catalogue(objects).maps()
    for entry, item in zip(
        entries, map_many(objects, lambda one: _item(objects, one.id), entries), strict=True
    ):
        if isinstance(item, str):
            problems.append(item)
        else:
            area[entry.model, entry.version] += item.area
    return dict(area), problems


def text_of(report: CostReport) -> str:
    """Return the report for people."""
    prices = report.prices
    lines = [
        f"prices in {prices.currency}: GPU {prices.gpu_hour:g}/h, core {prices.cpu_hour:g}/h, stored "
        f"{prices.stored_gb_month:g}/GB and month, moved {prices.moved_gb:g}/GB; energy by "
        f"{prices.gpu_w:g} W a GPU, {prices.cpu_w:g} W a core, times {prices.overhead:g}",
        "",
        _HEAD,
    ]
    lines += [
        f"{run.run[:38]:<38} {_row(cost, prices)}  {_note(run)}{_unpriced(cost)}" for run, cost in report.runs
    ]
    if not report.runs:
        lines.append("no training has ended yet, or none is kept")
    lines += ["", "promoted models, with all runs since the promotion before", _HEAD]
    for one in report.promoted:
        lines.append(
            f"{one.run.run[:38]:<38} {_row(one.cost, prices)}  {_promoted(one, report)}{_unpriced(one.cost)}"
        )
    lines.append(f"{'since the last promotion':<38} {_row(report.since, prices)}{_unpriced(report.since)}")
    lines += [f"could not be read: {problem}" for problem in report.problems]
    return "\n".join(lines)


def json_of(report: CostReport) -> str:
    """Return the report as JSON."""
    document = {
        "prices": report.prices.model_dump(),
        "runs": [
            {"run": run.run, "key": run.key, "simulated": run.simulated, **asdict(c)}
            for run, c in report.runs
        ],
        "promoted": [
            {"run": one.run.run, "runs": one.runs, **asdict(one.cost), **_served(one, report)}
            for one in report.promoted
        ],
        "since_last_promotion": asdict(report.since),
        "problems": list(report.problems),
    }
    return json.dumps(document, indent=2)


_HEAD = f"{'run':<38} {'GPU h':>8} {'core h':>8} {'GB kept':>8} {'GB moved':>8} {'money':>12} {'kWh':>8}"


def _row(cost: Cost, prices: CostParameters) -> str:
    return (
        f"{cost.gpu_seconds / HOUR:>8.2f} {cost.cpu_seconds / HOUR:>8.2f} {cost.stored_bytes / 1e9:>8.3f} "
        f"{cost.moved_bytes / 1e9:>8.3f} {cost.work:>8.2f} {prices.currency[:3]} {cost.kwh:>8.3f}"
    )


def _note(run: RunFacts) -> str:
    words = run.outcome if run.outcome != "succeeded" else "promoted" if run.promoted else "not promoted"
    attempts = sum(one.run == run.run for one in run.failures)
    failed = f", {attempts} failed attempts not priced" if attempts else ""
    return f"{words}{failed}{', simulated' if run.simulated else ''}"


def _unpriced(cost: Cost) -> str:
    """Return words on stages that the sums leave out, so that a cost of 0 is not taken for a free one."""
    return f", {cost.unpriced} stages without time or resources not priced" if cost.unpriced else ""


def _promoted(one: Promotion, report: CostReport) -> str:
    served = _served(one, report)
    score = "" if served["score"] is None else f", {served['metric']} {served['score']:.3f}"
    area = "" if served["per_km2"] is None else f", {served['per_km2']:.4f} per mapped km2"
    simulated = ", simulated" if one.run.simulated else ""
    return f"{served['model']} {served['version']} of {one.runs} runs{score}{area}{simulated}"


def _served(one: Promotion, report: CostReport) -> dict[str, Any]:
    """Return model, score and price per square kilometre of a promotion."""
    model = next((one.run.models[name] for name in PRODUCTS if name in one.run.models), None)
    version = "" if model is None else _version(model)
    km2 = 0.0 if model is None else report.mapped.get((model.model, version), 0.0)
    return {
        "model": "" if model is None else model.model,
        "version": version,
        "metric": "" if model is None else model.metric,
        "score": None if model is None else model.score,
        "mapped_km2": km2,
        "per_km2": per_square_kilometre(one.cost.work, km2),
    }


def _version(model: ModelFacts) -> str:
    return str(model.decision.get("version") or "")


def _detailed(reader: HistoryReader, run: RunFacts) -> RunFacts | str:
    try:
        return reader.detailed(run)
    except StormsightError as error:
        return f"run {run.run}: {error.message}"


def _item(objects: ObjectStore, map_id: str) -> MapFacts | str:
    try:
        return read_map(objects, map_item_key(map_id))
    except StormsightError as error:
        return f"map {map_id}: {error.message}"
