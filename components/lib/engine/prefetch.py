"""Batches made by threads while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

Arrays = Mapping[str, np.ndarray[Any, Any]]


def to_tensors(arrays: Arrays, *, pin: bool) -> dict[str, torch.Tensor]:
    """Arrays as tensors without a copy, images (B, H, W, C) seen as (B, C, H, W) in channels-last memory."""
    tensors = {}
    for name, array in arrays.items():
        tensor = torch.from_numpy(array)
        if tensor.ndim == 4:
            tensor = tensor.permute(0, 3, 1, 2)
        tensors[name] = tensor.pin_memory() if pin else tensor
    return tensors


def prefetch(
    batches: Callable[[int], Arrays], steps: range, *, depth: int = 2, workers: int = 1, pin: bool = False
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches of ``steps`` in order, at most ``depth`` made ahead.

    ``batches`` must be a pure function of the step: with several workers it runs concurrently. What it
    raises is raised here, at the step it belongs to.
    """

    def make(step: int) -> dict[str, torch.Tensor]:
        return to_tensors(batches(step), pin=pin)

    waiting: deque[Future[dict[str, torch.Tensor]]] = deque()
    upcoming = iter(steps)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    try:
        for step in upcoming:
            waiting.append(pool.submit(make, step))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
