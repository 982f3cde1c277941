"""Steps of the engine on one batch, as ``fit`` takes them, with a log at the end of each round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from components.lib.engine.batch import to_device, to_host
from components.lib.engine.device import build_fabric
from components.lib.engine.loop import deterministic
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.progress import Progress
from components.lib.engine.step import Step
from components.lib.engine.task import TrainingTask


def engine_steps(
    task: TrainingTask, parameters: TrainingParameters, arrays: Mapping[str, Any], device: torch.device
) -> Callable[[int], None]:
    """Return what takes so many steps at the rate of ``parameters``, each on the same arrays."""
    step = Step(task, parameters, build_fabric(parameters, device))
    task.train()
    progress = Progress()

    def steps(count: int) -> None:
        with deterministic(device):
            for _ in range(count):
                batch = to_device(to_host(arrays, device), device)
                progress.add(step(batch, number=progress.step, rate=parameters.lr))
            progress.check_finite("bench")
            progress.log(parameters.lr)

    return steps
