"""``python -m stormsight_dags.standalone.part program ...``: a part of Airflow that ends with its supervisor.

The supervisor holds the other end of standard input. When that ends, or SIGTERM comes, the program is asked
once to end (Airflow's scheduler hangs when it is asked twice), and what is left of it and of everything it
started after ``GRACE_S`` is killed. Tasks and stages have process groups and sessions of their own, so this
process adopts orphans (``PR_SET_CHILD_SUBREAPER``) and finds them by their parents.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

GRACE_S = 8.0
"""Seconds between the request to end and SIGKILL: a training writes a checkpoint meanwhile."""

POLL_S = 0.1

_PR_SET_CHILD_SUBREAPER = 36
"""``<sys/prctl.h>``."""


def main(command: Sequence[str]) -> int:
    """Run ``command`` until it ends, the supervisor dies or SIGTERM comes.

    Returns:
        Its exit code, 128 plus the signal's number if a signal ended it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        asked = True

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    program = os.posix_spawnp(command[0], list(command), os.environ, file_actions=[nothing], setsid=True)
    code = None
    while code is None and not asked:
        asked = _input_ended() or asked
        code = _reap(program)
    if code is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGTERM)
    return _end_descendants(program, code)


def descendants(pid: int) -> list[int]:
    """Return the ids of all living processes below ``pid``, its children first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = [*children.get(pid, [])]
    for member in found:  # grows while it is walked
        found += children.get(member, [])
    return found


def _end_descendants(program: int, code: int | None) -> int:
    """Wait until everything has ended; kill what is left after the grace."""
    deadline = time.monotonic() + GRACE_S
    while left := descendants(os.getpid()):
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S / 2)
        found = _reap(program)
        code = found if code is None else code
    found = _reap(program)
    return next((c for c in (code, found) if c is not None), 128 + signal.SIGKILL)


def _input_ended() -> bool:
    """Wait a moment; return True if the supervisor let go of standard input."""
    readable, _, _ = select.select([0], [], [], POLL_S)
    return bool(readable) and not os.read(0, 1)


def _reap(program: int) -> int | None:
    """Collect ended children, adopted ones too; return the program's exit code once it has ended."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                status = os.waitstatus_to_exitcode(ended[1])
                code = status if status >= 0 else 128 - status
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
