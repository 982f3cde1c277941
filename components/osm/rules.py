"""Declared extract and rules of a task, from the parameters."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from components.contract.errors import ParameterError
from components.lib.osm.extract import Extract
from components.lib.osm.tags import BuildingRules, RoadRules, Rules
from components.lib.osm.terms import Task
from components.osm.parameters import OsmParameters


def declared_extract(parameters: OsmParameters) -> Extract:
    """Return the pinned extract.

    Raises:
        ParameterError: If its declaration lacks something.
    """
    try:
        parameters.require_extract()
    except ValueError as error:
        raise ParameterError(f"osm: {error}", next_step="complete osm.extract in params.yaml") from error
    extract = parameters.extract
    return Extract(
        path=Path(str(extract.path)),
        sha256=str(extract.sha256),
        source=str(extract.source),
        date=dt.date.fromisoformat(str(extract.date)),
        coverage=extract.coverage,
        layers=tuple(extract.layers),
    )


def rules_of(task: Task, parameters: OsmParameters) -> Rules:
    """Return the rules of a task."""
    if task == "buildings":
        return BuildingRules(frozenset(parameters.buildings.dropped))
    roads = parameters.roads
    return RoadRules(
        widths_m=roads.widths_m,
        dropped=frozenset(roads.dropped),
        uncertain=frozenset(roads.uncertain),
        uncertain_m=roads.uncertain_m,
        lane_m=roads.lane_m,
    )


def least_area_m2(task: Task, parameters: OsmParameters) -> float:
    """Return the area below which a surface is left out, square metres; areas of roads have no limit."""
    return parameters.buildings.min_area_m2 if task == "buildings" else 0.0
