"""Data quality: the verdict on tiles, and the quarantined ones with their reasons and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.lib.folders import read_bounded
from components.lib.foreign import read_json_text
from components.lib.history.quarantine import Refusal, read_refusals
from components.lib.objects.sealed import checked
from components.lib.shards.manifest import MANIFEST, FileRow, read_manifest, rows_of

VERDICT = Path("reports/validate/verdict.json")

QUARANTINE = Path("data/validated/quarantine.csv")

RAW = Path("data/raw")

_LARGEST = 64 * 2**20

_RUN_VERDICT = "run `dvc repro --force verdict`"


@dataclass(frozen=True, slots=True)
class TileFile:
    """Raster file of a tile.

    Attributes:
        raw: Folder of its manifest and shards.
        row: Its row of the manifest.
    """

    raw: Path
    row: FileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorQuality:
    """Counts of one sensor's tiles, by the verdict."""

    tiles: int
    quarantined: int
    share: float
    simulated: bool = False
    label_count: int = 0
    label_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Verdict on all tiles of a training.

    Attributes:
        verdict: Verdict in a word, such as ``good``.
        tiles: Tiles that were measured.
        quarantined: Tiles that later stages do not see.
        share: Share of them.
        max_share: Largest share that the verdict allows.
        simulated: Whether the tiles come from the simulated world.
        sensors: Counts by sensor.
        failures: Reasons why the verdict is bad.
        rules: Tiles by rule; one may break several.
    """

    verdict: str
    tiles: int
    quarantined: int
    share: float
    max_share: float
    simulated: bool = False
    sensors: dict[str, SensorQuality] = field(default_factory=dict)
    failures: list[Any] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)


def read_quality(checkout: Path) -> Quality | None:
    """Return the verdict of a checkout; None if its stage has not run.

    Raises:
        BadDataError: If it is damaged.
    """
    if not (checkout / VERDICT).exists():
        return None
    content = read_bounded(checkout / VERDICT, str(VERDICT), _LARGEST, next_step=_RUN_VERDICT)
    return quality_of(content, str(VERDICT))


def checkout_refusals(checkout: Path) -> list[Refusal]:
    """Return the rows of the checkout's quarantine list; none if its stage has not run.

    Raises:
        BadDataError: If it is no such list.
    """
    path, name = checkout / QUARANTINE, str(QUARANTINE)
    if not path.exists():
        return []
    return read_refusals(read_bounded(path, name, _LARGEST, next_step=_RUN_VERDICT), name)


def quality_of(content: bytes, name: str) -> Quality:
    """Return a verdict from its JSON.

    Raises:
        BadDataError: If it is none.
    """
    return checked(read_json_text(content, name), Quality, name=name)


def counts_by_rule(refusals: Iterable[Refusal]) -> list[tuple[str, int]]:
    """Return the number of tiles that each rule refused, the most first.

    >>> one = Refusal(acquisition="a", image_id="t", product="SAR", rule="r", reason="")
    >>> counts_by_rule([one, one])
    [('r', 1)]
    """
    counts = Counter(rule for rule, _, _ in {(r.rule, r.acquisition, r.image_id) for r in refusals})
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def find_files(checkout: Path, refusals: Iterable[Refusal]) -> dict[tuple[str, str], TileFile]:
    """Return a raster file of each refused tile by acquisition and tile, where the checkout has one.

    It is one of the product that broke the rule, else the first of the tile's.

    Raises:
        BadDataError: If a manifest is damaged.
    """
    wanted = {(one.acquisition, one.image_id): one.product for one in refusals}
    found: dict[tuple[str, str], TileFile] = {}
    if not wanted:
        return found
    for path in sorted((checkout / RAW).glob(f"*/{MANIFEST}")):
        for row in rows_of(read_manifest(path.parent)):
            tile = (row.acquisition, f"{row.strip}_tile_{row.tile}")
            is_raster = row.name.lower().endswith((".tif", ".tiff"))
            if is_raster and tile in wanted and (tile not in found or row.product == wanted[tile]):
                found[tile] = TileFile(path.parent, row)
    return found


def tile_key(refusal: Refusal) -> tuple[str, str]:
    """Return acquisition and tile of a refusal."""
    return refusal.acquisition, refusal.image_id
