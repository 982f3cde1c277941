"""``simulate://``: the rehearsal world, made on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Self

from components.contract.hashing import sha256_folder
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.sources.base import Delivery, Generated, Member
from components.lib.config.loader import load_parameters
from components.lib.datasets.sensors import get_sensor

if TYPE_CHECKING:
    from components.simulation.parameters import WorldParameters

CODE = ("components.simulation", "components.lib.datasets")
"""Packages whose source decides the simulated bytes."""

LIBRARIES = ("numpy", "rasterio", "scipy", "shapely")
"""Distributions whose version may change them."""

BYTES_PER_PIXEL = 32
"""Upper bound over all products: SAR 16, pan-sharpened optical 7, and room for labels and headers."""


class SimulatedSource:
    """One sensor's view of the world.

    Args:
        entry: The catalogue entry.
        world: Section ``world`` of the parameters.
    """

    def __init__(self, entry: CatalogueEntry, world: WorldParameters) -> None:
        self._entry = entry
        self._world = world

    @classmethod
    def open(cls, entry: CatalogueEntry, parameters: DownloadParameters, params_file: Path) -> Self:
        """Read the world's parameters."""
        from components.simulation.parameters import WorldParameters  # noqa: PLC0415 - a real download needs no world

        del parameters
        return cls(entry, load_parameters("world", WorldParameters, params_file))

    def deliver(self) -> Delivery:
        """Return the files to come; nothing is simulated yet."""
        from components.simulation.release import count_files  # noqa: PLC0415

        pixels = self._world.tiles * self._world.tile_px**2
        return Generated(
            uri=f"simulate://{self._entry.sensor}",
            identity=self._identity(),
            members=self._members,
            count=count_files(get_sensor(self._entry.sensor), self._world, self._entry.id),
            size_bound=pixels * BYTES_PER_PIXEL,
        )

    def _members(self) -> Iterator[Member]:
        from components.simulation.release import release_files  # noqa: PLC0415

        for file in release_files(get_sensor(self._entry.sensor), self._world, self._entry.id):
            yield Member(file.path, len(file.content), iter((file.content,)))

    def _identity(self) -> str:
        """Return what the bytes are a function of: world, sensor, code and library versions."""
        parts = {
            "world": self._world.model_dump(mode="json"),
            "sensor": self._entry.sensor,
            "code": {name: code_hash(name) for name in CODE},
            "libraries": {name: version(name) for name in LIBRARIES},
        }
        return json.dumps(parts, sort_keys=True)


def code_hash(package: str) -> str:
    """Return the hex SHA-256 over names and contents of a package's files."""
    return sha256_folder(Path(import_module(package).__path__[0]))
