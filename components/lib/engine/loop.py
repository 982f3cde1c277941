"""Training loop: Lightning Fabric, a rate per step, checkpoints, no wait for the device between logs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from components.lib.engine.average import WeightAverage
from components.lib.engine.batch import Arrays, to_device, to_host
from components.lib.engine.checkpoint import CheckpointFile, fingerprint_of, restore_random_state
from components.lib.engine.device import build_fabric, keep_memory, precision_of, resolve_device
from components.lib.engine.interruption import Interruption
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.progress import Progress, Record
from components.lib.engine.ranks import Ranks, ranks
from components.lib.engine.schedule import learning_rate
from components.lib.engine.step import Step
from components.lib.engine.task import TrainingTask
from components.lib.store.prefetch import prefetch

_LOG = logging.getLogger(__name__)
TOLD_EVERY_S = 60.0
"""Seconds between two lines about a training's progress, where no progress bar can be shown."""

_NOT_IDENTITY = {"device", "checkpoint_every"}
PERTURBATION = 1e-6
"""Relative noise on initial weights, some ten units in the last place of a 32-bit number."""
OnLog = Callable[[int, Record], None]


@dataclass(frozen=True)
class FitResult:
    """Results of a training besides the trained task.

    Attributes:
        history: One record per log: ``step`` (steps done), ``lr`` of that step, and the losses' means since
            the record before.
        seconds: Wall-clock time of all steps, those before an interruption included.
        resumed_from: Steps already done by an interrupted run, 0 without one.
        stopped: Reason why the task ended the training early; None if all steps were taken.
    """

    history: list[Record]
    seconds: float
    resumed_from: int
    stopped: str | None = None


