"""A local MLflow store per test: the tables are made once, each test gets a copy of the file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters


def local_store(folder: Path) -> TrackingParameters:
    """A store of its own in ``folder``, without runs and experiments of ours."""
    database = folder / "mlflow.db"
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), database)
    return TrackingParameters(uri=f"sqlite:///{database}", artifacts=str(folder / "artifacts"))


@cache
def _template() -> Path:
    """An SQLite file with MLflow's tables: making them takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="stormsight-mlflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    client = connect(
        TrackingParameters(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="template")
    ).client
    assert client.get_experiment_by_name("template") is not None
    return folder / "mlflow.db"
