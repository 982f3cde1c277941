"""Acquisitions and champions in a store, and a mapper whose maps are their blocks' numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_bytes
from components.contract.keys import catalogue_key, champion_chain, delivery_prefix
from components.lib.files import atomic_directory
from components.lib.ledger.chain import Chain
from components.lib.mapping.blocks import Blocks
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.registry.served import SAR_MODEL
from components.predict.mapper import Delivery
from components.predict.planning import ModelPin


class KilledError(BaseException):
    """Stands for SIGKILL: nothing after it is done."""


@dataclass
class FakeMap:
    """Map of one delivery, whose outputs are made of the contents of its blocks."""

    mapper: FakeMapper
    delivery: Delivery
    model: ModelPin
    blocks: Blocks

    def map_blocks(self, numbers: Iterable[int], work: ObjectStore, prefix: str) -> None:
        for number in numbers:
            if work.exists(f"{prefix}{number}"):
                continue
            if self.mapper.before_block is not None:
                self.mapper.before_block(self.delivery.acquisition, number)
            work.create(f"{prefix}{number}", f"{self.delivery.acquisition} {number}\n".encode())
            self.mapper.mapped.append((self.delivery.acquisition, number))

    def missing(self, work: ObjectStore, prefix: str) -> list[int]:
        there = {info.key.removeprefix(prefix) for info in work.list(prefix)}
        return [number for number in range(len(self.blocks)) if str(number) not in there]

    def finish(self, work: ObjectStore, prefix: str, out: Path) -> Mapping[str, Any]:
        item: dict[str, Any] = {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": self.delivery.acquisition,
            "geometry": None,
            "properties": {
                "datetime": "2026-11-29T00:00:00Z",
                "stormsight:model": {"version": self.model.version},
            },
            "links": [],
            "assets": {"probability": {"href": "./probability.tif"}},
        }
        with atomic_directory(out) as folder:
            parts = [work.get(f"{prefix}{number}") for number in range(len(self.blocks))]
            (folder / "probability.tif").write_bytes(b"".join(parts))
        if self.mapper.before_publishing is not None:
            self.mapper.before_publishing()
        return item


@dataclass
class FakeMapper:
    """Mapper of deliveries whose single file states the size of the scene, in blocks of one pixel."""

    objects: ObjectStore
    parameters_sha256: str = "0" * 64
    code: str = "1" * 64
    geopackage: bool = False
    mapped: list[tuple[str, int]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    before_block: Callable[[str, int], None] | None = None
    before_publishing: Callable[[], None] | None = None

    def check(self, delivery: Delivery, scratch: Path) -> Mapping[str, Any]:
        assert not any(scratch.iterdir()), "each delivery has a folder of its own"
        (scratch / "fetched").touch()
        prefix = delivery.uri.removeprefix(f"{self.objects.uri}/")
        assert delivery.entry["id"] == delivery.acquisition
        self.checked.append(delivery.acquisition)
        size = self.objects.get(f"{prefix}{delivery.entry['objects'][0]['key']}")
        if not size.isdigit():
            raise BadDataError(f"{delivery.acquisition}: no raster", next_step="land it again")
        return {"blocks": int(size)}

    def open(
        self, map_id: str, delivery: Delivery, inventory: Mapping[str, Any], model: ModelPin, scratch: Path
    ) -> FakeMap:
        assert not any(scratch.iterdir()), "each map has a folder of its own"
        (scratch / "fetched").touch()
        assert map_id.startswith(f"{delivery.acquisition}-")
        return FakeMap(self, delivery, model, Blocks((1, inventory["blocks"]), 1))


def register(
    objects: ObjectStore, name: str, content: bytes, *, sensor: str | None = None, entry: bytes | None = None
) -> None:
    """Register an acquisition of one file."""
    stated = {} if sensor is None else {"sensor": sensor}
    entry = entry or json.dumps({"id": name, "objects": [{"key": "scene"}], **stated}).encode()
    marker = sha256_bytes(name.encode())
    objects.put(f"{delivery_prefix(name, marker)}scene", content)
    objects.create(catalogue_key(name), entry)
    Operations(objects).register(
        Registered(acquisition=name, catalogue_sha256=sha256_bytes(entry), marker_sha256=marker)
    )


def promote(objects: ObjectStore, version: str, action: str = "promote") -> None:
    """Make a version champion, or return to it."""
    chain = Chain(objects, champion_chain(SAR_MODEL))
    entries = chain.entries()
    change = {
        "action": action,
        "model": SAR_MODEL,
        "version": version,
        "previous_version": entries[-1].body["version"] if entries else None,
        "decision": "0" * 64,
        "reason": "a test",
        "files": {"weights.safetensors": hashlib.sha256(version.encode()).hexdigest()},
    }
    chain.append(entries[-1] if entries else None, change)
