"""``python -m components.drift``: references, comparisons, and the requests that they open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.keys import CHAMPIONS, REQUESTS
from components.drift.__main__ import main
from components.housekeeping.verify import verify
from components.lib.objects.folder import FolderObjects
from components.lib.objects.opening import OBJECTS
from components.lib.operations.requests import RetrainingRequests
from components.lib.registry.ledger import ChampionChange, ChampionLedgers
from tests.lib.drift.tables import features

MODEL = "stormsight-sar"


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderObjects:
    """A store with a champion."""
    monkeypatch.setenv(OBJECTS, str(tmp_path / "objects"))
    monkeypatch.chdir(tmp_path)
    store = FolderObjects(tmp_path / "objects")
    ledger = ChampionLedgers(store, CHAMPIONS).of(MODEL)
    change = ChampionChange(
        action="promote",
        model=MODEL,
        version="3",
        previous_version=None,
        decision="0" * 64,
        reason="first",
        files={"model.json": "a" * 64, "weights.safetensors": "b" * 64},
    )
    ledger.append(ledger.next_entry(None, change))
    table = pd.concat(
        [features("old", 40, 1), features("same", 24, 2), features("bright", 24, 3, brighter=4)]
    )
    folder = tmp_path / "data" / "validated"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "features.parquet")
    quarantine = "acquisition,image_id,product,rule,reason\nold,old_tile_0,SAR,x,y\n"
    (folder / "quarantine.csv").write_text(quarantine)
    return store


def report(acquisition: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("reports/drift", acquisition, "drift.json").read_text())
    return found


def test_drift_asks_once_for_a_retraining_and_promotes_nothing(
    objects: FolderObjects, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["reference", "--model", MODEL, "--acquisitions", "old"])
    assert "version 3: reference of 39 tiles" in capsys.readouterr().out
    for _ in range(2):
        main(["compare", "--model", MODEL, "--acquisition", "bright", "--permutations", "999"])
    told = capsys.readouterr().out
    assert "12 locations against 20" in told
    assert "a retraining is asked for: entry 1 of ledger/requests" in told
    found = report("bright")
    assert found["drifted"] is True
    assert (found["of"], found["simulated"]) == ("pixels", True)
    assert {f"sar_mean_{band}" for band in ("HH", "HV", "VH", "VV")} == set(found["shifted"][:4])
    assert Path("reports/drift/bright/drift.png").stat().st_size > 1000
    (entry, request), *others = RetrainingRequests(objects).all()
    assert not others
    assert (request.acquisition, request.version, entry.seq) == ("bright", "3", 1)
    assert len(ChampionLedgers(objects, CHAMPIONS).of(MODEL).entries()) == 1
    assert (REQUESTS, True) in [(finding.subject, finding.sound) for finding in verify(objects)]


def test_an_acquisition_like_the_reference_asks_for_nothing(
    objects: FolderObjects, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["reference", "--model", MODEL, "--acquisitions", "old"])
    capsys.readouterr()
    main(["compare", "--model", MODEL, "--acquisition", "same", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == report("same")
    assert printed["request"] is None
    assert printed["drifted"] is False
    assert printed["reference"]["acquisitions"] == ["old"]
    main(["requests"])
    assert capsys.readouterr().out == "no retraining is asked for\n"


def test_a_reference_in_a_file_opens_no_request(objects: FolderObjects, tmp_path: Path) -> None:
    reference = tmp_path / "reference.parquet"
    main(["reference", "--out", str(reference)])
    main(["compare", "--reference", str(reference), "--acquisition", "bright"])
    found = report("bright")
    assert found["drifted"] is True, "its own tiles are left out of the reference"
    assert found["reference"]["acquisitions"] == ["old", "same"]
    assert not objects.list(REQUESTS)
    first = Path("reports/drift/bright/drift.json").read_bytes()
    main(["compare", "--reference", str(reference), "--acquisition", "bright"])
    assert Path("reports/drift/bright/drift.json").read_bytes() == first


def test_mistakes_get_a_message(objects: FolderObjects, tmp_path: Path) -> None:
    compare = ["compare", "--acquisition", "bright"]
    with pytest.raises(MissingInputError, match="has no reference"):
        main([*compare, "--model", MODEL])
    with pytest.raises(MissingInputError, match="has no champion") as caught:
        main([*compare, "--model", "stormsight-other"])
    for helps in ("reports/promote/decision.txt", f"({MODEL})", "--reference FILE"):
        assert helps in caught.value.next_step
    with pytest.raises(MissingInputError, match=r"absent is missing\s.*`dvc repro verdict`"):
        main(["reference", "--model", MODEL, "--features", "absent"])
    with pytest.raises(MissingInputError, match="is no file"):
        main([*compare, "--reference", str(tmp_path)])
    with pytest.raises(ParameterError, match="no tile of nobody"):
        main(["reference", "--model", MODEL, "--acquisitions", "nobody"])
    main(["reference", "--model", MODEL, "--acquisitions", "bright"])
    with pytest.raises(ParameterError, match="no tile of simulated-airborne but those of bright"):
        main([*compare, "--model", MODEL])
    with pytest.raises(BadDataError, match="has another reference already"):
        main(["reference", "--model", MODEL, "--acquisitions", "old"])
    with pytest.raises(ParameterError, match="block_m"):
        main(["reference", "--model", MODEL, "--block-m", "0"])
    for away in (["--acquisition", "../../bright"], ["--acquisition", "a/b"], ["--acquisition", ".."]):
        with pytest.raises(ParameterError, match="is no name of a file"):
            main(["compare", *away, "--model", MODEL])
    with pytest.raises(ParameterError, match=r"'outputs-\.\./x' is no name of a file"):
        main(["outputs", "--acquisition", "bright", "--model", "../x"])
    with pytest.raises(ParameterError, match="alpha"):
        main([*compare, "--model", MODEL, "--alpha", "2"])


def test_a_changed_reference_is_refused(objects: FolderObjects) -> None:
    main(["reference", "--model", MODEL, "--acquisitions", "old"])
    [table] = [info.key for info in objects.list("maps/models/") if info.key.endswith("drift.parquet")]
    objects.put(table, objects.get(table) + b"\0")
    with pytest.raises(BadDataError, match="not the table whose SHA-256 is noted"):
        main(["compare", "--model", MODEL, "--acquisition", "bright"])
