"""Identity of results: hashes of what a result depends on, and the stamp files that record them.

A stamp is a JSON file beside a result. Its ``key`` names everything the result was made from; a result is
current while the key computed from the present code, parameters and inputs is the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.contract.documents import read_yaml
from components.contract.errors import ParameterError
from components.contract.graph.load import load_stage
from components.contract.graph.model import Stage
from components.contract.hashing import files_below, sha256_files, sha256_json
from components.contract.identity import ROOT, lock_values, stage_code_hash
from components.contract.parameters import PARAMS_LOCK
from components.contract.partitions import PARTITIONS
from components.experiments.parameters import ParameterOverlay, without_noise
from components.lib.files import write_json

SCORING_STAGE = "components.evaluate"
"""Stage whose library code decides what a score is."""

Key = dict[str, Any]
Stamp = dict[str, Any]


class StageGraph:
    """Stages of ``dvc.yaml``, found by the commands that trials run.

    Args:
        root: Folder of ``dvc.yaml``, ``params.yaml`` and the package.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._definitions: dict[str, Any] = read_yaml(root / "dvc.yaml", plain=False)["stages"]

    def stage(self, command: Sequence[str]) -> Stage:
        """Return the stage that runs a command.

        Args:
            command: Module and arguments; the ``${item}`` of a loop is read off the arguments, and may be one
                that the loop does not list.

        Raises:
            ParameterError: If no stage runs it.
        """
        return load_stage(self.root / "dvc.yaml", self.root / "params.yaml", self._address(command))

    def scoring_code_hash(self) -> str:
        """Return the hex SHA-256 of the library code on which the scores of a trial depend."""
        paths = [dep for dep in self.stage((SCORING_STAGE,)).deps if dep.startswith("components/lib/")]
        return sha256_files((file for path in paths for file in files_below(self.root / path)), self.root)

    def _address(self, command: Sequence[str]) -> str:
        words = ("python", "-m", *command)
        looped = ""
        for name, definition in self._definitions.items():
            template = str(definition.get("do", definition)["cmd"]).split()
            pairs = list(zip(template, words, strict=False))
            if len(template) > len(words) or any(part not in (word, "${item}") for part, word in pairs):
                continue
            if "${item}" not in template:
                return str(name)
            looped = f"{name}@{words[template.index('${item}')]}"
        if looped:
            return looped
        raise ParameterError(
            f"dvc.yaml has no stage that runs `{' '.join(words)}`",
            next_step="correct the row of the grid (components/experiments/grid.py)",
        )


def stage_key(
    graph: StageGraph,
    command: Sequence[str],
    parameters: ParameterOverlay,
    overrides: Iterable[Mapping[str, Any]] = (),
) -> Key:
    """Return hashes of the code and of the parameters on which a stage's result depends.

    The one place that derives a stage's identity; data and upstream models are the caller's matter.

    Args:
        graph: Stages of ``dvc.yaml``.
        command: Module and arguments of the stage.
        parameters: Sections under the run's profile.
        overrides: Overlays on these sections, in order.
    """
    stage = graph.stage(command)
    # The profile's own keys are laid over the sections already.
    named = [parameter for parameter in stage.params if not parameter.key.startswith("profiles.")]
    keys = [parameter.key for parameter in named if parameter.path != PARAMS_LOCK]
    overrides = list(overrides)
    sections = without_noise(parameters.sections({key.partition(".")[0] for key in keys}, *overrides))
    values = {key: _value(sections, key) for key in keys}
    locked = [parameter.key for parameter in named if parameter.path == PARAMS_LOCK]
    if locked:
        found = lock_values(parameters.sections(("acquisitions", PARTITIONS), *overrides), graph.root)
        values |= {key: _value(found, key) for key in locked}
    return {"code": stage_code_hash(stage.address, graph.root), "parameters": sha256_json(values)}


def _value(sections: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - YAML holds any value
    """Return the value at a dotted key; None where it is not set."""
    found: Any = sections
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


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
