"""``python -m components.evaluate evidence``."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from components.contract.errors import ParameterError, StormsightError
from components.evaluate.parameters import EvaluateParameters
from components.experiments.cell import Bench, Cell, Seal
from components.experiments.children import Children, only_one
from components.experiments.documents import Documents, digest
from components.experiments.estimate import Plan, plan_of
from components.experiments.grid import GRID, WORLDS, CellName, Method, cells_of, chosen
from components.experiments.parameters import EvidenceParameters
from components.experiments.schedule import Outcome, run_all
from components.experiments.scores import Scorer
from components.experiments.stages import ROOT, StageGraph
from components.experiments.world import World, WorldMaker
from components.lib.config.loader import PARAMS_FILE

LOG = logging.getLogger(__name__)
VAR = Path("var/evidence")
REPORTS = Path("reports/evidence")
PUBLISHED = Path(".assets/evidence")


class EvidenceIncompleteError(StormsightError):
    """Some cells failed; what is finished is kept, nothing is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line; None takes what ``params.yaml`` says."""

    profile: str = "evidence"
    seeds: tuple[int, ...] | None = None
    ablation_seeds: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None
    jobs: int | None = None
    store: Path | None = None
    dry_run: bool = False
    allow_missing: bool = False
    publish: bool = False
    params: Path = PARAMS_FILE
    grid: tuple[Method, ...] = field(default=GRID)

    def as_command(self) -> str:
        """The command that repeats this run, without paths of this machine."""
        words = ["python", "-m", "components.evaluate", "evidence", "--profile", self.profile]
        for name in ("seeds", "ablation_seeds", "methods"):
            values = getattr(self, name)
            if values is not None:
                words += [f"--{name.replace('_', '-')}", *map(str, values)]
        if self.store is not None:
            words += ["--store", self.store.name if self.store.is_absolute() else self.store.as_posix()]
        if self.allow_missing:
            words.append("--allow-missing")
        return shlex.join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    defaults = Options()
    parser.add_argument("--profile", default=defaults.profile, help="world and budget (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", help="seeds of the main rows (section evidence)")
    parser.add_argument("--ablation-seeds", type=int, nargs="+", help="seeds of the ablations, among --seeds")
    parser.add_argument(
        "--methods", nargs="+", metavar="ROW", help="only these rows of the grid, and what they start from"
    )
    parser.add_argument("--jobs", type=int, help="trainings at a time (section evidence)")
    parser.add_argument("--store", type=Path, help="a prepared store, instead of making the profile's world")
    parser.add_argument("--dry-run", action="store_true", help="say what would run and how long, and leave")
    parser.add_argument(
        "--allow-missing", action="store_true", help="write the evidence without the cells that failed"
    )
    parser.add_argument("--publish", action="store_true", help=f"copy the result to {PUBLISHED} as well")


def options_of(arguments: argparse.Namespace) -> Options:
    """What the command line says."""

    def many(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(values)

    return Options(
        profile=arguments.profile,
        seeds=many(arguments.seeds),
        ablation_seeds=many(arguments.ablation_seeds),
        methods=many(arguments.methods),
        jobs=arguments.jobs,
        store=arguments.store,
        dry_run=arguments.dry_run,
        allow_missing=arguments.allow_missing,
        publish=arguments.publish,
    )


def evidence(options: Options) -> int:
    """Train and score the grid, then write ``reports/evidence``; 0, or an error's exit code.

    Raises:
        EvidenceIncompleteError: If a cell failed and that is not allowed.
        StormsightError: As the parameters, the stages of the world and scoring do.
    """
    session = Session(options)
    if options.dry_run:
        print(session.plan().text())  # noqa: T201 - what was asked for
        return 0
    with only_one(session.folder):
        try:
            outcome = session.run()
        finally:
            session.children.stop()
        session.report(outcome)
    return 0


class Session:
    """One evidence run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.folder = VAR / options.profile
        self.documents = Documents(options.params, options.profile)
        self.settings = self._settings()
        threads = max(1, (os.cpu_count() or 1) // self.settings.jobs)
        self.children, self.graph = Children(threads), StageGraph(ROOT)
        self.methods = self._methods()
        self.worlds = WorldMaker(
            self.folder / "worlds", self.documents, self.graph, self.children, options.store
        )
        evaluate = self.documents.checked("evaluate", EvaluateParameters)
        self.scorer = Scorer(
            parameters=evaluate,
            target=self.documents.sections(["adapt"])["adapt"]["target"],
            graph=self.graph,
            threads=threads,
        )
        bench = Bench(
            folder=self.folder / "cells", documents=self.documents, graph=self.graph, children=self.children
        )
        rows = {method.name: method for method in self.methods}
        names = cells_of(self.methods, self.settings.seeds, self.settings.ablation_seeds)
        self.cells = {name: Cell(bench, rows[name.method], name) for name in names}
        self.made: dict[str, World] = {}

    def plan(self) -> Plan:
        """What would be done, and for how long."""
        worlds = {name: self.worlds.found(name) for name in self._world_names()}
        return plan_of(self.cells, worlds, self.scorer, self.settings.jobs)

    def run(self) -> Outcome[CellName]:
        """Make the worlds, then train and score every cell."""
        for name in self._world_names():
            LOG.info("world %s: %s", name, self.folder / "worlds" / name)
            self.made[name] = self.worlds.make(name)
        after = {
            name: [CellName(name.seed, link.method) for link in cell.method.links]
            for name, cell in self.cells.items()
        }
        with logging_redirect_tqdm(), tqdm(total=len(self.cells), desc="evidence", disable=None) as bar:

            def ended(name: CellName, error: BaseException | None) -> None:
                bar.update()
                if error is not None:
                    LOG.error("%s failed: %s", name, error)

            return run_all(list(self.cells), after, self._finish, jobs=self.settings.jobs, on_end=ended)

    def report(self, outcome: Outcome[CellName]) -> None:
        """Write the evidence, or say what is missing.

        Raises:
            EvidenceIncompleteError: If a cell failed and that is not allowed.
        """
        missing = sorted([*outcome.failed, *outcome.blocked])
        if missing and (not self.options.allow_missing or not outcome.finished):
            failed = "; ".join(f"{name} (log: {self.cells[name].log})" for name in sorted(outcome.failed))
            raise EvidenceIncompleteError(
                f"{len(outcome.failed)} cells failed, {len(outcome.blocked)} that build on them were not "
                f"run: {failed}",
                next_step="read the logs, mend the cause and run the command again (finished cells are "
                "kept), or write the evidence without them: --allow-missing",
            )
        from components.experiments.publish import write_evidence  # noqa: PLC0415
        from components.experiments.results import Result, document  # noqa: PLC0415

        results = [
            Result(method=cell.method, seed=name.seed, seal=seal, tiles=tiles)
            for name, cell in self.cells.items()
            if name in set(outcome.finished)
            for seal, tiles in [self._read(cell)]
        ]
        made = document(
            results,
            self._about(missing, results[0].tiles),
            confidence=self.scorer.parameters.confidence,
            resamples=self.scorer.parameters.resamples,
        )
        write_evidence(REPORTS, made)
        LOG.info("evidence: %s", REPORTS / "table.md")
        if self.options.publish:
            shutil.copytree(REPORTS, PUBLISHED, dirs_exist_ok=True)
            LOG.info("published: %s", PUBLISHED)

    def _finish(self, name: CellName) -> None:
        """Train and score one cell, as far as that is not done already."""
        cell = self.cells[name]
        world = self.made[cell.method.world]
        seal = cell.trained(world)
        if seal is None:
            LOG.info("%s: training (log: %s)", name, cell.log)
            seal = cell.train(world)
        if self.scorer.scored(cell, seal["weights_sha256"], world) is None:
            self.scorer.score(cell, seal["weights_sha256"], world)
            LOG.info("%s: trained in %.0f s and scored", name, seal["seconds"])

    def _read(self, cell: Cell) -> tuple[Seal, pd.DataFrame]:
        world = self.made[cell.method.world]
        seal = cell.trained(world)
        tiles = None if seal is None else self.scorer.scored(cell, seal["weights_sha256"], world)
        if seal is None or tiles is None:
            raise EvidenceIncompleteError(
                f"{cell.name}: what it depends on changed after it was finished",
                next_step="let the code rest and run the command again",
            )
        return seal, tiles

    def _about(self, missing: Sequence[CellName], tiles: pd.DataFrame) -> dict[str, Any]:
        from components.lib.datasets.sensors import get_sensor  # noqa: PLC0415

        names = {method.name for method in self.methods}
        return {
            "command": self.options.as_command(),
            "profile": self.options.profile,
            "simulated": get_sensor(str(tiles["sensor"].iloc[0])).simulated,
            "world_sha256": {name: world.sha256 for name, world in self.made.items()},
            "budget_sha256": self.documents.budget_hash(),
            "scoring_sha256": digest(self.scorer.parameters.model_dump(mode="json")),
            "seeds": list(self.settings.seeds),
            "ablation_seeds": list(self.settings.ablation_seeds),
            "missing": [str(name) for name in missing],
            "left_out": [method.name for method in self.options.grid if method.name not in names],
        }

    def _settings(self) -> EvidenceParameters:
        said = {
            name: value
            for name in ("seeds", "ablation_seeds", "jobs")
            if (value := getattr(self.options, name)) is not None
        }
        if "seeds" in said and "ablation_seeds" not in said:
            said["ablation_seeds"] = said["seeds"][:1]
        return self.documents.checked("evidence", EvidenceParameters, said)

    def _methods(self) -> list[Method]:
        """The rows that are run; a given store stands for the base world alone."""
        methods = chosen(self.options.methods, self.options.grid)
        other = [method.name for method in methods if method.world != "base"]
        if self.options.store is None or not other:
            return methods
        if self.options.methods is not None:
            raise ParameterError(
                f"--store: {', '.join(other)} need a store of another kind",
                next_step="leave them out of --methods, or let the command make the world",
            )
        LOG.warning("left out, as they need a store of another kind: %s", ", ".join(other))
        return [method for method in methods if method.world == "base"]

    def _world_names(self) -> list[str]:
        wanted = {method.world for method in self.methods}
        return [name for name in WORLDS if name in wanted]
