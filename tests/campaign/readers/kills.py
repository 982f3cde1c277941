"""Kills: a command is killed at random instants, run again, and held against its undisturbed result."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from tests.campaign.processes import preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.readers.surroundings import hashes
from tests.campaign.verdicts import Ended, Judgement, Outcome, last_line

MOST_KILLS = 3
"""Kills in a row, before the command may end."""

TEMPORARY = "tmp"
"""Folder for temporary files of a command that is killed."""


class Killed(SingleReader):
    """A command that is killed once to three times, then runs to its end.

    The rerun must succeed, give the undisturbed result, and leave no file that the undisturbed run does not.
    """

    variables: ClassVar[dict[str, str | None]] = {}
    """Environment of the command."""

    limit_s: ClassVar[float] = 90.0

    def set_up(self) -> None:
        """Make the inputs; run undisturbed twice: to load what the command loads, and for time and result."""
        self.inputs = self.fresh("inputs")
        self.make_inputs(self.inputs)
        self._run(self._copy("warm"), preload, self.limit_s)
        folder = self._copy("case")  # in the same place as the others: some results hold paths
        ended = self._run(folder, run_forked, self.limit_s)
        assert ended.code == 0, ended.stderr
        self.seconds = ended.seconds
        self.names = _names(folder)
        self.right = self.result(folder)

    @abstractmethod
    def make_inputs(self, folder: Path) -> None:
        """Write what the command reads."""

    @abstractmethod
    def work(self) -> None:
        """Run the command; called in a child that stands in its folder."""

    @abstractmethod
    def result(self, folder: Path) -> Any:
        """Return what must be as undisturbed."""

    def wrong(self, ended: Ended) -> str | None:
        """Return what is wrong with the end of the rerun, besides its result."""
        return ended.flaw() or (
            f"the rerun exits {ended.code}: {last_line(ended.message)}" if ended.code else None
        )

    def judge_one(self, seed: int) -> Judgement:
        """Kill one to three times, then rerun."""
        rng = Random(seed)
        folder = self._copy("case")
        instants, kills = [], 0
        for _ in range(rng.randint(1, MOST_KILLS)):
            instant = rng.uniform(0.0, 1.05)
            ended = self._run(folder, run_forked, instant * self.seconds)
            instants.append(f"{instant:.0%}")
            kills += ended.code is None
            if ended.code is not None:
                break  # it was done before the instant came
        else:
            ended = self._run(folder, run_forked, self.limit_s)
        described = f"{kills} kills, at {', '.join(instants)} of {self.seconds:.1f} s"
        wrong = self.wrong(ended) or self._differs(folder)
        outcome = Outcome.BREACH if wrong else Outcome.ACCEPTED
        return Judgement(self.name, seed, described, outcome, wrong or "", ended.seconds, kills=kills)

    def _differs(self, folder: Path) -> str | None:
        debris = sorted(_names(folder) - self.names)
        found = self.result(folder)
        if found != self.right:
            return f"another result: {_difference(self.right, found)}"
        return f"debris: {', '.join(debris[:3])}" if debris else None

    def _run(self, folder: Path, run: Callable[..., Ended], limit_s: float) -> Ended:
        """Run the command with a folder of its own for temporary files."""
        temporary = folder / TEMPORARY
        temporary.mkdir(exist_ok=True)

        def work() -> None:
            tempfile.tempdir = None  # this process may have asked for it
            self.work()

        variables = {**self.variables, "TMPDIR": str(temporary)}
        return run(work, folder, variables=variables, limit_s=limit_s)

    def _copy(self, name: str) -> Path:
        folder = self.fresh(name)
        shutil.copytree(self.inputs, folder, dirs_exist_ok=True, symlinks=True)
        return folder


def _names(folder: Path) -> set[str]:
    """Return all files and hidden folders, identities and times in their names made equal."""
    inside = folder / TEMPORARY
    found = [
        path
        for path in folder.rglob("*")
        if (path.name.startswith(".") or not path.is_dir()) and inside not in path.parents
    ]
    found += inside.glob("stormsight-*")  # libraries leave files of their own there
    names = {path.relative_to(folder).as_posix() for path in found}
    return {re.sub(r"[0-9a-f]{32}|\d{8}T\d{6}\.\d+Z", "<id>", name) for name in names}


def _difference(right: Any, found: Any) -> str:
    if isinstance(right, dict) and isinstance(found, dict):
        keys = [key for key in sorted({*right, *found}) if right.get(key) != found.get(key)]
        return ", ".join(f"{key} ({'missing' if key not in found else 'other'})" for key in keys[:3])
    return f"{json.dumps(found)[:80]} instead of {json.dumps(right)[:80]}"


def content(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the hashes of files, those below ``without`` left out."""
    left_out = (f"{TEMPORARY}/", *without)
    return {name: digest for name, digest in hashes(folder).items() if not name.startswith(left_out)}
