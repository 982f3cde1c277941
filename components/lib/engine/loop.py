"""The training loop: Lightning Fabric, a rate per step, checkpoints, no wait for the device between logs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from components.lib.engine.checkpoint import CheckpointFile, fingerprint_of, restore_random_state
from components.lib.engine.device import build_fabric, resolve_device
from components.lib.engine.interruption import Interruption
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.progress import Progress, Record
from components.lib.engine.schedule import poly_rate
from components.lib.engine.task import Arrays, Batch, TrainingTask, to_batch
from components.lib.store.prefetch import prefetch

_LOG = logging.getLogger(__name__)
_NOT_IDENTITY = {"device", "checkpoint_every"}
OnLog = Callable[[int, Record], None]


@dataclass(frozen=True)
class FitResult:
    """What a finished training leaves besides the trained task.

    Attributes:
        history: One record per log: ``step`` (steps done), ``lr`` of that step, and the losses' means since
            the record before.
        seconds: Wall-clock time of all steps, those before an interruption included.
        resumed_from: Steps already done by an interrupted run, 0 without one.
    """

    history: list[Record]
    seconds: float
    resumed_from: int


def seed_everything(seed: int) -> None:
    """Seed PyTorch's, NumPy's and Python's global generators."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries may draw from the global state
    random.seed(seed)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use deterministic kernels; on a GPU warn where there is none (bilinear resizing's gradient)."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # a module with properties, which mypy cannot see
    fills = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    # Nothing here reads memory it has not written, and filling it costs a tenth of a step on the CPU.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        memory.fill_uninitialized_memory = fills
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def fit(
    task: TrainingTask,
    batches: Callable[[int], Arrays],
    parameters: TrainingParameters,
    steps: int,
    *,
    name: str,
    checkpoint_dir: Path,
    epochs: int = 1,
    fingerprint: str = "",
    on_log: OnLog | None = None,
) -> FitResult:
    """Train ``task`` in place for ``steps`` steps of SGD with Nesterov momentum (reference 1.5).

    A checkpoint of the same name, parameters, steps and ``fingerprint`` in ``checkpoint_dir`` is continued;
    on the CPU the result is then bit for bit that of a run never interrupted. The checkpoint is removed at
    the end. SIGTERM (SIGINT) checkpoints after the current step and leaves with 143 (KeyboardInterrupt).

    Args:
        task: Networks and losses, on any device; left on the training device.
        batches: Layers by name of step s, uint8 (B, H, W, C); a pure function of s, called from threads.
        parameters: Section `training`, with the stage's own batch size where it has one.
        steps: Optimiser steps.
        name: Of the run, in messages and the progress bar.
        checkpoint_dir: Folder of the checkpoint, this run's own.
        epochs: Passes that ``steps`` stands for; only the ``reference`` schedule uses it.
        fingerprint: Hash of whatever else makes two runs different: stage parameters, data, code.
        on_log: Called with (steps done, record) at each log, restored ones of a resumed run included.

    Raises:
        ParameterError: If the loss is NaN or infinite, naming the step.
        ResourceError: If a GPU is asked for and absent, or the disk is full.
    """
    device = resolve_device(parameters)
    identity = parameters.model_dump(exclude=_NOT_IDENTITY)
    checkpoint = CheckpointFile(checkpoint_dir, fingerprint_of(name, fingerprint, identity, steps, epochs))
    with deterministic(device), Interruption() as interruption:
        loop = _Loop(
            task=task,
            parameters=parameters,
            steps=steps,
            epochs=epochs,
            name=name,
            device=device,
            checkpoint=checkpoint,
        )
        resumed_from = loop.start(on_log)
        loop.run(batches, interruption, on_log)
    checkpoint.remove()
    return FitResult(loop.progress.history, loop.progress.seconds, resumed_from)


class _Loop:
    def __init__(
        self,
        *,
        task: TrainingTask,
        parameters: TrainingParameters,
        steps: int,
        epochs: int,
        name: str,
        device: torch.device,
        checkpoint: CheckpointFile,
    ) -> None:
        self.task, self.parameters, self.name, self.checkpoint = task, parameters, name, checkpoint
        self.steps, self.steps_per_epoch, self.device = steps, max(1, steps // epochs), device
        self.fabric = build_fabric(parameters, device)
        task.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.SGD(
            list(task.trainable_parameters()),
            lr=parameters.lr,
            momentum=parameters.momentum,
            nesterov=True,
            weight_decay=parameters.weight_decay,
        )
        self.wrapped, self.wrapped_optimiser = self.fabric.setup(task, self.optimiser)
        self.progress = Progress()

    def start(self, on_log: OnLog | None) -> int:
        """Continue from the checkpoint if there is one, else seed; the number of steps already done."""
        state = self.checkpoint.load()
        if state is None:
            seed_everything(self.parameters.seed)
            return 0
        self.task.load_state_dict(state["task"])
        self.optimiser.load_state_dict(state["optimiser"])
        kept: Mapping[str, Any] = state["progress"]
        self.progress = Progress(**kept)
        for record in self.progress.history if on_log else []:
            on_log(int(record["step"]), record)  # type: ignore[misc]
        restore_random_state(state["random"])
        _LOG.info("%s: continuing at step %d of %d", self.name, self.progress.step, self.steps)
        return self.progress.step

    def run(self, batches: Callable[[int], Arrays], interruption: Interruption, on_log: OnLog | None) -> None:
        """All remaining steps."""
        ahead = {"threads": 4, "ahead": 8} if self.device.type == "cuda" else {"threads": 1, "ahead": 2}
        made = prefetch(batches, self.progress.step, self.steps, **ahead)
        begun = time.monotonic() - self.progress.seconds
        self.task.train()
        with tqdm(total=self.steps, initial=self.progress.step, desc=self.name, disable=None) as bar:
            for arrays in made:
                rate = self._step(to_batch(arrays, self.device))
                self.progress.seconds = time.monotonic() - begun
                bar.update()
                self._log_or_save(rate, bar, on_log)
                if interruption.received is not None:
                    self._save()
                    interruption.leave()

    def _step(self, batch: Batch) -> float:
        step = self.progress.step
        rate = poly_rate(
            step,
            base=self.parameters.lr,
            steps=self.steps,
            steps_per_epoch=self.steps_per_epoch,
            form=self.parameters.schedule,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.task.before_step(step)
        losses = self.wrapped(batch)
        self.wrapped_optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(losses["loss"])
        self.wrapped_optimiser.step()
        self.progress.add(losses)
        return rate

    def _log_or_save(self, rate: float, bar: tqdm[Any], on_log: OnLog | None) -> None:
        done = self.progress.step
        if done % self.parameters.log_every == 0 or done == self.steps:
            self.progress.check_finite(self.name)
            record = self.progress.log(rate)
            bar.set_postfix(loss=f"{record['loss']:.4f}", refresh=False)
            if on_log is not None:
                on_log(done, record)
        if done % self.parameters.checkpoint_every == 0 and done < self.steps:
            self._save()

    def _save(self) -> None:
        self.progress.check_finite(self.name)
        self.checkpoint.save(
            {
                "task": self.task.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "progress": self.progress.state(),
            }
        )
