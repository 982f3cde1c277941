"""Progress of a training: steps, time, and losses summed on the device until the next log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from components.contract.errors import ParameterError
from components.lib.engine.batch import Batch
from components.lib.engine.ranks import Ranks

Record = dict[str, float]


@dataclass
class Progress:
    """State of the loop; with the task and the optimiser, all that a checkpoint holds.

    Attributes:
        step: Steps done.
        seconds: Wall-clock time they took.
        history: Closed records: ``step``, ``lr``, and the mean of every loss since the record before.
        sums: Losses summed since the last record, scalars on the training device.
        summed: Number of steps in ``sums``.
        first_bad: First step of this process whose total was not finite, or -1; on the training device.
        ranks: The processes whose losses make up those of the batch. All close records and check together.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list)
    sums: Batch = field(default_factory=dict)
    summed: int = 0
    first_bad: torch.Tensor | None = None
    ranks: Ranks = field(default_factory=Ranks)

    def add(self, losses: Batch) -> None:
        """Count one step and sum its losses on their device; nothing is read back here."""
        for name, loss in losses.items():
            value = loss.detach().float()
            self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
        total = losses["loss"].detach()
        step = torch.full_like(total, self.step, dtype=torch.int64)
        earlier = torch.full_like(step, -1) if self.first_bad is None else self.first_bad
        self.first_bad = torch.where((earlier < 0) & ~torch.isfinite(total), step, earlier)
        self.summed += 1
        self.step += 1

    def check_finite(self, name: str) -> None:
        """Wait for the device and see whether every loss was finite.

        Raises:
            ParameterError: If one was not, naming the step, counted from 0, and the terms.
        """
        if self.first_bad is None:
            return
        step = int(self.ranks.earliest(self.first_bad))
        if step < 0:
            return
        terms = [term for term, value in self._global_sums().items() if not torch.isfinite(value)]
        raise ParameterError(
            f"{name}: the loss is not finite at step {step} (terms: {', '.join(terms)})",
            next_step="lower training.lr in params.yaml, or set training.precision to 32 if it is bf16",
        )

    def log(self, rate: float) -> Record:
        """Close a record with the means since the last one."""
        means = {name: float(value) / self.summed for name, value in self._global_sums().items()}
        self.history.append({"step": self.step, "lr": rate, **means})
        self.sums, self.summed = {}, 0
        return self.history[-1]

    def state(self) -> dict[str, Any]:
        """Keyword arguments that build this progress again, as a checkpoint holds them, but for ``ranks``."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "sums": self._global_sums(),
            "summed": self.summed,
        }

    def _global_sums(self) -> Batch:
        """Return the sums on the CPU, of all processes, waited for at once."""
        if not self.sums:
            return {}
        values = self.ranks.mean(torch.stack(list(self.sums.values()))).cpu()
        return dict(zip(self.sums, values.unbind(), strict=True))
