"""One run of the smallest world, through the commands a user types, shared by the tests of this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import FINISHED_RUN, ROOT


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository, with the smoke profile switched on."""

    root: Path

    def run(self, command: str, *, expect: int = 0) -> str:
        """Run ``command`` in the checkout and return what it printed."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        environment["PATH"] = f"{self.root / '.venv' / 'bin'}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            command, shell=True, cwd=self.root, env=environment, text=True, capture_output=True, check=False
        )
        assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the only occurrence of ``old`` in a file, as a user's editor would."""
        path = self.root / name
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The files git knows or would know, in a new git repository beside this one's ``.venv``."""
    root = tmp_path_factory.mktemp("checkout") / "stormsight"
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":  # what was made here before is not to be believed
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    made = Checkout(root)
    made.run("git init -q && git add -A && git -c user.name=t -c user.email=t@localhost commit -qm start")
    made.edit("params.yaml", "\nprofile: rehearsal\n", "\nprofile: smoke\n")
    return made


@pytest.fixture(scope="session")
def finished(request: pytest.FixtureRequest) -> Checkout:
    """A checkout after ``make repro``: the one that the command line names, or a fresh one."""
    root: Path | None = request.config.getoption(FINISHED_RUN)
    if root is not None:
        return Checkout(root.resolve())
    checkout: Checkout = request.getfixturevalue("checkout")
    checkout.run("make repro")
    return checkout
