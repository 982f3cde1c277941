"""Pages as HTML, each from the facts that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.contract.errors import StormsightError
from components.dashboard.charts import ROWS, seconds_of
from components.dashboard.index import COSTED, Index, Version, when_of
from components.dashboard.maps import KnownMap, is_simulated, item_or_none, thumbnail_words
from components.dashboard.provenance import of_map, of_model, of_run
from components.dashboard.quality import counts_by_rule
from components.dashboard.snapshot import Snapshot
from components.dashboard.templating import environment
from components.dashboard.words import slug
from components.lib.history.cost import Cost, cost_of_run, promotions
from components.lib.history.facts import RunFacts, StageFacts
from components.lib.history.quarantine import Refusal

PAGE_RUNS = 50
"""Runs, or maps, of one page."""

LATEST_RUNS, LATEST_MAPS = 8, 3
"""Runs and maps of the first page."""

LISTED_REFUSALS = 200
"""Rows of the quarantine list that the page shows."""

PARTS = (
    ("index.html", "Overview"),
    ("runs.html", "Runs"),
    ("quality.html", "Data quality"),
    ("drift.html", "Drift"),
    ("scores.html", "Scores"),
    ("cost.html", "Cost"),
    ("maps.html", "Maps"),
)
"""Entries of the navigation."""


def page_number(name: str, number: int) -> str:
    """Return the address of one page of a list.

    >>> page_number("runs", 0), page_number("runs", 1)
    ('runs.html', 'runs-2.html')
    """
    return f"{name}.html" if number == 0 else f"{name}-{number + 1}.html"


class Pages:
    """Pages of one snapshot.

    Args:
        snapshot: Facts to show.
        index: Names of what it holds.
    """

    def __init__(self, snapshot: Snapshot, index: Index) -> None:
        self._snapshot = snapshot
        self._index = index
        self._environment = environment()

    def overview(self) -> str:
        """Return the first page: champions, what is at work or waits, data quality, last runs and maps."""
        found = self._snapshot
        versions = [(v, self._index.model_name(v.champion.model, v.version)) for v in self._serving()]
        gone = [champion for champion in found.champions if champion.version is None]
        return self._render(
            "overview.html.j2",
            "index.html",
            title="Overview",
            versions=versions,
            gone=gone,
            runs=self._rows(found.runs[:LATEST_RUNS]),
            maps=self._map_cards(list(self._index.maps)[:LATEST_MAPS]),
            rules=counts_by_rule(found.refusals),
            chart=self._history_chart(),
        )

    def runs(self, number: int) -> str:
        """Return one page of all runs, newest first."""
        runs = self._snapshot.runs
        shown = runs[number * PAGE_RUNS : (number + 1) * PAGE_RUNS]
        return self._render(
            "runs.html.j2", page_number("runs", number), title="Runs", runs=self._rows(shown),
            total=len(runs), **_turning("runs", number, len(runs)),
        )  # fmt: skip

    def run(self, name: str) -> str:
        """Return the page of a run: stages over time, inputs and outputs, failures, judgement."""
        run, problem = self._index.runs[name], ""
        try:
            run = self._snapshot.detailed(run)
        except StormsightError as error:
            problem = f"inputs and outputs could not be read: {error.message}"
        stages = sorted(run.stages.values(), key=_order)
        return self._render(
            "run.html.j2",
            f"run/{name}.html",
            title=f"Run {run.run}",
            run=run,
            problem=problem,
            stages=[(stage, seconds_of(stage)) for stage in stages],
            chart=f"run-{name}",
            facts=of_run(run),
            models=[(m, self._promoted(m.model, m.decision_sha256)) for m in run.models.values()],
        )

    def quality(self) -> str:
        """Return the page of the tiles: verdict, sensors, quarantined tiles with reasons and pictures."""
        refusals = self._snapshot.refusals
        pictured: dict[str, Refusal] = {}
        for one in refusals:
            number = self._index.tile_number(one.acquisition, one.image_id)
            if number is not None:
                pictured.setdefault(number, one)
        return self._render(
            "quality.html.j2", "quality.html", title="Data quality", rules=counts_by_rule(refusals),
            pictured=pictured, refusals=refusals[:LISTED_REFUSALS],
            more=max(0, len(refusals) - LISTED_REFUSALS),
        )  # fmt: skip

    def drift(self) -> str:
        """Return the page of comparisons with champions: verdicts, shifted statistics, requests."""
        charts, comparisons = self._index.charts, []
        for number, known in enumerate(self._snapshot.comparisons):
            named, drawn = known.record.reference, f"drift-{number}"
            model = self._index.model_name(named.model or "", named.version or "")
            comparisons.append((known, model, drawn if drawn in charts else ""))
        return self._render(
            "drift.html.j2", "drift.html", title="Drift", comparisons=comparisons, drawn_statistics=ROWS
        )

    def scores(self) -> str:
        """Return the page of all scores with their intervals, by model."""
        models = [
            (model, f"score-{slug(model)}", list(reversed(points)))
            for model, points in self._index.scores.items()
        ]
        metrics = {m.model: m.metric for run in self._snapshot.runs for m in run.models.values()}
        return self._render(
            "scores.html.j2", "scores.html", title="Scores", models=models, metrics=metrics,
            names={point.run: self._index.name_of_run(point.run) for _, _, p in models for point in p[:60]},
        )  # fmt: skip

    def cost(self) -> str:
        """Return the page of seconds, money and energy, by run and by promoted model."""
        found = self._snapshot
        promoted, since = ([], Cost()) if found.prices is None else promotions(found.runs, found.prices)
        return self._render(
            "cost.html.j2", "cost.html", title="Cost", prices=found.prices, since=since,
            runs=[
                (name, run, _seconds(run), None if found.prices is None else cost_of_run(run, found.prices))
                for name, run in self._named(found.runs[:COSTED])
            ],
            promoted=[(self._index.run_name(one.run), one) for one in reversed(promoted)][:COSTED],
        )  # fmt: skip

    def maps(self, number: int) -> str:
        """Return one page of all maps, newest first."""
        names = list(self._index.maps)
        shown = names[number * PAGE_RUNS : (number + 1) * PAGE_RUNS]
        return self._render(
            "maps.html.j2", page_number("maps", number), title="Maps", maps=self._map_cards(shown),
            total=len(names), **_turning("maps", number, len(names)),
        )  # fmt: skip

    def map(self, name: str) -> str:
        """Return the page of a map: what made it, and what has changed on its ground."""
        known, problem = self._index.maps[name], ""
        item: Mapping[str, Any] = {}
        try:
            item = known.item()
        except StormsightError as error:
            problem = error.message
        model = self._index.model_name(known.entry.model, known.entry.version)
        return self._render(
            "map.html.j2", f"map/{name}.html", title=known.entry.title, name=name, known=known, item=item,
            problem=problem, simulated=is_simulated(item), facts=of_map(known, item, model),
            changes=self._index.changes(name), thumbnail_words=thumbnail_words(item),
        )  # fmt: skip

    def model(self, name: str) -> str:
        """Return the page of a promoted version: its decision and what it was made from."""
        version = self._index.models[name]
        return self._render(
            "model.html.j2", f"model/{name}.html", title=f"{version.champion.model} {version.version}",
            version=version, facts=of_model(version, self._run_page(version)),
            maps=[
                (map_name, known) for map_name, known in self._index.maps.items()
                if (known.entry.model, known.entry.version) == (version.champion.model, version.version)
            ][:PAGE_RUNS],
        )  # fmt: skip

    def not_found(self, address: str) -> str:
        """Return the page for an address that nothing lies at."""
        return self._render("missing.html.j2", address, title="Nothing here", current="")

    def _serving(self) -> list[Version]:
        return [version for version in self._index.models.values() if version.serves]

    def _history_chart(self) -> dict[str, str] | None:
        """Return the model judged most often and the name of its chart; None before the second time."""
        often = max(self._index.scores.items(), key=lambda item: len(item[1]), default=("", []))
        return {"model": often[0], "name": f"score-{slug(often[0])}"} if len(often[1]) > 1 else None

    def _rows(self, runs: Sequence[RunFacts]) -> list[tuple[str, RunFacts, float | None]]:
        return [(name, run, _seconds(run)) for name, run in self._named(runs)]

    def _named(self, runs: Sequence[RunFacts]) -> list[tuple[str, RunFacts]]:
        return [(self._index.run_name(run), run) for run in runs]

    def _map_cards(
        self, names: Sequence[str]
    ) -> list[tuple[str, KnownMap, Mapping[str, Any] | None, bool, bool, str]]:
        cards = []
        for name in names:
            known = self._index.maps[name]
            item = item_or_none(known)
            simulated = item is not None and is_simulated(item)
            cards.append(
                (name, known, item, simulated, self._index.has_changes(name), thumbnail_words(item or {}))
            )
        return cards

    def _run_page(self, version: Version) -> str | None:
        return None if version.run is None else self._index.run_name(version.run)

    def _promoted(self, model: str, sha256: str) -> str | None:
        """Return the name of the page of the version that a decision promoted; None if it promoted none."""
        found = (
            name
            for name, version in self._index.models.items()
            if version.champion.model == model and version.decision_sha256 == sha256
        )
        return next(found, None)

    def _render(self, template: str, address: str, **content: object) -> str:
        """Render a page; addresses on it are relative to the page, so that it works wherever it lies."""
        root = "../" * address.count("/")
        return self._environment.get_template(template).render(
            {
                "root": root,
                "current": address,
                "parts": PARTS,
                "snapshot": self._snapshot,
                "charts": self._index.charts,
                "when_of": when_of,
                **content,
            }
        )


def _turning(name: str, number: int, many: int) -> dict[str, str]:
    """Return the addresses of the pages before and after one of a list; empty where there is none."""
    return {
        "newer": page_number(name, number - 1) if number else "",
        "older": page_number(name, number + 1) if (number + 1) * PAGE_RUNS < many else "",
    }


def _seconds(run: RunFacts) -> float | None:
    """Return the seconds of a run's own stages together; None if nothing kept any."""
    known = [seconds_of(stage) for stage in run.stages.values() if stage.run == run.run]
    kept = [seconds for seconds in known if seconds is not None]
    return sum(kept) if kept else None


def _order(stage: StageFacts) -> tuple[bool, str, str]:
    started = stage.started
    return started is None, "" if started is None else started.isoformat(), ""
