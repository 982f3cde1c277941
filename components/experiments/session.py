"""A run of the grid: worlds made, trials trained and scored, results written."""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from components.contract.errors import ParameterError, StormsightError
from components.contract.hashing import sha256_json
from components.contract.identity import ROOT
from components.contract.parameters import PARAMS_FILE
from components.evaluate.parameters import EvaluateParameters
from components.experiments.estimate import Estimate, estimate_run
from components.experiments.grid import GRID, WORLDS, TrialName, Variant, chosen, trials_of
from components.experiments.identity import StageGraph, Stamp
from components.experiments.parameters import EvidenceParameters, ParameterOverlay
from components.experiments.processes import StageProcesses, run_lock
from components.experiments.schedule import TaskResults, run_with_bar
from components.experiments.scoring import Scorer
from components.experiments.trial import Context, Trial
from components.experiments.world import World, WorldMaker
from components.lib.config.scoring import ScoringSettings
from components.lib.files import read_json

if TYPE_CHECKING:
    from components.experiments.results import ScoredTrial

LOG = logging.getLogger(__name__)
VAR = Path("var/evidence")
REPORTS = Path("reports/evidence")
PUBLISHED = Path(".assets/evidence")
SPREAD = "stability"
"""Entry of ``evidence.json`` under which the spread of repeated trainings is published."""


class EvidenceIncompleteError(StormsightError):
    """Some trials failed; finished ones are kept, nothing is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the command line.

    Attributes:
        profile: World and budget.
        seeds: Seeds of the main rows; None takes those of the section `evidence`, as for the next three.
        ablation_seeds: Seeds of the ablations, among ``seeds``.
        methods: Rows of the grid to run, with all they start from; None is all.
        jobs: Trainings at a time.
        store: Prepared store to use instead of making the profile's world.
        dry_run: Print what would run and how long it takes, and leave.
        allow_missing: Write the results without the trials that failed.
        publish: Copy the report to ``PUBLISHED`` as well.
        folder: Folder of worlds and trials; None is ``VAR/<profile>``.
        params: Parameter file.
        grid: Rows to choose from.
    """

    profile: str = "evidence"
    seeds: tuple[int, ...] | None = None
    ablation_seeds: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None
    jobs: int | None = None
    store: Path | None = None
    dry_run: bool = False
    allow_missing: bool = False
    publish: bool = False
    folder: Path | None = None
    params: Path = PARAMS_FILE
    grid: tuple[Variant, ...] = field(default=GRID)

    def as_command(self) -> str:
        """Return the command that repeats this run, without paths of this machine."""
        words = ["python", "-m", "components.experiments", "--profile", self.profile]
        for name in ("seeds", "ablation_seeds", "methods"):
            values = getattr(self, name)
            if values is not None:
                words += [f"--{name.replace('_', '-')}", *map(str, values)]
        if self.store is not None:
            words += ["--store", self.store.name if self.store.is_absolute() else self.store.as_posix()]
        if self.allow_missing:
            words.append("--allow-missing")
        return shlex.join(words)


def run_grid(options: Options) -> int:
    """Train and score the grid, then write ``reports/evidence``.

    Returns:
        Exit code 0.

    Raises:
        EvidenceIncompleteError: If a trial failed and that is not allowed.
        StormsightError: As the parameters, the stages of the world and scoring do.
    """
    session = Session(options)
    if options.dry_run:
        print(session.estimate().text())  # noqa: T201 - the output of --dry-run
        return 0
    with run_lock(session.folder):
        session.report(session.run())
    return 0


