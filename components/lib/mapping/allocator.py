"""Memory allocation for a network that runs in a thread of its own.

By default glibc maps every large activation, has the kernel zero it page by page, and unmaps it again: on CPU
this cost more than the arithmetic (a factor of 1.7 per window at batch 1, more at batch 4). `keep_memory` of
the training engine stops that for the main thread. Other threads have arenas of their own, of 64 MiB pieces
that are unmapped as soon as they are empty, whatever the settings: they must share the main thread's heap.
"""

from __future__ import annotations

import contextlib
import ctypes

from components.lib.engine.device import keep_memory

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
