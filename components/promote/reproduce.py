"""Whether a registered artefact loads in a fresh process and gives the same scores, to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

import components
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.bundle import load_bundle
from components.lib.store.store import Store
from components.promote.exam import Exam, examine


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What the fresh process had to say.

    Attributes:
        passed: It loaded the artefact and its scores have the same digest.
        words: The same for people.
    """

    passed: bool
    words: str


def report(folder: Path, store: Path, settings: ScoringSettings, device: str) -> dict[str, object]:
    """What the fresh process prints: the digest of its scores and the number of tiles."""
    exam = examine(load_bundle(folder, device), Store.open(store), settings, device)
    return {
        "digest": exam.digest,
        "tiles": 0 if exam.scores is None else len(exam.scores.tiles),
        "sensors": list(exam.sensors),
    }


def reproduce(folder: Path, exam: Exam, device: str) -> Reproduction:
    """Score the artefact in ``folder`` in a new Python process and compare with ``exam``.

    The process runs in the same working directory, so it reads the same params.yaml and store.
    """
    command = [sys.executable, "-m", "components.promote", "reproduce"]
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
    told = json.loads(done.stdout)
    if told["digest"] != exam.digest:
        return Reproduction(False, "a fresh process loaded the artefact, but its scores differ")
    return Reproduction(
        True,
        f"a fresh process loaded the artefact and reproduced all counts of {told['tiles']} tiles exactly",
    )


def _environment() -> dict[str, str]:
    """Ours, with this very code on the module path wherever the working directory is.

    The number of threads is ours too: it may change the order of sums, and with it the last bit.
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
