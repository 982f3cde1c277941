"""Objects of known size, fetched by ranges straight to their place in the shards.

The layout follows from the listing, so nothing is stored twice on the way and a kill loses at most the ranges
in flight. Every shard is closed by itself: headers, then one pass over its bytes that computes the sha256 of
each file and compares what checksums there are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from components.contract.errors import BadDataError
from components.download.catalogue import CatalogueEntry
from components.download.journal import Journal, Target
from components.download.release import ReleasePath, UniqueNames, classify
from components.download.sources.base import LooseFiles, RangeReader, RemoteObject
from components.download.staging import FinishedShard, Staging
from components.download.transfer import Transfer, TransferSettings
from components.lib.datasets.sensors import dataset_of
from components.lib.disk import require_free_space
from components.lib.shards.manifest import FileRow
from components.lib.shards.packing import END_OF_ARCHIVE, Packer, Slot, member_header, shard_name

log = logging.getLogger(__name__)

LAYOUT = 1
"""Raised when the same objects come to give other shards or rows: finished shards are then made anew."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Placed:
    """One object, what it is, and its slot."""

    item: RemoteObject
    file: ReleasePath
    slot: Slot

    @property
    def target(self) -> Target:
        """Place of its bytes."""
        return Target(self.item, shard_name(self.slot.shard), self.slot.offset)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to be."""

    name: str
    fingerprint: str
    placed: tuple[Placed, ...]

    @property
    def size(self) -> int:
        """Bytes of the finished shard."""
        return self.placed[-1].slot.end + len(END_OF_ARCHIVE)


def plan_shards(entry: CatalogueEntry, delivery: LooseFiles, shard_bytes: int) -> list[ShardPlan]:
    """Plan the shards for the objects, in order of their names inside the shards.

    Raises:
        BadDataError: If two objects carry the same file name.
    """
    names, packer = UniqueNames(entry.id), Packer(shard_bytes)
    dataset = dataset_of(entry.sensor)
    described = [
        (file, item) for item in delivery.objects if (file := classify(item.path, dataset)) is not None
    ]
    placed = []
    for file, item in sorted(described, key=lambda pair: pair[0].member):
        names.add(file.name, item.path)
        placed.append(Placed(item, file, packer.place(file.member, item.size)))
    return [
        _plan(entry, shard_name(index), tuple(group))
        for index, group in groupby(placed, key=lambda one: one.slot.shard)
    ]


def _plan(entry: CatalogueEntry, name: str, placed: tuple[Placed, ...]) -> ShardPlan:
    identity = [
        LAYOUT,
        entry.id,
        entry.sensor,
        [[one.target.identity, one.item.md5, one.item.sha256, one.file.member] for one in placed],
    ]
    return ShardPlan(name, hashlib.sha256(json.dumps(identity).encode()).hexdigest(), placed)


def fetch_loose(
    entry: CatalogueEntry,
    delivery: LooseFiles,
    staging: Staging,
    shard_bytes: int,
    settings: TransferSettings,
) -> list[FinishedShard]:
    """Bring all shards of ``delivery`` into ``staging``, fetching only what is not there.

    Raises:
        BadDataError: If an object's checksum is wrong twice.
        ResourceError: If the disk cannot take what is missing.
        SourceUnavailableError: If the source fails for good.
        ObjectChangedError: If an object changed since it was listed.
    """
    plans = plan_shards(entry, delivery, shard_bytes)
    finished = {
        plan.name: shard for plan in plans if (shard := staging.finished(plan.name, plan.fingerprint))
    }
    todo = {plan.name: plan for plan in plans if plan.name not in finished}
    staging.fresh_partial(keep=["journal", *todo])
    require_free_space(
        staging.folder, max(0, sum(plan.size for plan in todo.values()) - staging.partial_bytes())
    )
    journal = Journal(
        staging.partial / "journal", [one.target for plan in todo.values() for one in plan.placed]
    )
    _lay_out(staging, journal, todo)
    fetched = 0
    for last_try in (False, True):
        spoilt: list[Placed] = []

        def close(name: str, spoilt: list[Placed] = spoilt) -> None:
            rows, wrong = seal(entry, todo[name], staging.partial / name, delivery.reader)
            spoilt.extend(wrong)
            if not wrong:
                finished[name] = staging.finish(name, todo[name].fingerprint, rows)

        targets = [one.target for plan in todo.values() if plan.name not in finished for one in plan.placed]
        fetched += Transfer(staging.partial, delivery.reader, settings, entry.id).run(targets, journal, close)
        if not spoilt:
            break
        journal.discard(one.target for one in spoilt)
        if last_try:
            raise _wrong_checksum(spoilt)
        log.warning("%s: %d objects had a wrong checksum; fetching them again", entry.id, len(spoilt))
    log.info(
        "%s: %d files in %d shards, %d bytes fetched", entry.id, len(delivery.objects), len(plans), fetched
    )
    staging.keep_only([plan.name for plan in plans])
    return [finished[plan.name] for plan in plans]


def _lay_out(staging: Staging, journal: Journal, todo: dict[str, ShardPlan]) -> None:
    """Give every shard under way its final size; ranges of one that is gone or cut count no more."""
    for name, plan in todo.items():
        path = staging.partial / name
        if not path.exists() or path.stat().st_size != plan.size:
            journal.discard(one.target for one in plan.placed)
            with path.open("ab") as shard:
                shard.truncate(plan.size)


def seal(
    entry: CatalogueEntry, plan: ShardPlan, path: Path, reader: RangeReader
) -> tuple[list[FileRow], list[Placed]]:
    """Write the shard's frame, hash its files, compare checksums.

    Returns:
        Manifest rows, and the objects whose checksum is wrong.
    """
    rows, wrong = [], []
    with path.open("r+b") as shard:
        for one in plan.placed:
            shard.seek(one.slot.start)
            shard.write(member_header(one.slot.name, one.slot.size))
            md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
            left = one.item.size
            while left and (chunk := shard.read(min(_CHUNK, left))):
                md5.update(chunk)
                sha256.update(chunk)
                left -= len(chunk)
            shard.seek(one.slot.offset + one.item.size)
            shard.write(bytes(one.slot.end - shard.tell()))
            if _is_wrong(one.item, md5.hexdigest(), sha256.hexdigest(), reader):
                wrong.append(one)
            rows.append(_row(entry, one, plan.name, sha256.hexdigest()))
        shard.seek(plan.size - len(END_OF_ARCHIVE))
        shard.write(END_OF_ARCHIVE)
        shard.flush()
        os.fsync(shard.fileno())
    return rows, wrong


def _is_wrong(item: RemoteObject, md5: str, sha256: str, reader: RangeReader) -> bool:
    if item.sha256 is not None and item.sha256 != sha256:
        return True
    if item.md5 is None or item.md5 == md5:
        return False
    return not item.md5_from_etag or reader.etag_is_md5(item)


def _wrong_checksum(spoilt: list[Placed]) -> BadDataError:
    names = ", ".join(one.item.uri for one in spoilt[:3]) + (", ..." if len(spoilt) > 3 else "")
    return BadDataError(
        f"{names}: fetched twice, without the checksum that the catalogue or the listing gives",
        next_step="compare the object with its publisher's checksum before using it",
    )


def _row(entry: CatalogueEntry, one: Placed, shard: str, sha256: str) -> FileRow:
    return FileRow(
        acquisition=entry.id,
        sensor=entry.sensor,
        name=one.file.name,
        product=one.file.product,
        strip=one.file.strip,
        tile=one.file.tile,
        size=one.item.size,
        sha256=sha256,
        source=one.item.uri,
        shard=f"{entry.id}/{shard}",
        offset=one.slot.offset,
    )
