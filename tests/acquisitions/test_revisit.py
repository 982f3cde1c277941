"""Two acquisitions of one sensor over the same ground go through download, validation and preparation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd

from components.acquisitions.landing import land_simulated
from components.acquisitions.parameters import LandOptions
from components.acquisitions.registration import Registrar
from components.contract.partitions import acquisitions_of, partition_names, partition_of
from components.download.acquire import acquire
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.publish import publish
from components.lib.config.loader import load_parameters
from components.lib.objects.opening import open_objects
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan
from components.prepare.parameters import PrepareParameters
from components.prepare.pipeline import Folders as PrepareFolders
from components.prepare.split import overlap_shares
from components.prepare.store import prepare
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate

NAMES = ("revisit-1", "revisit-2")


def test_a_revisit_of_the_same_ground(tmp_path: Path, repository: Path) -> None:
    landing, objects = open_objects(str(tmp_path / "landing")), open_objects(str(tmp_path / "objects"))
    for name in NAMES:
        land_simulated(
            landing, LandOptions(id=name, sensor="simulated-airborne", seed=20190804, tiles=12, tile_px=128)
        )
    assert Registrar(landing, objects).look().registered == list(NAMES)
    plan = Operations(objects).claim(
        ClaimRequest(run="run-1", code="0" * 64, params="0" * 64), lease=timedelta(hours=1)
    )
    assert isinstance(plan, RunPlan)

    entries = [CatalogueEntry.model_validate_json(one.entry(objects)) for one in plan.acquisitions]
    shards = {
        entry.id: acquire(entry, DownloadParameters(), staging_root=tmp_path / "staging") for entry in entries
    }
    partitions = partition_names({"partitions": 3})
    assert len({partition_of(name, partitions) for name in NAMES}) == 2, "each in a partition of its own"
    for partition in partitions:
        inside = acquisitions_of(partition, NAMES, partitions)
        publish({name: shards[name] for name in inside}, tmp_path / "raw" / partition)
    raw, validated = tmp_path / "raw", tmp_path / "validated"
    folders = Folders(raw, tmp_path / "features", validated, tmp_path / "reports")
    limits = load_parameters("validate", ValidateParameters, repository / "params.yaml")
    verdict = validate(folders, limits, partitions)
    assert (verdict["verdict"], verdict["tiles"], verdict["quarantined"]) == ("good", 24, 0)
    summary = prepare(
        PrepareFolders(raw, validated, tmp_path / "prepared", tmp_path / "metrics.json"),
        load_parameters("prepare", PrepareParameters, repository / "params.yaml"),
        partitions,
        processes=1,
    )
    assert (summary["tiles"], summary["excluded"]) == (24, {})

    index = pd.read_parquet(tmp_path / "prepared" / "index.parquet")
    assert index["image_id"].is_unique
    assert index.groupby("acquisition").size().to_dict() == dict.fromkeys(NAMES, 12)
    # Ground that either acquisition trains on is clean for none, and both have clean test ground.
    train, clean = index[index["split"] == "train"], index[index["clean"]]
    assert set(clean["acquisition"]) == set(train["acquisition"]) == set(NAMES)
    assert overlap_shares(clean, index[~index["kang"]]).max() == 0
    assert overlap_shares(index[index["split"] == "selection"], train).max() == 0
