"""Files that come one after the other: out of a tarball, or out of the rehearsal world.

A tarball is fetched by ranges first (parallel, resumable after a kill) and then streamed once, because a
killed stream over the network would have to begin anew: gzip cannot be entered in the middle. The pass over
the staged file is local, so repeating it costs minutes and no transfer. The staged tarball is removed when
its shards are complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from components.contract.errors import BadDataError, SourceUnavailableError
from components.download.archive import HashingReader, stream_members
from components.download.catalogue import CatalogueEntry
from components.download.journal import Journal, Target
from components.download.release import ReleasePath, UniqueNames, check_complete, wanted
from components.download.sources.base import Generated, Member, Packed, RemoteObject
from components.download.staging import FinishedShard, Staging
from components.download.transfer import Transfer, TransferSettings
from components.lib.disk import require_free_space
from components.lib.shards.manifest import FileRow
from components.lib.shards.packing import shard_name
from components.lib.shards.writer import ShardWriter, WrittenFile

log = logging.getLogger(__name__)

LAYOUT = 1
"""Raised when the same stream comes to give other shards or rows: finished shards are then made anew."""

UNPACK_RATIO = 1.5
"""Shard bytes per byte of tarball, assumed for the check of the disk; float radar hardly compresses."""

ARCHIVE = "archive"


def write_generated(
    entry: CatalogueEntry, delivery: Generated, staging: Staging, shard_bytes: int
) -> list[FinishedShard]:
    """Make the files into shards, unless the same ones are there already.

    Raises:
        ResourceError: If the disk cannot take them.
        BadDataError: If the files are not what the entry promises.
    """
    fingerprint = _fingerprint(entry, delivery.identity, shard_bytes)
    if (there := staging.completed_stream(fingerprint)) is not None:
        log.info("%s: unchanged, nothing to make", entry.id)
        return there
    staging.fresh_partial()
    require_free_space(staging.folder, delivery.size_bound)
    members = tqdm(delivery.members(), total=delivery.count, unit="file", desc=entry.id, disable=None)
    rows = _write(entry, iter(members), delivery.uri + "/", staging, shard_bytes)
    return _complete(staging, fingerprint, rows)


def fetch_packed(
    entry: CatalogueEntry,
    delivery: Packed,
    staging: Staging,
    shard_bytes: int,
    settings: TransferSettings,
) -> list[FinishedShard]:
    """Fetch the tarball, and stream it once into shards, unless the same ones are there already.

    Raises:
        BadDataError: If the tarball is hostile, damaged, incomplete, or has the wrong checksum.
        ResourceError: If the disk cannot take tarball and shards.
        SourceUnavailableError: If the source fails for good.
        ObjectChangedError: If the tarball changed since it was listed.
    """
    item = delivery.archive
    fingerprint = _fingerprint(entry, [item.uri, item.version, item.size, item.md5, item.sha256], shard_bytes)
    if (there := staging.completed_stream(fingerprint)) is not None:
        log.info("%s: unchanged, nothing to fetch", entry.id)
        return there
    if delivery.reason:
        log.info("%s: taking the tarball, because the listing has %s", entry.id, delivery.reason)
    staging.fresh_partial(keep=["journal", ARCHIVE])
    fetched = item.size if delivery.local is None else 0
    needed = int(fetched + item.size * UNPACK_RATIO) - staging.partial_bytes()
    require_free_space(staging.folder, max(0, needed))
    journal, target = _open_journal(staging, item)
    if delivery.local is None:
        Transfer(staging.partial, delivery.reader, settings, entry.id).run([target], journal)
    try:
        rows = _unpack(entry, delivery, staging, shard_bytes)
    except BadDataError:
        # Whatever is wrong with it, the next run must look at fresh bytes.
        journal.discard([target])
        raise
    return _complete(staging, fingerprint, rows)


def _open_journal(staging: Staging, item: RemoteObject) -> tuple[Journal, Target]:
    target = Target(item, ARCHIVE, 0)
    journal = Journal(staging.partial / "journal", [target])
    path = staging.partial / ARCHIVE
    if not path.exists() or path.stat().st_size != item.size:
        journal.discard([target])
        with path.open("ab") as archive:
            archive.truncate(item.size)
    return journal, target


def _unpack(entry: CatalogueEntry, delivery: Packed, staging: Staging, shard_bytes: int) -> list[FileRow]:
    """Stream the tarball into partial shards; its checksum is known, and compared, at the end."""
    item, path = delivery.archive, delivery.local or staging.partial / ARCHIVE
    with (
        _opened(path) as archive,
        tqdm(total=item.size, unit="B", unit_scale=True, desc=f"{entry.id} unpack", disable=None) as bar,
    ):
        reader = HashingReader(archive, bar.update)
        members = stream_members(archive, item.uri, entry.limits, reader=reader)
        rows = _write(entry, members, f"{item.uri}#", staging, shard_bytes)
    md5, sha256 = reader.md5.hexdigest(), reader.sha256.hexdigest()
    right_md5 = item.md5 in (None, md5) or (item.md5_from_etag and not delivery.reader.etag_is_md5(item))
    if not right_md5 or item.sha256 not in (None, sha256):
        raise BadDataError(
            f"{item.uri}: md5 {md5}, sha256 {sha256}; expected {item.md5 or item.sha256}",
            next_step="run the command again to fetch it anew; if it stays so, the source is damaged",
        )
    return rows


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceUnavailableError(
            f"{path}: {error.strerror}", next_step="check the archive and its permissions"
        ) from error


def _write(
    entry: CatalogueEntry, members: Iterator[Member], origin: str, staging: Staging, shard_bytes: int
) -> list[FileRow]:
    """Write the wanted members into partial shards; the acquisition must be complete at the end."""
    rows: list[FileRow] = []
    files: list[ReleasePath] = []
    names = UniqueNames(entry.id)
    with ShardWriter(staging.partial, target_bytes=shard_bytes) as shards:
        for member in members:
            file = wanted(entry, member.path)
            if file is None:
                continue
            names.add(file.name, member.path)
            written = shards.add_chunks(file.member, member.size, member.chunks)
            files.append(file)
            rows.append(_row(entry, file, origin + member.path, written))
    reason = check_complete(entry, files)
    if reason is not None:
        raise BadDataError(
            f"{entry.id}: {origin.rstrip('#/')} has {reason}",
            next_step="correct products, prefix and tiles of the catalogue entry, or the source",
        )
    return rows


def _complete(staging: Staging, fingerprint: str, rows: list[FileRow]) -> list[FinishedShard]:
    finished = [
        staging.finish(Path(shard).name, fingerprint, list(group))
        for shard, group in groupby(rows, key=lambda row: row.shard)
    ]
    names = [shard.path.name for shard in finished]
    staging.complete_stream(fingerprint, names)
    staging.keep_only(names)
    return finished


def _fingerprint(entry: CatalogueEntry, origin: object, shard_bytes: int) -> str:
    identity = [
        LAYOUT,
        entry.id,
        entry.sensor,
        entry.products,
        entry.prefix,
        entry.tiles,
        shard_bytes,
        origin,
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _row(entry: CatalogueEntry, file: ReleasePath, source: str, written: WrittenFile) -> FileRow:
    return FileRow(
        acquisition=entry.id,
        sensor=entry.sensor,
        name=file.name,
        product=file.product,
        strip=file.strip,
        tile=file.tile,
        size=written.slot.size,
        sha256=written.sha256,
        source=source,
        shard=f"{entry.id}/{shard_name(written.slot.shard)}",
        offset=written.slot.offset,
    )
