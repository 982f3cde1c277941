"""Sources of the dashboard: a store with trainings, and a checkout with its lock, decision and tiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
import yaml
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from components.contract.hashing import sha256_bytes, sha256_file, sha256_json
from components.contract.keys import CHAMPIONS, DECISION
from components.dashboard.parameters import Places
from components.dashboard.site import Site
from components.dashboard.snapshot import Snapshot, Sources
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import SHA256_MULTIHASH
from components.lib.catalogue.maps import Catalogue
from components.lib.drift.records import keep_comparison, refusal
from components.lib.files import write_json
from components.lib.history.facts import ModelFacts, RunFacts, StageFacts
from components.lib.objects.folder import FolderObjects
from components.lib.registry.ledger import ChampionChange, ChampionLedgers
from components.lib.shards.manifest import FileRow, write_manifest
from components.lib.shards.packing import shard_name
from components.lib.shards.writer import ShardWriter
from tests.lib.catalogue.maps import made_map
from tests.lib.drift.comparisons import comparison
from tests.lib.history.ledgers import Trainings

NOW = datetime(2026, 11, 2, tzinfo=UTC)

PARAMS = """\
profile: small
profiles: {small: {orchestration: {}}}
orchestration: {lease_h: 2}
cost: {currency: CHF, gpu_hour: 2.0, cpu_hour: 36.0, gpu_w: 400.0, cpu_w: 100.0, overhead: 1.0}
"""

HOSTILE = '<script>alert("x")</script>'
"""Name that must show as it is."""


@dataclass
class World:
    """Places of the sources."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.objects = FolderObjects(self.root / "objects")
        self.checkout = self.root / "checkout"
        self.checkout.mkdir(exist_ok=True)
        (self.checkout / "params.yaml").write_text(PARAMS)

    @property
    def places(self) -> Places:
        remote = str(self.root / "remote")
        return Places(objects=str(self.root / "objects"), checkout=self.checkout, remote=remote)

    def read(self) -> Snapshot:
        return Sources(self.places, lambda: NOW).read()

    def trainings(self) -> Trainings:
        """Let one training succeed, one fail and one be at work."""
        made = Trainings(self.objects)
        made.succeed("first")
        made.fail("second", stage="distill@one", failure_class="out_of_memory")
        made.work("third", stages=("prepare",))
        return made

    def promote(self, decision_sha256: str, model: str = "stormsight-sar", version: str = "1") -> None:
        """Make a version the champion."""
        ledger = ChampionLedgers(self.objects, CHAMPIONS).of(model)
        known = ledger.entries()
        change = ChampionChange(
            action="promote", model=model, version=version,
            previous_version=known[-1].version if known else None,
            decision=decision_sha256, reason="every check passed", actor=HOSTILE,
        )  # fmt: skip
        ledger.append(ledger.next_entry(known[-1] if known else None, change))

    def repro(self) -> str:
        """Leave what ``make repro`` leaves; return the SHA-256 of the decision."""
        decision = decision_document()
        write_json(self.checkout / DECISION, decision)
        write_json(self.checkout / "reports/distill/concord/details.json", {"seconds": 12.5, "iou": 0.2})
        lock = {
            "schema": "2.0",
            "stages": {
                "prepare@p00": {
                    "cmd": "c",
                    "deps": [item("data/raw/p00")],
                    "outs": [item("data/prepared/p00")],
                },
                "distill@concord": {
                    "cmd": "c",
                    "deps": [item("components/distill"), item("data/prepared")],
                    "outs": [item("models/sar/concord"), item("reports/distill/concord/details.json")],
                },
                "promote": {"cmd": "c", "deps": [item("models/sar/concord")], "outs": [item(DECISION)]},
            },
        }
        (self.checkout / "dvc.lock").write_text(yaml.safe_dump(lock))
        return str(decision["models"]["stormsight-sar"]["decision_sha256"])

    def quarantine(self) -> None:
        """Leave a verdict with three quarantined tiles: one whole, one torn, one that is gone."""
        raw = self.checkout / "data/raw/p00"
        raw.mkdir(parents=True)
        rows = [self._tile(raw, 7, tile_bytes()), self._tile(raw, 8, tile_bytes()[:200])]
        write_manifest(raw, rows)
        refused = [
            "acquisition,image_id,product,rule,reason",
            "a1,s1_tile_7,SAR-Intensity,all_zero,share of zeros is 1",
            "a1,s1_tile_8,SAR-Intensity,unreadable,cannot be decoded",
            f'a1,"{HOSTILE.replace(chr(34), chr(34) * 2)}",SAR-Intensity,all_zero,"it, too"',
        ]
        path = self.checkout / "data/validated/quarantine.csv"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(refused) + "\n")
        write_json(
            self.checkout / "reports/validate/verdict.json",
            {
                "verdict": "good", "tiles": 40, "quarantined": 3, "share": 0.075, "max_share": 0.1,
                "simulated": True, "failures": [], "rules": {"all_zero": 2, "unreadable": 1},
                "sensors": {"simulated-airborne": {
                    "tiles": 40, "quarantined": 3, "share": 0.075, "simulated": True, "label_count": 9,
                    "strips": 2,
                }},
            },
        )  # fmt: skip

    def compare(self) -> None:
        """Leave comparisons with the champion: two of trainings, one of them refused, and one by hand."""
        keep_comparison(self.objects, "stormsight-sar", "1", comparison("a2", drifted=True))
        reference = {"model": "stormsight-sar", "version": "1", "sha256": "0" * 64}
        refused = refusal("a3", "", "3 locations are too few", simulated=False, reference=reference)
        keep_comparison(self.objects, "stormsight-sar", "1", refused)
        by_hand = self.checkout / "reports/drift/by-hand/drift.json"
        write_json(by_hand, comparison(HOSTILE, drifted=False))

    def _tile(self, raw: Path, number: int, content: bytes) -> FileRow:
        with ShardWriter(raw / f"shard{number}") as writer:
            written = writer.add(f"t{number}.tif", content)
        return FileRow(
            acquisition="a1", sensor="simulated-airborne", name=f"t{number}.tif", product="SAR-Intensity",
            strip="s1", tile=number, size=len(content), sha256=sha256_bytes(content), source="s",
            shard=f"shard{number}/{shard_name(written.slot.shard)}", offset=written.slot.offset,
        )  # fmt: skip


