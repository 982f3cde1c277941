"""A small simulated release, and what the pipeline makes of it undisturbed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.shards.manifest import write_manifest
from components.lib.shards.writer import ShardWriter
from components.lib.store.layout import INDEX_FILE, LAYERS, footprints_path
from tests.campaign.processes import command, run_forked
from tests.campaign.verdicts import Ended
from tests.lib.shards.packed import packed_row
from tests.lib.store.tiny_store import array_path

ROOT = Path(__file__).parents[2]
SENSOR, ACQUISITION = "simulated-airborne", "chaos"
TILES, SIDE_PX, SEED = 12, 128, 7

STAGE_LIMIT_S = 60.0
"""Time for a stage that handles many tiles at once: seconds where nothing hangs."""

SAR, OPTICAL, LABELS = SPACENET6.sar.name, SPACENET6.optical.name, SPACENET6.labels.name
SUMMARY = SPACENET6.summaries.product


@dataclass(frozen=True, slots=True)
class TileKey:
    """Strip and number of a tile."""

    strip: str
    number: int

    @property
    def image_id(self) -> str:
        """Key that all files of the tile share."""
        return SPACENET6.image_id(self.strip, self.number)

    def file_name(self, product: str) -> str:
        """Return the tile's file of ``product``."""
        return SPACENET6.file_name(product, self.strip, self.number)


@dataclass(frozen=True, slots=True)
class Release:
    """Files of one acquisition.

    Attributes:
        tiles: Tile to its files by product.
        summaries: Summary files by name.
    """

    tiles: Mapping[TileKey, Mapping[str, bytes]]
    summaries: Mapping[str, bytes]

    def write(self, raw: Path) -> None:
        """Write shards and manifest as the download stage leaves them."""
        rows = []
        with ShardWriter(raw / ACQUISITION) as shards:

            def add(name: str, product: str, strip: str, tile: int, content: bytes) -> None:
                place = {"acquisition": ACQUISITION, "sensor": SENSOR, "source": "simulate://chaos"}
                rows.append(
                    packed_row(shards, name, content, product=product, strip=strip, tile=tile, **place)
                )

            for tile, files in self.tiles.items():
                for product, content in files.items():
                    add(tile.file_name(product), product, tile.strip, tile.number, content)
            for name, content in self.summaries.items():
                add(name, SUMMARY, "", -1, content)
        write_manifest(raw, rows)


def landed(folder: Path) -> Path:
    """Land the simulated release in ``folder`` once; return the folder that has its products."""
    landing = folder / "landing"
    base = landing / "base" / "train" / "AOI_11_Rotterdam"
    if not base.exists():
        shutil.rmtree(landing, ignore_errors=True)
        landing.mkdir(parents=True)
        write_parameters(landing / "params.yaml")
        sizes = ("--tiles", str(TILES), "--tile-px", str(SIDE_PX), "--seed", str(SEED))
        ended = run_forked(
            command("components.acquisitions", "land", "--id", "base", *sizes),
            landing,
            variables={"STORMSIGHT_LANDING": str(landing)},
            limit_s=120,
        )
        assert ended.code == 0, ended.stderr
    return base


def read_release(base: Path) -> Release:
    """Read a landed release into memory."""
    tiles: dict[TileKey, dict[str, bytes]] = {}
    summaries: dict[str, bytes] = {}
    for path in sorted(path for path in base.rglob("*") if path.is_file()):
        if SPACENET6.matches(path.name):
            name = SPACENET6.parse(path.name)
            tiles.setdefault(TileKey(name.strip, name.tile), {})[name.product] = path.read_bytes()
        else:
            summaries[path.name] = path.read_bytes()
    assert len(tiles) == TILES, "the simulation made another number of tiles"
    return Release(tiles, summaries)


def repeated(release: Release, times: int) -> Release:
    """Return the release with every tile under ``times`` numbers; a run costs little more for many tiles."""
    tiles = {
        TileKey(key.strip, key.number + 10_000 * turn): files
        for turn in range(times)
        for key, files in release.tiles.items()
    }
    return Release(tiles, release.summaries)


def write_parameters(path: Path, **sections: Any) -> None:
    """Write the smoke profile with limits so lenient that only tiles are judged, never the set."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    document["profile"] = "smoke"
    document["validate"] |= {
        "max_quarantine_share": 1.0,
        "min_strip_coverage": 0.0,
        "mean_range": [0.0, 1.0],
        "max_strip_drift": 1.0e9,
    }
    for name, changes in sections.items():
        document[name] = {**document[name], **changes} if isinstance(changes, Mapping) else changes
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Stored:
    """Content of the training store by image id.

    Attributes:
        arrays: Layer by name, (H, W, C) each.
        facts: The row of the index without its place in the arrays.
        footprints: WKT of every footprint, in pixels of the stored grid.
    """

    arrays: Mapping[str, Mapping[str, np.ndarray[Any, Any]]]
    facts: Mapping[str, Mapping[str, Any]]
    footprints: Mapping[str, list[str]]


def read_store(folder: Path) -> Stored:
    """Read the store that prepare left."""
    index = pd.read_parquet(folder / INDEX_FILE)
    layers = {name: np.load(array_path(folder, SENSOR, name)) for name in LAYERS}
    table = pd.read_parquet(footprints_path(folder, "p00"))
    arrays, facts = {}, {}
    for record in index.to_dict("records"):
        image_id, row = str(record["image_id"]), int(record["position"])
        arrays[image_id] = {name: layer[row] for name, layer in layers.items()}
        # The split follows from the other tiles, too.
        left_out = ("row", "position", "split", "clean", "kang")
        facts[image_id] = {str(key): value for key, value in record.items() if key not in left_out}
    found = {str(name): [str(w) for w in rows["wkt_px"]] for name, rows in table.groupby("image_id")}
    return Stored(arrays, facts, found)


def difference(right: Stored, found: Stored, image_id: str) -> str | None:
    """Return the first thing about a tile in ``found`` that is not as in ``right``."""
    if image_id not in found.facts:
        return "is missing"
    for name, array in right.arrays[image_id].items():
        other = found.arrays[image_id][name]
        if array.shape != other.shape or not np.array_equal(array, other):
            return f"its {name} differs"
    if found.footprints.get(image_id) != right.footprints.get(image_id):
        return "its footprints differ"
    for name, value in right.facts[image_id].items():
        if not _same(value, found.facts[image_id][name]):
            return f"its {name} is {found.facts[image_id][name]} instead of {value}"
    return None


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) or (isinstance(a, float) and abs(a - b) < 1e-6)


def read_quarantined(path: Path) -> dict[str, str]:
    """Return the reason by image id of the tiles that validate quarantined."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return dict(zip(table["image_id"], table["reason"], strict=True))


def run_stages(
    folder: Path, names: Sequence[str] = ("validate", "prepare"), run: Callable[..., Ended] = run_forked
) -> tuple[str, Ended]:
    """Run stages of the pipeline in ``folder`` as their commands, each in a child; stop at a failure.

    Args:
        folder: Has ``params.yaml`` and ``data/raw/p00``.
        names: The stages, in order.
        run: :func:`run_forked`, or :func:`preload` to load what they import as well.

    Returns:
        The last stage's name and its end.
    """
    for name in names:
        ended = run(command(f"components.{name}"), folder, limit_s=STAGE_LIMIT_S)
        if ended.code != 0:
            break
    return name, ended
