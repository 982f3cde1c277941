"""What a run would do, and how long that takes judging by what is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

from components.experiments.cell import Cell
from components.experiments.grid import CellName
from components.experiments.scores import Scorer
from components.experiments.world import World

FINISHED, SCORE, TRAIN = "finished", "score", "train"


@dataclass(frozen=True, slots=True)
class Plan:
    """Cells by what is to be done to them.

    Attributes:
        worlds: Worlds that are to be made.
        states: ``FINISHED``, ``SCORE`` or ``TRAIN`` by cell.
        seconds: Expected by cell; None where nothing comparable was measured.
        jobs: Cells at a time.
    """

    worlds: tuple[str, ...]
    states: Mapping[CellName, str]
    seconds: Mapping[CellName, float | None]
    jobs: int

    def text(self) -> str:
        """A line per world and cell, then the sum."""
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


def plan_of(
    cells: Mapping[CellName, Cell], worlds: Mapping[str, World | None], scorer: Scorer, jobs: int
) -> Plan:
    """See which cells are finished; whatever builds on one that is not is to be trained, too."""
    states: dict[CellName, str] = {}
    for name, cell in cells.items():
        world = worlds[cell.method.world]
        upstream = [states[CellName(name.seed, link.method)] for link in cell.method.links]
        seal = None if world is None or TRAIN in upstream else cell.trained(world)
        if world is None or seal is None:
            states[name] = TRAIN
        else:
            done = scorer.scored(cell, seal["weights_sha256"], world) is not None
            states[name] = FINISHED if done else SCORE
    seconds = {name: _expected(cell, cells, scoring=states[name] == SCORE) for name, cell in cells.items()}
    return Plan(tuple(name for name, world in worlds.items() if world is None), states, seconds, jobs)


def _expected(cell: Cell, cells: Mapping[CellName, Cell], *, scoring: bool) -> float | None:
    """Mean of the same row's cells, or else of the same stage's; earlier budgets count as well."""
    command = cell.method.command
    same = [other for other in cells.values() if other.method.name == cell.method.name]
    kin = [other for other in cells.values() if other.method.command == command]
    for group in (same, kin):
        measured = [value for other in group if (value := _measured(other, scoring=scoring)) is not None]
        if measured:
            return mean(measured)
    return None


def _measured(cell: Cell, *, scoring: bool) -> float | None:
    seconds = 0.0
    for name in ("scored.json",) if scoring else ("trained.json", "scored.json"):
        path = cell.folder / name
        if not path.exists():
            return None
        seconds += float(json.loads(path.read_text("utf-8"))["seconds"])
    return seconds
