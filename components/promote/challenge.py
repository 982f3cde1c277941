"""A challenger of a registered model, and everything that it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.promote.checks import Check
from components.promote.ground import Ground
from components.promote.parameters import PromoteParameters
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores

Reproducer = Callable[[Path, CleanTestScores, str], Reproduction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenger of a registered model, and everything that it is judged by.

    Attributes:
        folder: Folder of the challenger.
        made_by: Stage that makes it.
        control: Folder of the control that it must beat; None where there is none.
        control_name: The control in words.
        ground: Test ground.
        data: Check of the data that it was made from.
        rules: Conditions that it must meet.
        hashes: SHA-256 of parameters, data, code and data verdict, by name.
        reproducer: Function that scores a registered artefact in a fresh process.
    """

    folder: Path
    made_by: str
    control: Path | None
    control_name: str
    ground: Ground[Any]
    data: Check
    rules: PromoteParameters
    hashes: Mapping[str, str]
    reproducer: Reproducer

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of challenger and control."""
        return (self.folder,) if self.control is None else (self.folder, self.control)
