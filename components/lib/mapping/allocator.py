"""Memory of a network that runs in a thread of its own, and of blocks beside it.

By default glibc maps every large activation, has the kernel zero it page by page, and unmaps it again: on CPU
this cost more than the arithmetic (a factor of 1.7 per window at batch 1, more at batch 4). `keep_memory` of
the training engine stops that for the main thread. Other threads have arenas of their own, of 64 MiB pieces
that are unmapped as soon as they are empty, whatever the settings: they must share the main thread's heap.
Arrays of a block's size come and go between the network's, and would leave that heap with ever more holes:
they are mapped apart from it.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from math import prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from components.lib.engine.device import keep_memory

T = TypeVar("T", bound=np.generic)

_M_ARENA_MAX = -8
"""Option of mallopt(3): number of heaps that threads allocate from."""


def share_kept_memory() -> None:
    """Let all threads that begin from now on allocate from one heap, which keeps what is freed.

    Lasts until the process ends. Call it before other threads have ended: a new thread prefers the heap that
    one of them left. Does nothing where the C library is not glibc.
    """
    keep_memory()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Return what was freed and kept to the system, as far as pages are empty; only where glibc can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def mapped_zeros(shape: tuple[int, ...], dtype: type[T]) -> npt.NDArray[T]:
    """Return zeros in memory of their own, which goes back to the system with the array."""
    size = max(1, prod(shape) * np.dtype(dtype).itemsize)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.ndarray(shape, dtype, buffer=memory)
