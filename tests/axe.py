"""Accessibility by axe-core, fetched once by npm into the user's cache; a tool of tests alone (MPL 2.0)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Page

VERSION = "4.14.1"
SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
CACHE = Path.home() / ".cache" / "stormsight" / f"axe-core-{VERSION}.tgz"

SEVERE = ("serious", "critical")


def axe_source() -> str:
    """Return axe-core's script; the test is skipped where npm cannot fetch it."""
    if not CACHE.exists():
        _fetch()
    content = CACHE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256, f"{CACHE} is another file: remove it"
    with tarfile.open(CACHE) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def findings(page: Page, source: str) -> list[dict[str, Any]]:
    """Return what axe finds serious or critical on an open page: rule, help and places."""
    page.value(
        source + ";axe.run({preload: false}).then(found => window.found = JSON.stringify(found.violations));0"
    )
    found = json.loads(page.wait_for("window.found"))
    return [
        {"rule": one["id"], "help": one["help"], "places": [node["target"] for node in one["nodes"]][:5]}
        for one in found
        if one["impact"] in SEVERE
    ]


def _fetch() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: axe-core cannot be fetched")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", f"axe-core@{VERSION}"],
                cwd=folder, check=True, capture_output=True, timeout=60,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"axe-core cannot be fetched from npm's registry: {error}")
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        part = CACHE.with_suffix(f".{id(folder)}.part")
        shutil.copyfile(next(Path(folder).glob("*.tgz")), part)
        part.replace(CACHE)
