"""Check that a registered artefact loads in a fresh process and gives the same scores, to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import components
from components.lib.scoring.tables import tile_count
from components.promote.ground import Ground
from components.promote.scores import CleanTestScores


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Answer of the fresh process.

    Attributes:
        passed: True if it loaded the artefact and its scores have the same digest.
        words: The same as a sentence.
    """

    passed: bool
    words: str


def score_digest(folder: Path, ground: Ground[Any]) -> dict[str, object]:
    """Return the fresh process's output: the digest of its scores, the number of tiles, and the sensors."""
    scored = ground.score(ground.load(folder))
    return {
        "digest": scored.digest,
        "tiles": 0 if scored.scores is None else tile_count(scored.scores.tiles),
        "sensors": list(scored.sensors),
    }


def reproduce(
    folder: Path, expected: CleanTestScores, device: str, *, package: str = "components.promote"
) -> Reproduction:
    """Score the artefact in ``folder`` in a new Python process and compare with ``expected``.

    The process runs in the same working directory, so it reads the same params.yaml and store.

    Args:
        folder: Model folder.
        expected: Scores to reproduce.
        device: ``cpu`` or ``cuda``.
        package: Package with the command ``reproduce``.
    """
    command = [sys.executable, "-m", package, "reproduce"]
    done = subprocess.run(  # noqa: S603 - our own module, no shell
        [*command, "--folder", str(folder), "--device", device],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), None)
        return Reproduction(False, f"a fresh process could not score it: {reason or _last_line(done.stderr)}")
    answer = json.loads(done.stdout)
    if answer["digest"] != expected.digest:
        return Reproduction(False, "a fresh process loaded the artefact, but its scores differ")
    return Reproduction(
        True,
        f"a fresh process loaded the artefact and reproduced all counts of {answer['tiles']} tiles exactly",
    )


def _environment() -> dict[str, str]:
    """Return this process's variables, with this very code on the module path.

    The number of threads is passed on too: it may change the order of sums, and with it the last bit.
    """
    root = str(Path(components.__path__[0]).absolute().parent)
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, inherited])),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it said nothing"
