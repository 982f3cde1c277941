"""The served model is held against the ledger: alias, version, files; and put right by one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError, SourceUnavailableError
from components.contract.hashing import sha256_file
from components.lib.registry.artefact import CHAMPION
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.served import require_all_served, require_served
from components.lib.tracking.parameters import TrackingParameters
from components.promote.history import restore_alias
from tests.lib.registry.models import MODEL, promote
from tests.lib.registry.test_champion_registry import written


def test_a_moved_alias_names_the_command_that_puts_it_back(
    registry: ChampionRegistry, tracking: TrackingParameters
) -> None:
    promote(registry, "1", "2")
    require_all_served(tracking, registry.ledgers)
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="champion is version 2, the alias points to version 3") as caught:
        require_all_served(tracking, registry.ledgers)
    assert f"`python -m components.promote restore-alias --model {MODEL}`" in caught.value.next_step
    assert registry.restore_alias() == "3"
    assert registry.current() == "2"
    require_all_served(tracking, registry.ledgers)
    assert len(registry.ledger.entries()) == 2, "the champion is the same: the ledger has nothing to record"


def test_an_alias_that_was_removed_or_never_earned_is_put_right(registry: ChampionRegistry) -> None:
    client = registry.connection.client
    client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="champion is none, the alias points to version 3"):
        require_served(registry)
    assert "points to none; it was version 3" in restore_alias(registry.connection, registry.ledgers, MODEL)
    with pytest.raises(MissingInputError, match="never had a champion"):
        restore_alias(registry.connection, registry.ledgers, MODEL)
    promote(registry, "1")
    client.delete_registered_model_alias(MODEL, CHAMPION)
    assert (registry.restore_alias(), registry.current()) == (None, "1")


def test_a_change_that_was_cut_off_is_no_obstacle_to_a_training(registry: ChampionRegistry) -> None:
    promote(registry, "1")
    written(registry, "2", "1", announced=True)
    require_served(registry, may_be_interrupted=True)
    with pytest.raises(BadDataError, match="entry 2 was recorded but not carried out"):
        require_served(registry)
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="the alias points to version 3") as caught:
        require_served(registry, may_be_interrupted=True)
    assert "restore-alias" in caught.value.next_step
    registry.restore_alias()
    require_served(registry)
    assert registry.current() == "2"


def test_weights_and_their_tag_changed_together_are_found(registry: ChampionRegistry) -> None:
    """MLflow holds both, so whoever writes there can change both; the ledger has the hash as well."""
    promote(registry, "1", "2")
    client = registry.connection.client
    version = client.get_model_version(MODEL, "2")
    weights = Path(str(version.source).removeprefix("file://"), "weights.safetensors")
    weights.write_text("other")
    client.set_model_version_tag(MODEL, "2", "sha256", sha256_file(weights))
    with pytest.raises(BadDataError, match="MLflow states another SHA-256 of weights") as caught:
        require_served(registry)
    assert f"rollback --model {MODEL}" in caught.value.next_step
    client.set_registered_model_alias(MODEL, CHAMPION, "3")
    with pytest.raises(BadDataError, match="another SHA-256"):
        registry.restore_alias()
    assert registry.current() == "2", "or a rollback, which needs the right alias, could not follow"
    assert registry.rollback("tampered with").version == "1"


def test_a_store_that_does_not_answer_has_its_own_class(
    registry: ChampionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(SourceUnavailableError, match="MLflow at http"):
        require_all_served(TrackingParameters(uri="http://127.0.0.1:9"), registry.ledgers)


def test_a_store_that_does_not_exist_yet_is_not_made(registry: ChampionRegistry, tmp_path: Path) -> None:
    new = TrackingParameters(uri=f"sqlite:///{tmp_path / 'new.db'}")
    require_all_served(new, registry.ledgers)
    assert not (tmp_path / "new.db").exists()