def seed_everything(seed: int) -> None:
    """Seed PyTorch's, NumPy's and Python's global generators."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries may draw from the global state
    random.seed(seed)


def perturb(parameters: Iterable[nn.Parameter], draw: int) -> None:
    """Multiply every weight, in place, by 1 + ``PERTURBATION`` times a normal number of the given draw."""
    generator = torch.Generator().manual_seed(draw)
    with torch.no_grad():
        for parameter in parameters:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.mul_((1 + PERTURBATION * noise).to(parameter))


def mixed_seed(*numbers: int) -> int:
    """Return 32 bits of seed from several numbers: PyTorch's generator reads no more, sums collide."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def fastest(device: torch.device) -> Iterator[None]:
    """Let a GPU try its kernels and keep the fastest; results may then differ in their last bits."""
    tries = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = tries


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
    published: nn.Module | None = None,
) -> FitResult:
    """Train ``task`` in place for ``steps`` optimiser steps.

    A checkpoint of the same name, parameters, steps and ``fingerprint`` in ``checkpoint_dir`` is continued;
    on the CPU the result is then bit for bit that of a run never interrupted. The checkpoint is removed at
    the end. SIGTERM (SIGINT) checkpoints after the current step and leaves with 143 (KeyboardInterrupt).
    Processes of a torchrun part at the end: each trains once.

    Args:
        task: Networks and losses, on any device; left on the training device.
        batches: Layers by name of step s, uint8 (B, H, W, C); a pure function of s, called from threads.
        parameters: Section `training`, with the stage's own batch size where it has one.
        steps: Optimiser steps.
        name: Name of the run, in messages and the progress bar.
        checkpoint_dir: Folder of the checkpoint, this run's own.
        epochs: Passes that ``steps`` stands for; only the ``reference`` schedule uses it.
        fingerprint: Hash of whatever else makes two runs different: stage parameters, data, code.
        on_log: Called with (steps done, record) at each log, restored ones of a resumed run included.
        published: Part of the task that gets its averaged weights at the end, where section `training` asks
            for an average; None for no part.

    Raises:
        ParameterError: If the loss is NaN or infinite, naming the step.
        ResourceError: If a GPU is asked for and absent, or the disk is full.
    """
    group = ranks()
    group.check_batch(parameters.batch)
    identity = parameters.model_dump(exclude=_NOT_IDENTITY)
    checkpoint = CheckpointFile(checkpoint_dir, fingerprint_of(name, fingerprint, identity, steps, epochs))
    device = resolve_device(parameters)
    if device.type == "cpu" and precision_of(parameters, device) == "bf16-mixed":
        # Measured once: a step took two thirds of the time there, and gained nothing in 32 bits.
        keep_memory()
    kernels = deterministic if parameters.deterministic else fastest
    with kernels(device), Interruption() as interruption:
        loop = _Loop(
            task=task,
            parameters=parameters,
            steps=steps,
            epochs=epochs,
            name=name,
            device=device,
            group=group,
            checkpoint=checkpoint,
            published=published,
        )
        resumed_from = loop.start(on_log)
        loop.run(batches, interruption, on_log)
        if loop.average is not None:
            loop.average.publish()
    if group.is_main:
        checkpoint.remove()
    group.shutdown()
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
        group: Ranks,
        checkpoint: CheckpointFile,
        published: nn.Module | None,
    ) -> None:
        self.task, self.parameters, self.name, self.checkpoint = task, parameters, name, checkpoint
        self.steps, self.steps_per_epoch, self.group = steps, max(1, steps // epochs), group
        fabric = build_fabric(parameters, device, group)
        self.device = fabric.device
        self.step = Step(task, parameters, fabric, group)
        self.average: WeightAverage | None = None
        if parameters.average_share is not None and published is not None:
            self.average = WeightAverage(published, parameters.average_share, steps)
        self.progress = Progress(ranks=group)
        self._told = time.monotonic()

    def start(self, on_log: OnLog | None) -> int:
        """Continue from the checkpoint if there is one, else seed; the number of steps already done."""
        state = self.checkpoint.load()
        done = 0 if state is None else int(state["progress"]["step"])
        self.group.check_same(done, self.device, self.checkpoint.path)
        seed_everything(self.parameters.seed)
        if state is None:
            if self.parameters.perturbation:
                perturb(self.task.trainable_parameters(), self.parameters.perturbation)
            return 0
        self.task.load_state_dict(state["task"])
        self.step.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        kept: Mapping[str, Any] = state["progress"]
        self.progress = Progress(**kept, ranks=self.group)
        if self.group.is_main:
            for record in self.progress.history if on_log else []:
                on_log(int(record["step"]), record)  # type: ignore[misc]
            restore_random_state(state["random"])
            _LOG.info("%s: continuing at step %d of %d", self.name, done, self.steps)
        return done

    def run(self, batches: Callable[[int], Arrays], interruption: Interruption, on_log: OnLog | None) -> None:
        """Take all remaining steps."""
        ahead = {"threads": 4, "ahead": 8} if self.device.type == "cuda" else {"threads": 1, "ahead": 2}
        made = prefetch(
            lambda step: to_host(self.group.share_of(batches(step)), self.device),
            self.progress.step,
            self.steps,
            **ahead,
        )
        begun = time.monotonic() - self.progress.seconds
        self.task.train()
        # None: where there is a terminal.
        hidden = None if self.group.is_main else True
        with tqdm(total=self.steps, initial=self.progress.step, desc=self.name, disable=hidden) as bar:
            for tensors in made:
                if not self.group.is_single:
                    self._seed_share()
                batch = to_device(tensors, self.device)
                losses = self.step(batch, number=self.progress.step, rate=self._rate())
                if self.average is not None:
                    self.average.update()
                self.progress.add(losses)
                self.progress.seconds = time.monotonic() - begun
                bar.update()
                self._log_or_save(self.step.rate, bar, on_log)
                self._tell(bar)
                if self._asked_to_stop(interruption):
                    self._save()
                    interruption.leave()

    def _seed_share(self) -> None:
        """Seed by step and process: shares get dropout of their own, which no checkpoint has to keep."""
        torch.manual_seed(mixed_seed(self.parameters.seed, self.progress.step, self.group.rank))

    def _rate(self) -> float:
        return learning_rate(
            self.progress.step,
            base=self.parameters.lr,
            steps=self.steps,
            steps_per_epoch=self.steps_per_epoch,
            schedule=self.parameters.schedule,
            warmup_share=self.parameters.warmup_share,
        )

    def _at_log(self) -> bool:
        done = self.progress.step
        return done % self.parameters.log_every == 0 or done == self.steps

    def _asked_to_stop(self, interruption: Interruption) -> bool:
        """Return True to stop after this step; processes that train together all stop at the same one."""
        if self.group.is_single:
            return interruption.received is not None
        if not self._at_log():
            return False
        return self.group.any(interruption.received is not None, self.device)

    def _log_or_save(self, rate: float, bar: tqdm[Any], on_log: OnLog | None) -> None:
        done = self.progress.step
        if self._at_log():
            self.progress.check_finite(self.name)
            record = self.progress.log(rate)
            bar.set_postfix(loss=f"{record['loss']:.4f}", refresh=False)
            if on_log is not None and self.group.is_main:
                on_log(done, record)
        if done % self.parameters.checkpoint_every == 0 and done < self.steps:
            self._save()

    def _tell(self, bar: tqdm[Any]) -> None:
        """Log how far it is, once in :data:`TOLD_EVERY_S`, where there is no terminal for the bar."""
        if not self.group.is_main or not bar.disable or time.monotonic() < self._told + TOLD_EVERY_S:
            return
        self._told = time.monotonic()
        done, history = self.progress.step, self.progress.history
        left_min = self.progress.seconds / done * (self.steps - done) / 60
        loss = f", loss {history[-1]['loss']:.4f}" if history else ""
        _LOG.info("%s: step %d of %d%s, %.0f min left", self.name, done, self.steps, loss, left_min)

    def _save(self) -> None:
        self.progress.check_finite(self.name)
        # Summed over the processes, as the sums of a lone one would be: every process takes part.
        progress = self.progress.state()
        if not self.group.is_main:
            return
        self.checkpoint.save(
            {
                "task": self.task.state_dict(),
                "optimiser": self.step.optimiser.state_dict(),
                **({} if self.average is None else {"average": self.average.state_dict()}),
                "progress": progress,
            }
        )
