"""MLflow's SQLite file: whole, refused by name, or built anew where it is an unfinished beginning."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, ResourceError, SourceUnavailableError, StormsightError
from components.lib.registry.artefact import CHAMPION, by_alias
from components.lib.tracking.connection import connect
from components.lib.tracking.database import check_database, prepare_database
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.tracking.local_store import local_store


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A database as MLflow leaves it."""
    return Path(local_store(tmp_path / "whole").uri.removeprefix("sqlite:///"))


def copy(source: Path, path: Path) -> None:
    shutil.copyfile(source, path)


def never(path: Path) -> None:
    raise AssertionError(f"{path} is not to be built")


def test_a_whole_database_is_left_alone(whole: Path) -> None:
    before = whole.read_bytes()
    prepare_database(whole, never)
    assert whole.read_bytes() == before


KILLED_IN_BUILD = """
import os, signal, sqlite3, sys
from pathlib import Path
from components.lib.tracking.database import prepare_database

def build(path):
    sqlite3.connect(path).execute("CREATE TABLE experiments (name TEXT)")
    os.kill(os.getpid(), signal.SIGKILL)

prepare_database(Path(sys.argv[1]), build)
"""


def test_a_kill_while_it_is_built_leaves_nothing_in_the_way(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "var" / "mlflow.db"
    done = subprocess.run([sys.executable, "-c", KILLED_IN_BUILD, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    prepare_database(path, partial(copy, whole))
    assert path.read_bytes() == whole.read_bytes()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0, 1, 5, 20])
def test_an_unfinished_beginning_is_built_anew(
    tmp_path: Path, whole: Path, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(whole)) as source, closing(sqlite3.connect(path)) as half, half:
        tables = source.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND sql NOT NULL"
        ).fetchall()
        half.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        half.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        for (sql,) in [table for table in tables if "sqlite_" not in table[0]][:kept]:
            if "alembic_version" not in sql:
                half.execute(sql)
    prepare_database(path, partial(copy, whole))
    assert path.read_bytes() == whole.read_bytes()
    assert "left unfinished by a process that was killed" in caplog.text


def test_an_empty_file_is_built(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    prepare_database(path, partial(copy, whole))
    assert path.stat().st_size == whole.stat().st_size


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("runs: 1\n" * 100)


def cut(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def zeroed(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 8192)


def somebody_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE recipes (name TEXT)")
        database.execute("INSERT INTO recipes VALUES ('soup')")


def other_experiments(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE experiments (name TEXT)")
        database.execute("INSERT INTO experiments VALUES ('soup')")


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [folder, text, cut, zeroed, somebody_elses, other_experiments, pipe])
def test_what_is_no_database_of_mlflow_is_refused_at_once(tmp_path: Path, make: object) -> None:
    path = tmp_path / "mlflow.db"
    make(path)  # type: ignore[operator]
    with pytest.raises(BadDataError, match=r"MLflow's database .*mlflow\.db cannot be used") as caught:
        connect(TrackingParameters(uri=f"sqlite:///{path}", artifacts=str(tmp_path / "artifacts")))
    assert "move it away" in caught.value.next_step
    assert path.exists()


@pytest.mark.parametrize(
    ("change", "says", "advice"),
    [
        (
            "UPDATE alembic_version SET version_num = '451aebb31d03'",
            "an older MLflow: .*451aebb31d03",
            "upgrade",
        ),
        ("UPDATE alembic_version SET version_num = 'of tomorrow'", "its version is of tomorrow", "backup"),
        ("INSERT INTO alembic_version VALUES ('451aebb31d03')", "does not know", "backup"),
        ("DROP TABLE alembic_version", "its version is none", "backup"),
    ],
)
def test_a_database_of_another_version_of_mlflow_is_refused_before_a_run(
    whole: Path, change: str, says: str, advice: str
) -> None:
    with closing(sqlite3.connect(whole)) as database, database:
        database.execute(change)
    with pytest.raises(BadDataError, match=says) as caught:
        check_database(whole)
    assert advice in caught.value.next_step


def test_a_read_only_database_or_folder_is_a_matter_of_the_machine(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (whole, whole.parent):
        with monkeypatch.context() as denied:
            denied.setattr(os, "access", lambda path, _, place=place: Path(path) != place)
            with pytest.raises(ResourceError, match=f"{place} cannot be written"):
                prepare_database(whole, never)


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(StormsightError, match=r"mlflow\.db"):
        prepare_database(tmp_path / "var" / "mlflow.db", never)


def test_a_table_that_is_gone_is_told_without_a_traceback(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = connect(TrackingParameters(uri=f"sqlite:///{whole}", artifacts=str(whole.parent)))
    connection.client.create_registered_model("a-model")
    with closing(sqlite3.connect(whole)) as database, database:
        database.execute("DROP TABLE registered_model_aliases")
    with pytest.raises(SourceUnavailableError, match="no such table"):
        by_alias(connection, "a-model", CHAMPION)
    assert "Traceback" not in capsys.readouterr().err
