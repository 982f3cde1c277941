"""A run is not planned where what is served is not what the ledger says: it would die in its last stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import CHAMPIONS
from components.lib.operations.operations import Operations
from components.lib.registry.artefact import CHAMPION
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionLedgers
from components.lib.tracking.connection import connect
from components.runs.plan import plan
from tests.lib.registry.models import MODEL, promote, register_version
from tests.lib.tracking.local_store import local_store
from tests.runs.pipeline import World


@pytest.fixture
def gated(world: World) -> World:
    """The small deployment, with our gate among its code."""
    (world.source / "components" / "promote").mkdir()
    return world


def test_a_moved_alias_is_told_before_anything_is_claimed(
    gated: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracking = local_store(tmp_path / "mlflow")
    registry = ChampionRegistry(connect(tracking), ChampionLedgers(gated.objects, CHAMPIONS), MODEL)
    register_version(registry.connection, tmp_path / "models", "one")
    register_version(registry.connection, tmp_path / "models", "two")
    promote(registry, "1")
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    environment = gated.environment(MLFLOW_TRACKING_URI=tracking.uri, STORMSIGHT_ARTIFACTS=tracking.artifacts)
    with pytest.raises(BadDataError, match="champion is version 1, the alias points to version 2") as caught:
        plan(environment, "r1", force=True)
    assert "promote restore-alias" in caught.value.next_step
    assert Operations(gated.objects).state().claims == {}
    registry.restore_alias()
    assert plan(environment, "r1", force=True) == 0


def test_no_training_begins_while_mlflow_does_not_answer(
    gated: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(SourceUnavailableError, match="MLflow at http"):
        plan(gated.environment(), "r1", force=True)
    assert Operations(gated.objects).state().claims == {}
