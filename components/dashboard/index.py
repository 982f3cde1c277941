"""Index of a snapshot: what its pages show, by the names of their addresses."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeVar

from components.contract.errors import StormsightError
from components.dashboard.champions import Champion
from components.dashboard.charts import (
    Chart,
    ScorePoint,
    cost_chart,
    drift_chart,
    rule_chart,
    score_chart,
    timeline_chart,
)
from components.dashboard.maps import KnownMap
from components.dashboard.quality import TileFile, counts_by_rule, tile_key
from components.dashboard.snapshot import Snapshot
from components.dashboard.words import slug
from components.lib.history.facts import ModelFacts, RunFacts

T = TypeVar("T")

SHOWN_TILES = 24
"""Quarantined tiles with a picture, shared out among the rules."""

SCORED = 60
"""Latest trainings of a model in its chart."""

TIMELINES = 100
"""Latest runs whose stages are drawn over time; those of older ones are a table alone."""

COMPARED = 8
"""Newest comparisons of acquisitions whose effects are drawn."""

COSTED = 50
"""Latest runs whose seconds are added up."""


@dataclass(frozen=True, slots=True)
class Version:
    """Version of a registered model that was promoted once.

    Attributes:
        champion: History of its model.
        version: The version.
        decision_sha256: Decision that promoted it.
        judged: The gate's judgement; None where no run that is known has the decision.
        run: Run of that judgement; None as above.
    """

    champion: Champion
    version: str
    decision_sha256: str
    judged: ModelFacts | None
    run: RunFacts | None

    @property
    def serves(self) -> bool:
        """Return whether it is the present champion."""
        return self.version == self.champion.version


class Index:
    """Names of a snapshot's runs, models, maps, charts and tiles.

    Args:
        snapshot: The facts.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._changes: dict[str, Mapping[str, object] | None] = {}
        self.runs: dict[str, RunFacts] = _named((slug(run.run), run) for run in snapshot.runs)
        self.maps: dict[str, KnownMap] = _named((slug(one.entry.id), one) for one in snapshot.maps)
        self._run_names = {id(run): name for name, run in self.runs.items()}

    @cached_property
    def models(self) -> dict[str, Version]:
        """Promoted versions of all models, by name."""
        judged = {
            (model.model, model.decision_sha256): (model, run)
            for run in reversed(self._snapshot.runs)
            for model in run.models.values()
        }
        found: list[tuple[str, Version]] = []
        for champion in self._snapshot.champions:
            for version, sha256 in champion.decisions.items():
                facts, run = judged.get((champion.model, sha256), (None, None))
                found.append((slug(champion.model, version), Version(champion, version, sha256, facts, run)))
        return _named(found)

    @cached_property
    def tiles(self) -> dict[str, TileFile]:
        """Raster files of the tiles that are shown, by number."""
        return {number: file for number, file in self._shown.values() if file is not None}

    @cached_property
    def _shown(self) -> dict[tuple[str, str], tuple[str, TileFile | None]]:
        """Number and file of the shown tiles by acquisition and tile: the first of each rule in turn."""
        by_rule: dict[str, list[tuple[str, str]]] = {}
        for refusal in self._snapshot.refusals:
            by_rule.setdefault(refusal.rule, []).append(tile_key(refusal))
        turns = (
            tiles[turn]
            for turn in range(max(map(len, by_rule.values()), default=0))
            for tiles in by_rule.values()
            if turn < len(tiles)
        )
        with_file = list(dict.fromkeys(tile for tile in turns if tile in self._snapshot.tiles))
        return {
            tile: (str(number), self._snapshot.tiles[tile])
            for number, tile in enumerate(with_file[:SHOWN_TILES])
        }

    @cached_property
    def charts(self) -> dict[str, Chart]:
        """Charts by name."""
        snapshot = self._snapshot
        found: dict[str, Chart | None] = {
            "cost": cost_chart(snapshot.runs[:COSTED]),
            "rules": rule_chart(counts_by_rule(snapshot.refusals)),
        }
        for model, points in self.scores.items():
            metric = next(run.models[model].metric for run in snapshot.runs if model in run.models)
            found[f"score-{slug(model)}"] = score_chart(model, metric, points[-SCORED:])
        for number, known in enumerate(snapshot.comparisons[:COMPARED]):
            found[f"drift-{number}"] = drift_chart(known.record)
        for name, run in islice(self.runs.items(), TIMELINES):
            found[f"run-{name}"] = timeline_chart(run.run, list(run.stages.values()))
        return {name: chart for name, chart in found.items() if chart is not None}

    @cached_property
    def scores(self) -> dict[str, list[ScorePoint]]:
        """Scores of each model, oldest first."""
        champions = {c.decision_sha256 for c in self._snapshot.champions if c.version is not None}
        found: dict[str, list[ScorePoint]] = {}
        for run in sorted(self._snapshot.runs, key=when_of):
            for model in run.models.values():
                if model.score is not None:
                    found.setdefault(model.model, []).append(
                        ScorePoint(
                            run=run.run,
                            time=when_of(run),
                            outcome="champion" if model.decision_sha256 in champions else model.outcome,
                            score=model.score,
                            low=model.low,
                            high=model.high,
                            simulated=model.simulated,
                        )
                    )
        return dict(sorted(found.items()))

    def run_name(self, run: RunFacts) -> str:
        """Return the name of a run's page."""
        return self._run_names[id(run)]

    def name_of_run(self, run: str) -> str | None:
        """Return the name of the page of the run of that id; None if it has none."""
        return next((name for name, one in self.runs.items() if one.run == run), None)

    def model_name(self, model: str, version: str) -> str | None:
        """Return the name of a version's page; None if it was never promoted."""
        found = (n for n, v in self.models.items() if (v.champion.model, v.version) == (model, version))
        return next(found, None)

    def tile_number(self, acquisition: str, image_id: str) -> str | None:
        """Return the number of a tile's picture; None if it has none."""
        shown = self._shown.get((acquisition, image_id))
        return None if shown is None else shown[0]

    def changes(self, name: str) -> Mapping[str, object] | None:
        """Return the item of a map's changes; None where there is none or it cannot be read."""
        if name not in self._changes:
            try:
                self._changes[name] = self.maps[name].changes()
            except StormsightError:
                self._changes[name] = None
        return self._changes[name]

    def has_changes(self, name: str) -> bool:
        """Return whether a map was compared with an earlier one."""
        return self.changes(name) is not None


def when_of(run: RunFacts) -> str:
    """Return the end of a run, or its start, ISO 8601; empty if nothing kept either."""
    time = run.ended or run.started
    return "" if time is None else time.isoformat(timespec="seconds")


def _named(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return items by name; one whose name is taken, in whatever case, gets a number behind it."""
    found: dict[str, T] = {}
    taken: set[Hashable] = set()
    for name, item in pairs:
        own, number = name, 2
        while own.lower() in taken:
            own, number = f"{name}.{number}", number + 1
        taken.add(own.lower())
        found[own] = item
    return found
