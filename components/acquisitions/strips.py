"""Index of the strips that registered acquisitions hold: whether ground is new without reading the catalogue.

An image belongs to one strip, so acquisitions without a common strip have no common image. The index is one
object, about 32 bytes for each strip where catalogue entries have megabytes. It is derived: entries
that it lacks, such as those that another process registered just now, are read from the catalogue, and a
missing or damaged index is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict

from components.acquisitions.marker import DeliveredFile, Marker, images_of, strips_of
from components.acquisitions.rejections import RefusedError
from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import seal
from components.contract.keys import STRIPS
from components.lib.datasets.sensors import dataset_of
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import read_sealed
from components.lib.operations.plan import Acquisition
from components.lib.operations.state import State


@dataclass(frozen=True, slots=True)
class Held:
    """Strips of one acquisition.

    Attributes:
        entry_sha256: SHA-256 of the catalogue entry that they were read from.
        sensor: Name of the sensor.
        strips: Strips of its SAR tiles, sorted.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    entry_sha256: str
    sensor: str
    strips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    __pydantic_config__ = ConfigDict(extra="forbid")

    acquisitions: dict[str, Held]


class StripIndex:
    """Index of an object store; read when it is first asked, written by :meth:`save`.

    Args:
        objects: Store of catalogue and index.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._saved: Mapping[str, Held] | None = None
        self._held: dict[str, Held] = {}

    def require_new_ground(self, marker: Marker, state: State) -> None:
        """Refuse an acquisition that repeats tiles of another one: training could not tell the two apart.

        Raises:
            RefusedError: If an acquisition of the same sensor that is not withdrawn has a tile of that name.
            BadDataError: If the catalogue entry of a registered acquisition is damaged.
            MissingInputError: If it is gone.
        """
        self._bring_up_to_date(state)
        strips = strips_of(marker.files, marker.dataset)
        for name, held in self._held.items():
            if held.sensor != marker.sensor or strips.isdisjoint(held.strips):
                continue
            shared = marker.images & _images(Acquisition(name, held.entry_sha256), self._objects)
            if shared:
                raise RefusedError(
                    f"acquisition {marker.id}: {len(shared)} tiles are in {name} too, such as {min(shared)}",
                    next_step=f"withdraw {name} first if this one replaces it, then run "
                    "`python -m components.acquisitions register --again`; otherwise correct the strips' "
                    "names",
                )

    def save(self) -> None:
        """Write the index if it has changed. The later of two writers wins: what it lacks is read again."""
        if self._saved is not None and self._held != self._saved:
            self._objects.put(STRIPS, seal(asdict(_Record(self._held))))
            self._saved = dict(self._held)

    def _bring_up_to_date(self, state: State) -> None:
        if self._saved is None:
            self._saved = self._read()
            self._held = dict(self._saved)
        pending = state.pending
        self._held = {
            name: held for name, held in self._held.items() if pending.get(name) == held.entry_sha256
        }
        missing = [Acquisition(name, sha256) for name, sha256 in pending.items() if name not in self._held]
        self._held |= zip((one.id for one in missing), self._from_catalogue(missing), strict=True)

    def _from_catalogue(self, acquisitions: Iterable[Acquisition]) -> Iterator[Held]:
        with ThreadPoolExecutor(self._objects.readers) as pool:
            yield from pool.map(lambda one: _held(one, self._objects), acquisitions)

    def _read(self) -> Mapping[str, Held]:
        try:
            return read_sealed(self._objects, STRIPS, _Record).acquisitions
        except (MissingInputError, BadDataError):
            return {}


def _held(acquisition: Acquisition, objects: ObjectStore) -> Held:
    entry = json.loads(acquisition.entry(objects))
    sensor = str(entry["sensor"])
    strips = strips_of(_files(entry), dataset_of(sensor))
    return Held(acquisition.sha256, sensor, tuple(sorted(strips)))


def _images(acquisition: Acquisition, objects: ObjectStore) -> set[str]:
    entry = json.loads(acquisition.entry(objects))
    return images_of(_files(entry), dataset_of(str(entry["sensor"])))


def _files(entry: Mapping[str, Any]) -> list[DeliveredFile]:
    return [DeliveredFile.model_construct(**item) for item in entry["objects"]]
