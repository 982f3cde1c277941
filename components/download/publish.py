"""Publication of a partition's finished shards and one manifest, put in place at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from components.download.staging import FinishedShard
from components.lib.disk import require_free_space
from components.lib.files import atomic_directory
from components.lib.shards.manifest import FileRow, write_manifest
from components.lib.shards.packing import shard_name


def publish(acquisitions: Mapping[str, Sequence[FinishedShard]], raw: Path) -> list[FileRow]:
    """Replace ``raw`` by the given acquisitions.

    Shards are hard links where staging and ``raw`` share a disk, copies otherwise. An acquisition's shards do
    not depend on the others: what joins a partition changes the manifest and no shard, so that a cache of
    files keeps them.

    Args:
        acquisitions: Shards by acquisition; none give an empty manifest.
        raw: Folder of the partition.

    Returns:
        The manifest's rows.

    Raises:
        ResourceError: If the disk cannot take the copies.
    """
    rows: list[FileRow] = []
    with atomic_directory(raw) as folder:
        for acquisition, shards in acquisitions.items():
            (folder / acquisition).mkdir()
            for index, shard in enumerate(shards):
                name = f"{acquisition}/{shard_name(index)}"
                _link_or_copy(shard.path, folder / name)
                rows.extend(replace(row, shard=name) for row in shard.rows)
        write_manifest(folder, rows)
    return rows


def _link_or_copy(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:
        # Another disk, or one without links.
        require_free_space(path.parent, source.stat().st_size)
        shutil.copyfile(source, path)
