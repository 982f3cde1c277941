"""What each stage reads, as ``dvc.yaml`` declares it: its code and its sections of the parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import components
from components.lib.files import require_input, sha256_files

ROOT = Path(components.__path__[0]).parent
"""The folder that holds the package: children find it there."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a result of a stage depends on besides its data.

    Attributes:
        code: Folders below the root, sorted.
        sections: Of ``params.yaml``, sorted.
    """

    code: tuple[str, ...]
    sections: tuple[str, ...]


class StageGraph:
    """The declarations of ``dvc.yaml`` and hashes of the code they name.

    Args:
        root: Folder of ``dvc.yaml`` and the package.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        document = yaml.safe_load(require_input(root / "dvc.yaml", made_by="download").read_text("utf-8"))
        self._stages: list[dict[str, Any]] = [s.get("do", s) for s in document["stages"].values()]

    def needs(self, module: str) -> Needs:
        """Of the stage whose command is ``python -m <module>``, all its variants together."""
        own = [stage for stage in self._stages if str(stage["cmd"]).split()[2] == module]
        code = {dep for stage in own for dep in stage["deps"] if dep.startswith("components/")}
        sections = {name for stage in own for name in stage["params"] if "." not in name}
        return Needs(tuple(sorted(code)), tuple(sorted(sections)))

    def code_hash(self, folders: Iterable[str]) -> str:
        """Hex SHA-256 over names and contents of the Python files in ``folders``, as they are now."""
        return sha256_files((p for folder in folders for p in (self.root / folder).rglob("*.py")), self.root)
