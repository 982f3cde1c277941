"""Partitions of the acquisitions: download, validate and prepare run once for each.

An acquisition's partition follows from its id and the number of partitions alone, so that the stages in the
graph do not depend on what is registered, and a new acquisition reruns those of its own partition only.
``params.lock`` names a hash of each partition's acquisitions, the dependency of its download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.contract.documents import nearest, shown
from components.contract.errors import ParameterError
from components.contract.hashing import sha256_file, sha256_json

PARTITIONS = "partitions"
"""Key of ``params.yaml``: the number of partitions. In ``graph`` of ``params.lock``: their names."""

MAX_PARTITIONS = 64

PARTITION_HASHES = "partition_sha256"
"""Key of ``params.lock``: by partition, the SHA-256 over the ids and entries of its acquisitions."""

CATALOGUE = Path("components/download/catalogue")
"""Folder of catalogue entries, relative to the root of the pipeline."""

START_PATHS: Mapping[str | None, str] = {
    None: "data/prepared/index.parquet",
    "pretrain": "models/pretrain",
}
"""What a training of stage optical depends on by the value of ``optical.start``."""

Sections = Mapping[str, Any]


def partition_names(sections: Sections) -> list[str]:
    """Return the names of all partitions, ``p00`` to ``p63`` at most.

    Args:
        sections: Sections of ``params.yaml``, with the active profile laid over them; one partition without
            the key.

    Raises:
        ParameterError: If ``partitions`` is no whole number from 1 to 64.
    """
    count = sections.get(PARTITIONS, 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_PARTITIONS:
        raise ParameterError(
            f"{PARTITIONS}: a whole number from 1 to {MAX_PARTITIONS} is needed (got {shown(count)})",
            next_step=f"correct {PARTITIONS} in params.yaml, or in what the active profile lays over it",
        )
    return [f"p{number:02d}" for number in range(count)]


def require_partition(name: str, names: Sequence[str]) -> str:
    """Return ``name`` if there is such a partition.

    Raises:
        ParameterError: If there is none.
    """
    if name not in names:
        raise ParameterError(
            f"--partition: there is no partition {shown(name)}{nearest(name, names)}",
            next_step=f"use one of {names[0]} to {names[-1]}; {PARTITIONS} in params.yaml is their number",
        )
    return name


def partition_of(acquisition: str, names: Sequence[str]) -> str:
    """Return the partition of an acquisition: a hash of its id, modulo the number of partitions."""
    return names[int.from_bytes(hashlib.sha256(acquisition.encode()).digest()) % len(names)]


def acquisitions_of(partition: str, acquisitions: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the acquisitions that fall into ``partition``, sorted."""
    return sorted(name for name in acquisitions if partition_of(name, names) == partition)


def partition_hashes(
    sections: Sections, root: Path, registered: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return by partition the SHA-256 over the ids of its acquisitions and their catalogue entries.

    Args:
        sections: As for :func:`partition_names`. What is no list of names counts as none: the check of
            parameters says so.
        root: Folder of ``components``. An entry that is not there counts as empty: download refuses it.
        registered: SHA-256 of entries that need not be there, by acquisition.
    """
    listed = sections.get("acquisitions")
    acquisitions = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    names = partition_names(sections)
    members: dict[str, dict[str, str | None]] = {name: {} for name in names}
    for acquisition in acquisitions:
        entry = root / CATALOGUE / f"{acquisition}.yaml"
        sha256 = registered.get(acquisition) or (sha256_file(entry) if entry.is_file() else None)
        members[partition_of(acquisition, names)][acquisition] = sha256
    return {name: sha256_json(inside) for name, inside in members.items()}


def graph_values(sections: Sections) -> dict[str, Any]:
    """Return what ``${graph...}`` names in ``dvc.yaml``: the sections, with two values as paths and names.

    ``partitions`` are the partitions' names. ``optical.start`` is the path of what stage optical starts from:
    DVC knows no optional dependency, so without a start it is a file that the training reads anyway.
    """
    named: dict[str, Any] = {PARTITIONS: partition_names(sections)} if PARTITIONS in sections else {}
    optical = sections.get("optical")
    if isinstance(optical, Mapping):
        start = optical.get("start")
        path = START_PATHS.get(start) if isinstance(start, str | None) else None
        named["optical"] = {**optical, "start": start if path is None else path}
    return {**sections, **named}