class Session:
    """One run of the grid.

    Args:
        options: Options of the command line.

    Raises:
        ParameterError: If the parameters do not fit, or a row is unknown.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.folder = options.folder or VAR / options.profile
        self.parameters = ParameterOverlay(options.params, options.profile)
        self.settings = self._settings()
        self.processes, self.graph = StageProcesses(), StageGraph(ROOT)
        self.methods = self._methods()
        self.worlds = WorldMaker(
            self.folder / "worlds", self.parameters, self.graph, self.processes, options.store
        )
        self.scorer = Scorer(
            parameters=self.parameters.checked("evaluate", EvaluateParameters),
            settings=self.parameters.checked("scoring", ScoringSettings),
            target=self.parameters.sections(["adapt"])["adapt"]["target"],
            graph=self.graph,
            threads=self.parameters.sections(["training"])["training"].get("threads"),
        )
        context = Context(
            folder=self.folder / "cells",
            parameters=self.parameters,
            graph=self.graph,
            processes=self.processes,
        )
        rows = {method.name: method for method in self.methods}
        names = trials_of(self.methods, self.settings.seeds, self.settings.ablation_seeds)
        self.trials = {name: Trial(context, rows[name.method], name) for name in names}
        self.made: dict[str, World] = {}

    def estimate(self) -> Estimate:
        """Return what would be done, and for how long."""
        worlds = {name: self.worlds.found(name) for name in self._world_names()}
        return estimate_run(self.trials, worlds, self.scorer, self.settings.jobs)

    def run(self) -> TaskResults[TrialName]:
        """Make the worlds, then train and score every trial; no process of a stage outlives it."""
        try:
            return self._run()
        finally:
            self.processes.stop()

    def _run(self) -> TaskResults[TrialName]:
        for name in self._world_names():
            LOG.info("world %s: %s", name, self.folder / "worlds" / name)
            self.made[name] = self.worlds.make(name)
        after = {
            name: [TrialName(name.seed, link.method) for link in trial.method.links]
            for name, trial in self.trials.items()
        }
        return run_with_bar(list(self.trials), after, self._finish, jobs=self.settings.jobs, title="evidence")

    def require_all(self, results: TaskResults[TrialName]) -> list[TrialName]:
        """Return the trials that are missing, sorted.

        Raises:
            EvidenceIncompleteError: If a trial failed and that is not allowed.
        """
        missing = sorted([*results.failed, *results.blocked])
        if missing and (not self.options.allow_missing or not results.finished):
            failed = "; ".join(f"{name} (log: {self.trials[name].log})" for name in sorted(results.failed))
            raise EvidenceIncompleteError(
                f"{len(results.failed)} cells failed, {len(results.blocked)} that build on them were not "
                f"run: {failed}",
                next_step="read the logs, mend the cause and run the command again (finished cells are "
                "kept), or write the evidence without them: --allow-missing",
            )
        return missing

    def scored(self, finished: Collection[TrialName]) -> list[ScoredTrial]:
        """Return stamps and tile tables of finished trials, in the grid's order."""
        from components.experiments.results import ScoredTrial  # noqa: PLC0415

        return [
            ScoredTrial(method=trial.method, seed=name.seed, stamp=stamp, tiles=tiles)
            for name, trial in self.trials.items()
            if name in finished
            for stamp, tiles in [self._read(trial)]
        ]

    def report(self, results: TaskResults[TrialName]) -> None:
        """Write the report.

        Raises:
            EvidenceIncompleteError: If a trial failed and that is not allowed.
        """
        missing = self.require_all(results)
        from components.experiments.report import write_evidence  # noqa: PLC0415
        from components.experiments.results import evidence_document  # noqa: PLC0415

        scored = self.scored(set(results.finished))
        document = evidence_document(
            scored,
            {**self._about(missing, scored), **_published_spread()},
            confidence=self.scorer.parameters.confidence,
        )
        write_evidence(REPORTS, document)
        LOG.info("evidence: %s", REPORTS / "table.md")
        if self.options.publish:
            shutil.copytree(REPORTS, PUBLISHED, dirs_exist_ok=True)
            LOG.info("published: %s", PUBLISHED)

    def _finish(self, name: TrialName) -> None:
        """Train and score one trial, as far as that is not done already."""
        trial = self.trials[name]
        world = self.made[trial.method.world]
        stamp = trial.trained(world)
        if stamp is None:
            LOG.info("%s: training (log: %s)", name, trial.log)
            stamp = trial.train(world)
        if self.scorer.scored(trial, stamp["weights_sha256"], world) is None:
            self.scorer.score(trial, stamp["weights_sha256"], world)
            LOG.info("%s: trained in %.0f s and scored", name, stamp["seconds"])

    def _read(self, trial: Trial) -> tuple[Stamp, pd.DataFrame]:
        world = self.made[trial.method.world]
        stamp = trial.trained(world)
        tiles = None if stamp is None else self.scorer.scored(trial, stamp["weights_sha256"], world)
        if stamp is None or tiles is None:
            raise EvidenceIncompleteError(
                f"{trial.name}: what it depends on changed after it was finished",
                next_step="let the code rest and run the command again",
            )
        return stamp, tiles

    def simulated(self, scored: Sequence[ScoredTrial]) -> bool:
        """Return whether the tiles are of the rehearsal world."""
        from components.lib.datasets.sensors import get_sensor  # noqa: PLC0415

        return get_sensor(str(scored[0].tiles["sensor"].iloc[0])).simulated

    def _about(self, missing: Sequence[TrialName], scored: Sequence[ScoredTrial]) -> dict[str, Any]:
        """Return the entries of ``evidence.json`` about the run as a whole."""
        names = {method.name for method in self.methods}
        return {
            "command": self.options.as_command(),
            "profile": self.options.profile,
            "simulated": self.simulated(scored),
            "world_sha256": {name: world.sha256 for name, world in self.made.items()},
            "budget_sha256": self.parameters.budget_hash(),
            "scoring_sha256": sha256_json(
                {
                    **self.scorer.parameters.model_dump(mode="json"),
                    **self.scorer.settings.model_dump(mode="json"),
                }
            ),
            "seeds": list(self.settings.seeds),
            "ablation_seeds": list(self.settings.ablation_seeds),
            "missing": [str(name) for name in missing],
            "left_out": [method.name for method in self.options.grid if method.name not in names],
        }

    def _settings(self) -> EvidenceParameters:
        given = {
            name: value
            for name in ("seeds", "ablation_seeds", "jobs")
            if (value := getattr(self.options, name)) is not None
        }
        if "seeds" in given and "ablation_seeds" not in given:
            given["ablation_seeds"] = given["seeds"][:1]
        return self.parameters.checked("evidence", EvidenceParameters, given)

    def _methods(self) -> list[Variant]:
        """Return the rows to run; a given store stands for the base world alone."""
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


def _published_spread() -> dict[str, Any]:
    """Return the published spread of repeated trainings, which another command measures; {} without one."""
    path = PUBLISHED / "evidence.json"
    found = read_json(path, made_by="evidence").get(SPREAD) if path.exists() else None
    return {} if found is None else {SPREAD: found}
