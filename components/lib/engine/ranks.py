"""Processes that train one network together, one device each, as ``torchrun`` starts them.

``training.batch`` stays the batch of one optimiser step, whatever their number: each process takes its share,
gradients are averaged, and losses and batch statistics are those of the whole batch. A lone process takes
none of these paths.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from components.contract.errors import ParameterError
from components.lib.engine.batch import Arrays

_NEVER = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Ranks:
    """Number and place of this process among those that train together.

    Attributes:
        world: Number of processes.
        rank: This one's number; 0 is the one that writes and reports.
        local: Its number on its machine: its GPU.
        local_world: Number of processes on its machine.
    """

    world: int = 1
    rank: int = 0
    local: int = 0
    local_world: int = 1

    @property
    def is_main(self) -> bool:
        """True for the process that writes checkpoints, models and reports."""
        return self.rank == 0

    @property
    def is_single(self) -> bool:
        """True if there is no other process."""
        return self.world == 1

    def check_batch(self, size: int, name: str = "training.batch") -> None:
        """Check that every process can take an equal share of ``size`` crops.

        Raises:
            ParameterError: If not.
        """
        if size % self.world:
            raise ParameterError(
                f"{name}: {size} crops cannot be shared equally by {self.world} processes",
                next_step=f"set training.batch (optical.batch) to a multiple of {self.world}, "
                "or start another number of processes with torchrun --nproc-per-node",
            )

    def share_of(self, arrays: Arrays) -> Arrays:
        """Return this process's part of each array: a slice of its first axis, the crops.

        Raises:
            ParameterError: If one cannot be shared equally.
        """
        if self.is_single:
            return arrays
        return {name: array[self._own(len(array), name)] for name, array in arrays.items()}

    def _own(self, size: int, name: str) -> slice:
        self.check_batch(size, f"layer {name}")
        share = size // self.world
        return slice(self.rank * share, (self.rank + 1) * share)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of ``values`` over the processes, equal shares of a batch having equal weight."""
        return values if self.is_single else _reduced(values, distributed.ReduceOp.SUM) / self.world

    def earliest(self, step: Tensor) -> Tensor:
        """Return the least of the processes' steps, where -1 means never; scalar int64."""
        if self.is_single:
            return step
        least = _reduced(torch.where(step < 0, _NEVER, step), distributed.ReduceOp.MIN)
        return torch.where(least == _NEVER, -1, least)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return True if ``flag`` holds in any process; waits for all of them."""
        if self.is_single:
            return flag
        return bool(_reduced(torch.tensor(int(flag), device=device), distributed.ReduceOp.MAX))

    def check_same(self, step: int, device: torch.device, path: Path) -> None:
        """Check that every process found the checkpoint of the same step.

        Raises:
            ParameterError: If not.
        """
        here = torch.tensor(step, device=device)
        if self.any(bool(self.earliest(here) != here), device):
            raise ParameterError(
                f"{path}: the processes found checkpoints of different steps, or some found none",
                next_step="let all machines share that folder, or remove it to start from the beginning",
            )

    def shutdown(self) -> None:
        """Wait for the others and end the group, so that each process goes on by itself."""
        if not self.is_single:
            distributed.barrier()
            distributed.destroy_process_group()


def ranks() -> Ranks:
    """Return this process's place from the environment that ``torchrun`` sets; single without it."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return Ranks()
    return Ranks(
        world=int(os.environ["WORLD_SIZE"]),
        rank=int(os.environ["RANK"]),
        local=int(os.environ["LOCAL_RANK"]),
        local_world=int(os.environ["LOCAL_WORLD_SIZE"]),
    )


def _reduced(values: Tensor, operation: Any) -> Tensor:  # noqa: ANN401 - torch declares no type for it
    values = values.detach().clone()
    distributed.all_reduce(values, op=operation)
    return values
