"""``data/raw``: the finished shards of all acquisitions and one manifest, put in place at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from components.contract.errors import ParameterError
from components.download.staging import FinishedShard
from components.lib.disk import require_free_space
from components.lib.files import atomic_directory
from components.lib.shards.manifest import FileRow, write_manifest
from components.lib.shards.packing import END_OF_ARCHIVE, MAX_SHARDS, shard_name


def publish(acquisitions: Mapping[str, Sequence[FinishedShard]], raw: Path) -> list[FileRow]:
    """Replace ``raw`` by the given acquisitions.

    Shards are hard links where staging and ``raw`` share a disk, copies otherwise. If there are more than 64
    in all, neighbouring shards of each acquisition are joined.

    Returns:
        The manifest's rows.

    Raises:
        ParameterError: If there are more than 64 acquisitions.
        ResourceError: If the disk cannot take the copies.
    """
    if len(acquisitions) > MAX_SHARDS:
        raise ParameterError(
            f"acquisitions: {len(acquisitions)}, but data/raw holds at most {MAX_SHARDS} shards",
            next_step="split them over several runs",
        )
    rows: list[FileRow] = []
    total = sum(map(len, acquisitions.values()))
    with atomic_directory(raw) as folder:
        for acquisition, shards in acquisitions.items():
            limit = len(shards) if total <= MAX_SHARDS else MAX_SHARDS // len(acquisitions)
            (folder / acquisition).mkdir()
            for index, group in enumerate(_groups(shards, limit)):
                name = f"{acquisition}/{shard_name(index)}"
                rows.extend(_place(group, folder / name, name))
        write_manifest(folder, rows)
    return rows


def _groups(shards: Sequence[FinishedShard], limit: int) -> list[Sequence[FinishedShard]]:
    """Divide ``shards``, in order, into at most ``limit`` runs of nearly equal length."""
    count = min(limit, len(shards))
    edges = [len(shards) * i // count for i in range(count + 1)]
    return [shards[start:stop] for start, stop in pairwise(edges)]


def _place(group: Sequence[FinishedShard], path: Path, name: str) -> list[FileRow]:
    if len(group) == 1:
        _link_or_copy(group[0].path, path)
        return [replace(row, shard=name) for row in group[0].rows]
    return _join(group, path, name)


def _link_or_copy(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:
        # Another disk, or one without links.
        require_free_space(path.parent, source.stat().st_size)
        shutil.copyfile(source, path)


def _join(group: Sequence[FinishedShard], path: Path, name: str) -> list[FileRow]:
    """Join tars, without the end marks between them, and move the offsets by what comes before."""
    require_free_space(path.parent, sum(shard.path.stat().st_size for shard in group))
    rows: list[FileRow] = []
    with path.open("wb") as joined:
        for shard in group:
            start = joined.tell()
            rows.extend(replace(row, shard=name, offset=row.offset + start) for row in shard.rows)
            with shard.path.open("rb") as part:
                shutil.copyfileobj(part, joined, 1 << 20)
            joined.seek(-len(END_OF_ARCHIVE), os.SEEK_CUR)
            joined.truncate()
        joined.write(END_OF_ARCHIVE)
    return rows
