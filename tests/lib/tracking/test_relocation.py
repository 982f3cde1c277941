"""A project's folder that was moved takes its local registry with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import MissingInputError
from components.lib.registry.artefact import by_version, fetched
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.models import MODEL, register_version
from tests.lib.tracking.local_store import local_store


def at(project: Path) -> TrackingParameters:
    return TrackingParameters(
        uri=f"sqlite:///{project / 'var/mlflow.db'}", artifacts=str(project / "var/artifacts")
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one registered version, under a name that needs quoting in a URI."""
    folder = tmp_path / "the project"
    local_store(folder / "var")
    register_version(connect(at(folder)), tmp_path / "models", "one")
    return folder


def test_a_moved_project_finds_its_models_and_registers_new_ones(project: Path, tmp_path: Path) -> None:
    moved = project.rename(tmp_path / "elsewhere")
    connection = connect(at(moved))
    with fetched(connection, by_version(connection, MODEL, "1")) as folder:
        assert (folder / "weights.safetensors").read_text() == "one"
    version = register_version(connection, tmp_path / "models", "two")
    with fetched(connection, by_version(connection, MODEL, version)) as folder:
        assert (folder / "weights.safetensors").read_text() == "two"
    assert not project.exists(), "nothing is written where the project was"


def test_a_copy_leaves_the_original_alone_until_that_is_gone(project: Path) -> None:
    before = by_version(connect(at(project)), MODEL, "1").source
    other = TrackingParameters(uri=at(project).uri, artifacts=str(project / "another"))
    assert by_version(connect(other), MODEL, "1").source == before


def test_models_whose_files_are_gone_are_missing_by_name(project: Path) -> None:
    connection = connect(at(project))
    (project / "var/artifacts").rename(project / "lost")
    with (
        pytest.raises(
            MissingInputError, match=r"version 1: its files are registered at .* where there is no folder"
        ) as caught,
        fetched(connection, by_version(connection, MODEL, "1")),
    ):
        pass
    assert "put the folder back" in caught.value.next_step
