"""Interface of a map's objects: what a block keeps of them, and their table, made of all blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from components.lib.mapping.blockfile import FinishedBlock
from components.lib.mapping.levels import Levels
from components.lib.tasks.names import TaskName
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.writer import OutputWriter


class ObjectTable(OutputWriter):
    """Writer of the table of a map's objects from its blocks."""

    @abstractmethod
    def add(self, number: int, block: FinishedBlock, name: str) -> None:
        """Take a block; each is added once, in ascending order.

        Args:
            number: Block.
            block: Its content.
            name: Its address, for messages.

        Raises:
            BadDataError: If what was drawn of it is damaged.
            ResourceError: If the disk is full.
        """


class MapProduct(ABC):
    """Objects that a map is made of.

    Attributes:
        task: Task of the networks that predict them.
        threshold: Probability above which a pixel belongs to an object.
    """

    task: ClassVar[TaskName]
    threshold: float

    @abstractmethod
    def draw(self, number: int, levels: Levels) -> bytes:
        """Return what a block keeps beside its levels.

        Args:
            number: Block.
            levels: (C, h, w) uint8 of its pixels.

        Raises:
            BadDataError: If they cannot be drawn.
        """

    @abstractmethod
    def table(self, folder: Path, facts: MapFacts) -> ObjectTable:
        """Return the writer of the table in ``folder``."""
