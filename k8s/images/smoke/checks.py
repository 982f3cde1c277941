"""Checks that the smoke tests share. They run inside an image and need the standard library only."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

APP = Path("/app")
SITE = Path("/opt/venv/lib/python3.11/site-packages")


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()


def importable(*modules: str) -> None:
    """Import all of ``modules``; what fails ends the test."""
    for module in modules:
        importlib.import_module(module)
    say(f"imported {', '.join(modules)}")


def absent(*modules: str) -> None:
    """Refuse any of ``modules`` that can be imported."""
    found = [module for module in modules if importlib.util.find_spec(module)]
    if found:
        sys.exit(f"importable, and is to be left out of this image: {', '.join(found)}")
    say(f"left out: {', '.join(modules)}")


def command(*arguments: str, quiet: bool = False) -> None:
    """Run ``python -m ARGUMENTS``; another exit code than 0 ends the test with what was printed."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"python -m {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    if not quiet:
        say(f"python -m {' '.join(arguments)}: {time.monotonic() - started:.1f} s")


def clean_tree() -> None:
    """Check that all code is compiled, only root may write it, and no tool or cache of the build is left."""
    tops = (APP, SITE)
    writable = [p for top in tops for p in top.rglob("*") if not p.is_symlink() and _writable(p)]
    if writable:
        sys.exit(f"not root's alone: {writable[:5]}")
    sources = [*APP.rglob("*.py"), *(SITE / "botocore").rglob("*.py")]
    bare = [p for p in sources if not (p.parent / "__pycache__" / f"{p.stem}.cpython-311.pyc").is_file()]
    if bare:
        sys.exit(f"not compiled: {bare[:5]}")
    left = [
        p
        for p in ("/opt/tools", "/opt/locks", "/etc/pip.conf", "/usr/bin/gcc", "/usr/bin/cc")
        if Path(p).exists()
    ]
    left += [str(p) for p in (SITE / "pip", Path("/root/.cache")) if _exists(p)]
    left += [str(p) for p in Path("/var/lib/apt/lists").glob("*_Packages*")]
    if left:
        sys.exit(f"left over from the build: {left}")
    say("compiled, owned by root, nothing left over from the build")


def _writable(path: Path) -> bool:
    status = path.stat()
    return status.st_uid != 0 or bool(status.st_mode & 0o022)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False
