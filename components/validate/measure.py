"""Measuring of a partition: features of its tiles, and what is wrong with its summary files.

This is the part of the stage that reads pixels. It holds no limit against anything, so that no parameter
changes it, and it looks at one acquisition at a time, so that it does not matter which of them share a
partition: :mod:`.stage` judges all partitions together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from components.contract.errors import BadDataError, first_line
from components.lib.files import atomic_directory, read_json, require_input, write_json
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.validate.rules import SetFailure
from components.validate.summary import read_summaries
from components.validate.table import concatenated, tile_table
from components.validate.tiles import gather_tiles

FEATURES_FILE, FACTS_FILE = "features.parquet", "facts.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of one or more partitions.

    Attributes:
        features: One row per tile, sorted by acquisition and image id.
        sensors: Sensors in the manifests, sorted.
        files: Number of files in the manifests.
        failures: Faults of the summary files, sorted by acquisition.
    """

    features: pd.DataFrame
    sensors: list[str]
    files: int
    failures: list[SetFailure]


def measure(raw: Path, out: Path) -> None:
    """Measure every tile of one partition.

    Args:
        raw: The partition's folder of shards.
        out: Folder for ``features.parquet`` and ``facts.json``, replaced whole or not at all.

    Raises:
        MissingInputError: If the manifest or a shard is absent.
        ParameterError: If the manifest names an unknown sensor.
    """
    manifest = read_manifest(raw)
    with ShardReader(raw) as reader:
        summaries, failures = read_summaries(manifest, reader.read)
        features = tile_table(gather_tiles(manifest), summaries, reader.read)
    facts = {
        "files": len(manifest),
        "sensors": sorted(set(manifest["sensor"])),
        "failures": [asdict(failure) for failure in failures],
    }
    with atomic_directory(out) as folder:
        features.to_parquet(folder / FEATURES_FILE, index=False)
        write_json(folder / FACTS_FILE, facts)


def read_measured(folder: Path, partitions: Sequence[str]) -> Measured:
    """Read the measurements of all partitions; which partition a tile is in makes no difference.

    Args:
        folder: Folder of the partitions' measurements.
        partitions: Names of the partitions; what else lies in the folder is not read.

    Raises:
        MissingInputError: If a partition was not measured.
        BadDataError: If its files are damaged.
    """
    facts = [read_json(folder / name / FACTS_FILE, made_by=f"validate@{name}") for name in partitions]
    failures = [SetFailure(**failure) for part in facts for failure in part["failures"]]
    return Measured(
        features=concatenated([_read_features(folder / name, name) for name in partitions]),
        sensors=sorted({sensor for part in facts for sensor in part["sensors"]}),
        files=sum(part["files"] for part in facts),
        failures=sorted(failures, key=lambda failure: failure.subject),
    )


def _read_features(folder: Path, partition: str) -> pd.DataFrame:
    path = require_input(folder / FEATURES_FILE, made_by=f"validate@{partition}")
    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadDataError(
            f"{path} is no table of features: {first_line(error)[:200]}",
            next_step=f"run `dvc repro --force validate@{partition}`",
        ) from error
