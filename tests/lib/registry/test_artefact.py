from __future__ import annotations

from pathlib import Path

import pytest
import torch

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_file
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.registry.artefact import CHALLENGER, by_alias, by_version, fetched, register
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.loading import load_champion
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.models import MODEL, model_folder, register_version


def test_a_version_carries_the_files_hashes_and_the_alias(
    tracking: TrackingParameters, tmp_path: Path
) -> None:
    connection = connect(tracking)
    folder = model_folder(tmp_path / "model")
    tags = {"params_sha256": "a" * 64, "simulated": "true"}
    version = register(connection, MODEL, folder, tags=tags, params={"lr": 0.1})
    found = by_alias(connection, MODEL, CHALLENGER)
    assert found is not None
    assert str(found.version) == version == "1"
    assert found.tags == {
        **tags,
        "sha256": sha256_file(folder / "weights.safetensors"),
        "signature_sha256": sha256_file(folder / "model.json"),
    }
    assert found.run_id is not None
    run = connection.client.get_run(found.run_id)
    assert run.data.params == {"lr": "0.1"}
    assert run.info.status == "FINISHED"
    with fetched(connection, found) as got:
        assert (got / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()
        assert sorted(p.name for p in got.iterdir()) == ["model.json", "weights.safetensors"]
    assert not got.exists()


def test_the_same_bytes_are_one_version(tracking: TrackingParameters, tmp_path: Path) -> None:
    connection = connect(tracking)
    first = register_version(connection, tmp_path, "one")
    second = register_version(connection, tmp_path, "two")
    assert register_version(connection, tmp_path, "one") == first != second
    found = by_alias(connection, MODEL, CHALLENGER)
    assert found is not None
    assert str(found.version) == first
    again = register(connection, MODEL, tmp_path / "one", tags={"simulated": "false"})
    assert again == first
    assert by_version(connection, MODEL, first).tags["simulated"] == "true"


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_changed_and_missing_files_are_refused(
    tracking: TrackingParameters, tmp_path: Path, name: str
) -> None:
    connection = connect(tracking)
    version = by_version(connection, MODEL, register_version(connection, tmp_path, "one"))
    (kept,) = Path(tracking.artifacts).rglob(name)
    kept.write_text("tampered")
    with (
        pytest.raises(BadDataError, match="is not the file that was registered"),
        fetched(connection, version),
    ):
        pytest.fail("nothing may be loaded")
    kept.unlink()
    with pytest.raises(BadDataError, match=f"has no file {name}"), fetched(connection, version):
        pytest.fail("nothing may be loaded")


def test_a_version_without_hashes_is_refused(tracking: TrackingParameters, tmp_path: Path) -> None:
    connection = connect(tracking)
    version = register_version(connection, tmp_path, "one")
    connection.client.delete_model_version_tag(MODEL, version, "sha256")
    found = by_version(connection, MODEL, version)
    with pytest.raises(BadDataError, match="no SHA-256 tag"), fetched(connection, found):
        pytest.fail("nothing may be loaded")


def test_an_incomplete_folder_is_not_registered(tracking: TrackingParameters, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / "model.json").unlink()
    with pytest.raises(MissingInputError, match=r"model\.json is missing"):
        register(connect(tracking), MODEL, folder, tags={}, made_by="adapt")
    assert by_alias(connect(tracking), MODEL, CHALLENGER) is None


def test_the_champion_comes_back_as_the_same_network(tracking: TrackingParameters, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=("simulated-airborne",),
    )
    net = build_network(config).eval()
    save_bundle(tmp_path / "net", net, {})
    connection = connect(tracking)
    with pytest.raises(MissingInputError, match="stormsight-sar has no champion"):
        load_champion(tracking, MODEL)
    version = register(connection, MODEL, tmp_path / "net", tags={})
    registry = ChampionRegistry(connection, open_ledgers(str(tmp_path / "ledger")), MODEL)
    registry.promote(version, decided_against=None, decision="d" * 64, reason="a test")
    x = torch.randint(0, 255, (1, 4, 64, 64), dtype=torch.uint8)
    loaded = load_champion(tracking, MODEL)
    torch.testing.assert_close(
        loaded.predict(x, "simulated-airborne"), net.predict(x, "simulated-airborne"), rtol=0, atol=0
    )
    (kept,) = Path(tracking.artifacts).rglob("weights.safetensors")
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    with pytest.raises(BadDataError, match="is not the file that was registered"):
        load_champion(tracking, MODEL, version=version)
