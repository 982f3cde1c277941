"""Scenes as mapping reads them: pixels of a ground grid, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Box
from components.lib.nets.config import Modality

Pixels = npt.NDArray[np.uint8]
"""(H, W, 4) as in the training store: HH, HV, VH, VV or the optical bands in their place, 0 without data."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """File that a scene was read from: its name without folders, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFacts:
    """Facts of a scene.

    Attributes:
        name: Name for folders and messages: letters, digits, ``-``, ``_`` and ``.`` only.
        sensor: SAR sensor, which names the normalisation; also of the optical images that belong to it.
        modality: ``sar`` or ``optical``.
        crs: Coordinate reference system, such as ``EPSG:32631``.
        orientation: 1 if the strip was imaged from the south, so that networks see it turned by 180 degrees.
        acquired: Begin and end of the acquisition, UTC; None where the names do not tell.
        sources: Files that the scene was read from.
        simulated: True for the rehearsal world.
    """

    name: str
    sensor: str
    modality: Modality
    crs: str
    orientation: int
    acquired: tuple[datetime, datetime] | None
    sources: tuple[SourceFile, ...]
    simulated: bool


class Scene(Protocol):
    """One look at the ground by one sensor, on a north-up grid of the model's pixel size.

    Attributes:
        facts: Facts of the scene.
        grid: Its place on the ground.
    """

    @property
    def facts(self) -> SceneFacts:
        """See the class."""
        ...

    @property
    def grid(self) -> Grid:
        """See the class."""
        ...

    def read(self, box: Box) -> Pixels:
        """Return the pixels of ``box``, north up, 0 beyond the scene's ends.

        Safe to call from several threads.

        Raises:
            BadDataError: If the file is damaged there.
        """
        ...
