"""Children with limits: one judgement cannot take the campaign down."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import resource
import runpy
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.campaign.verdicts import Ended

TIME_LIMIT_S = 20.0
MEMORY_LIMIT_BYTES = 2 << 30
"""Growth of the address space over that of this process."""

_KEPT_CHARACTERS = 200_000


def run_forked(
    work: Callable[[], object],
    folder: Path,
    *,
    variables: Mapping[str, str | None] | None = None,
    file_bytes: int | None = None,
    limit_s: float = TIME_LIMIT_S,
) -> Ended:
    """Run ``work`` in a forked child that stands in ``folder``.

    The modules that this process has loaded are there already, so that a judgement costs milliseconds.

    Args:
        work: What to run; ``SystemExit`` carries its exit code.
        folder: Working directory; the child's output goes to files beside it.
        variables: Environment variables to set, or, where None, to take away.
        file_bytes: Largest file that the child may write (a full disk).
        limit_s: Seconds until the child and everything it started are killed.
    """
    out, err = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.err")
    for path in (out, err):
        path.touch()  # the child may be killed before it opens them
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(work, folder, out, err, variables or {}, file_bytes)
    code = _wait(pid, limit_s)
    seconds = time.monotonic() - started
    texts = [path.read_text(encoding="utf-8", errors="replace")[-_KEPT_CHARACTERS:] for path in (out, err)]
    for path in (out, err):
        path.unlink()
    return Ended(code, seconds, *texts)


def command(module: str, *arguments: str) -> Callable[[], None]:
    """Return what runs ``python -m module arguments`` inside a forked child."""

    def work() -> None:
        sys.modules.pop(f"{module}.__main__", None)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return work


def preload(work: Callable[[], object], folder: Path, **options: Any) -> Ended:
    """Run ``work`` in a child as :func:`run_forked`, then load here what it loaded.

    Commands import late; children forked afterwards find all of it loaded. Modules that start threads are
    none of those.
    """
    listing = folder.with_name(f"{folder.name}.modules")

    def listed() -> None:
        try:
            work()
        finally:
            listing.write_text("\n".join(sys.modules), encoding="utf-8")

    ended = run_forked(listed, folder, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in listing.read_text(encoding="utf-8").splitlines():
            if name not in sys.modules and not name.endswith("__main__"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
    listing.unlink()
    return ended


def _child(
    work: Callable[[], object],
    folder: Path,
    out: Path,
    err: Path,
    variables: Mapping[str, str | None],
    file_bytes: int | None,
) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, flags, 0o600), number)
        # Not those of a test runner, nor its log handlers.
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8", errors="backslashreplace")
        sys.stderr = os.fdopen(2, "w", 1, closefd=False, encoding="utf-8", errors="backslashreplace")
        logging.root.handlers.clear()
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        limit = _address_space() + MEMORY_LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if file_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        work()
        code = 0
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _wait(pid: int, limit_s: float) -> int | None:
    """Return the exit code, negative for a signal, None if the limit passed; nothing of it lives on."""
    handle = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([handle], [], [], limit_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not ready:
            os.kill(pid, signal.SIGKILL)  # it may have no group of its own yet
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(status) if ready else None
