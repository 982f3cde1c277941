"""Estimate of a run: what it would do, and how long that takes judging by what is finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

from components.experiments.grid import TrialName
from components.experiments.identity import read_stamp
from components.experiments.scoring import Scorer
from components.experiments.trial import Trial
from components.experiments.world import World

FINISHED, SCORE, TRAIN = "finished", "score", "train"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Work of a run, by trial.

    Attributes:
        worlds: Worlds that are to be made.
        states: ``FINISHED``, ``SCORE`` or ``TRAIN`` by trial.
        seconds: Expected seconds by trial; None where nothing comparable was measured.
        jobs: Trials at a time.
    """

    worlds: tuple[str, ...]
    states: Mapping[TrialName, str]
    seconds: Mapping[TrialName, float | None]
    jobs: int

    def text(self) -> str:
        """Return a line per world and trial, then the sum."""
        lines = [f"{'make':<9}world {name}" for name in self.worlds]
        pending = [name for name, state in self.states.items() if state != FINISHED]
        for name, state in self.states.items():
            guess = self.seconds[name]
            time = (
                "" if state == FINISHED else "  (not measured yet)" if guess is None else f"  ~{guess:.0f} s"
            )
            lines.append(f"{state:<9}{name}{time}")
        known = [self.seconds[name] for name in pending]
        unknown = sum(value is None for value in known)
        minutes = sum(value or 0.0 for value in known) / self.jobs / 60
        total = (
            f"{len(pending)} of {len(self.states)} cells to do, about {minutes:.0f} minutes "
            f"at {self.jobs} a time"
        )
        return "\n".join([*lines, total + (f", and {unknown} not measured yet" if unknown else "")])


def estimate_run(
    trials: Mapping[TrialName, Trial], worlds: Mapping[str, World | None], scorer: Scorer, jobs: int
) -> Estimate:
    """Find which trials are finished; whatever builds on one that is not is to be trained, too."""
    states: dict[TrialName, str] = {}
    for name, trial in trials.items():
        world = worlds[trial.method.world]
        upstream = [states[TrialName(name.seed, link.method)] for link in trial.method.links]
        stamp = None if world is None or TRAIN in upstream else trial.trained(world)
        if world is None or stamp is None:
            states[name] = TRAIN
        else:
            done = scorer.scored(trial, stamp["weights_sha256"], world) is not None
            states[name] = FINISHED if done else SCORE
    seconds = {
        name: _expected(trial, trials, scoring=states[name] == SCORE) for name, trial in trials.items()
    }
    return Estimate(tuple(name for name, world in worlds.items() if world is None), states, seconds, jobs)


def _expected(trial: Trial, trials: Mapping[TrialName, Trial], *, scoring: bool) -> float | None:
    """Return the mean of the same row's trials, or else of the same stage's, earlier budgets included."""
    command = trial.method.command
    same = [other for other in trials.values() if other.method.name == trial.method.name]
    kin = [other for other in trials.values() if other.method.command == command]
    for group in (same, kin):
        measured = [value for other in group if (value := _measured(other, scoring=scoring)) is not None]
        if measured:
            return mean(measured)
    return None


def _measured(trial: Trial, *, scoring: bool) -> float | None:
    seconds = 0.0
    for name in ("scored.json",) if scoring else ("trained.json", "scored.json"):
        stamp = read_stamp(trial.folder / name)
        if stamp is None:
            return None
        seconds += float(stamp["seconds"])
    return seconds