def item(path: str) -> dict[str, str]:
    return {"path": path, "hash": "md5", "md5": sha256_bytes(path.encode())[:32]}


def decision_document() -> dict[str, Any]:
    """Return a ``decision.json`` with checks and scores by sensor."""
    score = {
        "value": 0.16, "low": 0.13, "high": 0.19, "confidence": 0.9, "locations": 17, "degenerate": False,
    }  # fmt: skip
    decision = {
        "method": "concord", "metric": "iou", "challenger": score, "simulated": True,
        "acquisitions": ["a1"], "sha256": {"code": "c" * 64, "params": "d" * 64, "weights": "e" * 64},
        "checks": [
            {"name": "data", "passed": True, "words": "the data verdict is 'good'"},
            {"name": "floor", "passed": False, "words": HOSTILE},
        ],
        "by_sensor": {"simulated-airborne": {"challenger": score, "champion": None}},
    }  # fmt: skip
    part = {
        "outcome": "promoted", "reasons": ["every check passed"], "decision": decision,
        "decision_sha256": sha256_json(decision),
    }  # fmt: skip
    return {"models": {"stormsight-sar": part}}


def tile_bytes() -> bytes:
    """Return a GeoTIFF of (4, 32, 32) uint8 with a bright square."""
    pixels = np.full((4, 32, 32), 40, dtype=np.uint8)
    pixels[:, 8:20, 8:20] = 200
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", height=32, width=32, count=4, dtype="uint8", crs="EPSG:32631",
            transform=from_origin(590000, 5750000, 0.5, 0.5),
        ) as raster:  # fmt: skip
            raster.write(pixels)
        return bytes(memory.read())


