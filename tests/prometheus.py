"""Prometheus, Alertmanager and promtool: those of the system, else from Debian's packages, not installed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "var/prometheus"
"""Folder of the unpacked packages: made once, ignored by git."""

PROGRAMS = {"prometheus": "prometheus", "promtool": "prometheus", "alertmanager": "prometheus-alertmanager"}
"""Package by program."""

NAMES = {"alertmanager": ("alertmanager", "prometheus-alertmanager")}
"""Names of a program's file: Debian prefixes Alertmanager's."""

READS_SHARE = frozenset({"alertmanager"})
"""Programs that Debian built to read a file below ``/usr/share`` (templates of notices)."""

PATIENCE_S = 180


def command(name: str) -> list[str]:
    """Return the words that start a program; skip the test where it can neither be found nor fetched."""
    path = _found(name, None)
    if path is not None:
        return [path]
    problem = _fetch()
    path = _found(name, KEPT / "usr/bin")
    if path is None:
        pytest.skip(f"no {name}: {problem}")
    return [*_own_share(), path] if name in READS_SHARE else [path]


@cache
def _own_share() -> tuple[str, ...]:
    """Return the words that start a program with the packages' ``/usr/share`` in place of the system's."""
    script = 'mount --bind "$0" /usr/share && exec "$@"'
    words = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, str(KEPT / "usr/share"))
    problem = _said([*words, "true"], KEPT) if shutil.which("unshare") else "there is no unshare"
    if problem:
        pytest.skip(
            f"Debian's Alertmanager reads /usr/share/prometheus, which cannot be shown to it: {problem}"
        )
    return words


def _found(name: str, folder: Path | None) -> str | None:
    path = None if folder is None else str(folder)
    return next(filter(None, (shutil.which(one, path=path) for one in NAMES.get(name, (name,)))), None)


@cache
def _fetch() -> str:
    """Unpack the packages below ``var``, once for all processes; return why that failed, or nothing."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "not installed, and this is no Debian to fetch it from"
    KEPT.parent.mkdir(exist_ok=True)
    with (KEPT.parent / "prometheus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return "" if KEPT.exists() else _unpack()


def _unpack() -> str:
    packages = sorted(set(PROGRAMS.values()))
    with tempfile.TemporaryDirectory(dir=KEPT.parent) as name:
        folder = Path(name)
        got = _said(["apt-get", "download", *packages], folder)
        for archive in [] if got else sorted(folder.glob("*.deb")):
            got = got or _said(["dpkg", "-x", str(archive), str(folder / "root")], folder)
        if not got:
            (folder / "root").rename(KEPT)
        return got


def _said(command: list[str], folder: Path) -> str:
    """Run a command; return its last words if it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not end within {PATIENCE_S} s"
    words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return f"{command[0]}: {words[-1]}" if done.returncode else ""
