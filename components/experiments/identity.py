"""Identity of results: hashes of what a result depends on, and the stamp files that record them.

A stamp is a JSON file beside a result. Its ``key`` names everything the result was made from; a result is
current while the key computed from the present code, parameters and inputs is the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import components
from components.experiments.parameters import ParameterOverlay, digest, without_noise
from components.lib.files import require_input, sha256_files, write_json

ROOT = Path(components.__path__[0]).parent
"""Folder that holds the package: child processes find it there."""

SCORING_STAGE = "components.evaluate"
"""Stage whose library code decides what a score is."""

Key = dict[str, Any]
Stamp = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StageInputs:
    """Inputs of a stage besides its data, as ``dvc.yaml`` declares them.

    Attributes:
        code: Folders below the root, sorted.
        sections: Sections of ``params.yaml``, sorted.
    """

    code: tuple[str, ...]
    sections: tuple[str, ...]


class StageGraph:
    """Declarations of ``dvc.yaml`` and hashes of the code they name.

    Args:
        root: Folder of ``dvc.yaml`` and the package.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        document = yaml.safe_load(require_input(root / "dvc.yaml", made_by="download").read_text("utf-8"))
        self._stages: list[dict[str, Any]] = [s.get("do", s) for s in document["stages"].values()]

    def inputs(self, module: str, item: str = "") -> StageInputs:
        """Return the inputs of the stage ``python -m <module>``, all its variants together.

        Args:
            module: Module of the command.
            item: Value of a loop's ``${item}``: the method, or the kind of teacher, that is trained.
        """
        own = [stage for stage in self._stages if str(stage["cmd"]).split()[2] == module]
        deps = {dep.replace("${item}", item) for stage in own for dep in stage["deps"]}
        code = {dep for dep in deps if dep.startswith("components/")}
        names = {name for stage in own for name in stage["params"] if not name.startswith("profiles.")}
        sections = {name.split(".")[0] for name in names}
        return StageInputs(tuple(sorted(code)), tuple(sorted(sections)))

    def code_hash(self, paths: Iterable[str]) -> str:
        """Return the hex SHA-256 of names and contents of the Python files at or below ``paths``."""
        files = {file for path in paths for file in self._python_files(self.root / path)}
        return sha256_files(files, self.root)

    def scoring_code_hash(self) -> str:
        """Return the hex SHA-256 of the library code on which the scores of a trial depend."""
        code = self.inputs(SCORING_STAGE).code
        return self.code_hash(path for path in code if path.startswith("components/lib/"))

    @staticmethod
    def _python_files(path: Path) -> Iterable[Path]:
        return path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" else []


def stage_key(
    graph: StageGraph,
    command: Sequence[str],
    parameters: ParameterOverlay,
    overrides: Iterable[Mapping[str, Any]] = (),
) -> Key:
    """Return hashes of the code and of the parameters on which a stage's result depends.

    The one place that derives a stage's identity; data and upstream models are the caller's matter.

    Args:
        graph: Declarations of the stages.
        command: Module and arguments of the stage.
        parameters: Sections under the run's profile.
        overrides: Overlays on these sections, in order.
    """
    item = command[2] if len(command) > 2 else ""
    inputs = graph.inputs(command[0], item)
    sections = without_noise(parameters.sections(inputs.sections, *overrides), item=item)
    return {"code": graph.code_hash(inputs.code), "parameters": digest(sections)}


def read_stamp(path: Path) -> Stamp | None:
    """Return a stamp, or None where there is none that can be read."""
    try:
        stamp = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def current_stamp(path: Path, key: object) -> Stamp | None:
    """Return a stamp if its key is ``key``, else None."""
    stamp = read_stamp(path)
    return stamp if stamp is not None and stamp.get("key") == key else None


def begin_attempt(stamp: Path, key: object, leftovers: Iterable[Path]) -> None:
    """Record the key of an attempt that begins.

    Args:
        stamp: File of the record.
        key: Key of everything that the attempt depends on.
        leftovers: Files and folders of earlier attempts; kept if the last one had the same key, so that it
            goes on from its checkpoint, and removed otherwise.
    """
    if current_stamp(stamp, key) is None:
        for path in leftovers:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    write_json(stamp, {"key": key})
