"""Stage that really trains: the engine, a tiny network, checkpoints where the stages keep them.

Where ``HOLD_AT`` is set, training waits before that step: until it was asked to stop (``HOLD=stop``), or for
ever. Its process id is then in the file ``HELD``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch

from components.lib.cli import run
from tests.lib.engine.tiny import TinyTask, seeded_task, train


class HeldTask(TinyTask):
    """Task that waits at a step, so that a test can act at a known moment."""

    def before_step(self, step: int) -> None:
        super().before_step(step)
        if os.environ.get("HOLD_AT") != str(step):
            return
        Path(os.environ["HELD"]).write_text(str(os.getpid()))
        handler = signal.getsignal(signal.SIGTERM)
        while os.environ["HOLD"] == "forever" or handler.__self__.received is None:  # type: ignore[union-attr]
            time.sleep(0.01)


def main() -> None:
    task = seeded_task()
    task.__class__ = HeldTask
    result = train(Path("var/checkpoints/tiny"), task)
    with Path(os.environ["RESUMED"]).open("a") as handle:
        handle.write(f"{result.resumed_from}\n")
    Path("model").mkdir()
    torch.save(task.state_dict(), "model/weights.pt")


if __name__ == "__main__":
    run(main)
