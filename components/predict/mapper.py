"""Interface of mapping (scenes, networks, outputs, catalogue) to the commands of the DAG ``map``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from components.lib.mapping.blocks import Blocks
from components.lib.objects.protocol import ObjectStore
from components.predict.planning import ModelPin


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Files of a registered acquisition, as mapping opens them.

    Attributes:
        acquisition: Id of the acquisition.
        uri: URI or folder of the copy of its files, ending with a slash.
        entry: Catalogue entry: ``sensor``, ``simulated``, ``prefix``, ``products``, and ``objects`` with the
            ``key`` below ``uri``, ``size`` and ``sha256`` of each file.
    """

    acquisition: str
    uri: str
    entry: Mapping[str, Any]


class OpenedMap(Protocol):
    """Map of one delivery by one model, as ``components.predict.mapping.Mapping`` makes it."""

    @property
    def blocks(self) -> Blocks:
        """Grid in pixels and its division."""
        ...

    def map_blocks(self, numbers: Iterable[int], work: ObjectStore, prefix: str) -> None:
        """Map blocks, each one object below ``prefix`` that is created once; skip those that exist."""
        ...

    def missing(self, work: ObjectStore, prefix: str) -> list[int]:
        """Return the blocks that ``prefix`` lacks."""
        ...

    def finish(self, work: ObjectStore, prefix: str, out: Path) -> Mapping[str, Any]:
        """Write the folder ``out`` with all files of the map, whole or not at all; return its STAC item."""
        ...


class Mapper(Protocol):
    """Means of mapping that these commands do not know: scenes, networks, outputs, catalogue."""

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the parameters that a map depends on."""
        ...

    @property
    def code(self) -> str:
        """SHA-256 of the code of mapping."""
        ...

    @property
    def geopackage(self) -> bool:
        """True if maps and changes have a GeoPackage, too."""
        ...

    def check(self, delivery: Delivery, scratch: Path) -> Mapping[str, Any]:
        """Read and check all files of a delivery.

        Args:
            delivery: Files of an acquisition.
            scratch: Folder for what is fetched meanwhile.

        Returns:
            Inventory of its tiles, JSON values: :meth:`open` needs no more to know grid and facts.

        Raises:
            BadDataError: If the delivery cannot be mapped: another sensor, no georeference, damaged files.
        """
        ...

    def open(
        self, map_id: str, delivery: Delivery, inventory: Mapping[str, Any], model: ModelPin, scratch: Path
    ) -> OpenedMap:
        """Open a checked delivery for a model; tiles and network are loaded when a block needs them.

        Args:
            map_id: Id of the map.
            delivery: Files of an acquisition.
            inventory: What :meth:`check` returned, trusted in nothing.
            model: Model; its bytes are held against the pinned hash.
            scratch: Folder for what is fetched; it lasts as long as the map is open.

        Raises:
            BadDataError: If the inventory is damaged, or of other files than the delivery's.
        """
        ...