def many_runs(number: int) -> list[RunFacts]:
    """Return runs with eight stages and a judged model each, newest first."""
    made = [_run(n) for n in range(number)]
    return list(reversed(made))


def _run(number: int) -> RunFacts:
    start = datetime(2026, 1, 1, tzinfo=UTC).replace(day=1 + number % 28, hour=number % 24)
    run = f"scheduled-{number:05d}"
    stages = {
        name: StageFacts(
            stage=name, run=run, started=start.replace(minute=n), ended=start.replace(minute=n + 1),
            seconds={"run": 50.0}, image="train", restored=n == 2, gpus=1, cpus=4.0,
            outputs={f"data/{name}": "0" * 32}, inputs={"data/raw": "1" * 32},
        )
        for n, name in enumerate(f"stage-{k}" for k in range(8))
    }  # fmt: skip
    record = decision_document()["models"]["stormsight-sar"]["decision"]
    model = ModelFacts(
        model="stormsight-sar", outcome="promoted" if number % 5 == 0 else "refused", method="concord",
        metric="iou", score=0.2 + 0.0001 * number, low=0.15, high=0.4, confidence=0.9, simulated=True,
        reasons=("the gain is +0.1",), decision=record, decision_sha256=sha256_json([number]),
    )  # fmt: skip
    return RunFacts(
        run=run, key=f"{number:064x}", profile="small", code="c" * 64, params="d" * 64,
        acquisitions=("a1", "a2"), started=start, ended=start.replace(minute=20), outcome="succeeded",
        promoted=number % 5 == 0, stages=stages, models={"stormsight-sar": model}, simulated=True,
    )  # fmt: skip


def with_names(run: RunFacts, names: Iterable[str]) -> list[RunFacts]:
    """Return copies of a run with other names."""
    return [replace(run, run=name) for name in names]


def publish_map(objects: FolderObjects, folder: Path, map_id: str = "map-1", *, changed: bool = True) -> None:
    """Publish a map of the promoted model with a thumbnail, and its changes."""
    item_, files = made_map(folder / map_id, f"scene-{map_id}")
    thumbnail = folder / map_id / "thumbnail.png"
    Image.new("RGB", (16, 8), (40, 90, 140)).save(thumbnail)
    item_["assets"]["thumbnail"] = {**asset(thumbnail), "description": "The largest part alone."}
    item_["properties"] |= {
        "title": f"Buildings of {HOSTILE}",
        "stormsight:simulated": True,
        "stormsight:image": "train@sha256:1",
        "stormsight:parameters_sha256": "7" * 64,
        "processing:software": {"stormsight": "8" * 64},
        "stormsight:sources": [{"name": f"tile-{n}.tif", "sha256": "9" * 64} for n in range(14)],
    }
    catalogue = Catalogue(objects)
    catalogue.add_map(item_, {**files, thumbnail.name: thumbnail}, map_id)
    catalogue.rebuild()
    if changed:
        table = folder / map_id / "changes.parquet"
        squares = [shapely.box(590000 + 40 * n, 5750000, 590015 + 40 * n, 5750012) for n in range(3)]
        kinds = ["added", "removed", "enlarged"]
        geopandas.GeoDataFrame({"kind": kinds}, geometry=squares, crs="EPSG:32631").to_parquet(table)
        found, _ = made_map(folder / f"{map_id}-changes")
        found |= {"id": f"{map_id}-changes", "assets": {"changes": asset(table)}}
        found["properties"]["stormsight:changes"] = {"added": 1, "removed": 1, "enlarged": 1}
        MapChanges(objects).add(found, {table.name: table}, map_id, "earlier")


def asset(path: Path) -> dict[str, str]:
    """Return the asset of a file beside an item."""
    return {"href": f"./{path.name}", "file:checksum": SHA256_MULTIHASH + sha256_file(path)}


def text(site: Site, address: str) -> str:
    """Return a page as text."""
    found = site.resource(address)
    assert found is not None, address
    return found.content.decode()
