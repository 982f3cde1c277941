"""MLflow's SQLite file, as the commands on the champions' history and the check before a run read it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from components.check.services import check_tracking
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.parameters import PromoteParameters
from tests.campaign.mutations import BINARY, mutate_bytes
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, Outcome, judged
from tests.campaign.world import write_parameters
from tests.lib.registry.models import promote, three_versions
from tests.lib.tracking.local_store import local_store

_LEDGER = "var/objects/ledger/champions"
_NAMES = ("mlflow.db", "MLflow", "ledger", "champion", "stormsight-", "var")


class Databases(SingleReader):
    """Damaged mlflow.db: refused at once, or read as undisturbed; ``verify`` confirms no other champion."""

    name = "mlflow"

    def set_up(self) -> None:
        """Register three versions and promote two of them; load what the commands import."""
        folder = self.fresh("case")  # where every damaged one will lie: MLflow keeps absolute addresses
        write_parameters(folder / "params.yaml")
        local_store(folder / "var")
        ended = run_forked(_promote, folder, limit_s=60)
        assert ended.code == 0, ended.stderr
        self.right = {}
        for name, work in _COMMANDS.items():
            ended = preload(work, folder)
            assert ended.code == 0, ended.stderr
            self.right[name] = ended.stdout
        assert "champion is version 2" in self.right["history"]
        self.sound = self.folder / "sound"
        shutil.rmtree(self.sound, ignore_errors=True)
        folder.rename(self.sound)

    def judge_one(self, seed: int) -> Judgement:
        """Damage one file; show the history, verify it, and check the store before a run."""
        rng = Random(seed)
        folder = self.fresh("case")
        shutil.copytree(self.sound, folder, dirs_exist_ok=True)
        described, must = rng.choice((_bytes, _bytes, _half_made, _other, _other, _rows, _rows, _journal))(
            rng, folder / "var/mlflow.db"
        )
        worst: Judgement | None = None
        for name in rng.sample(list(_COMMANDS), len(_COMMANDS)):
            ended = run_forked(_COMMANDS[name], folder)
            found = judged(
                self.name,
                seed,
                f"{described}; {name}",
                ended,
                names=_NAMES,
                accepted="accepted what must be refused" if must else self._wrong(name, ended),
            )
            if found.outcome is Outcome.BREACH:
                return found
            if worst is None or worst.outcome is Outcome.ACCEPTED:
                worst = found
        assert worst is not None
        return worst

    def _wrong(self, name: str, ended: Ended) -> str | None:
        if ended.stdout == self.right[name]:
            return None
        if name == "history" and "run `python -m components.promote verify`" in ended.stdout:
            return None
        return f"{name} says something else: {ended.stdout[:80]!r}"


def _promote() -> None:
    Path("var/models").mkdir(parents=True)
    connection = connect(load_parameters("tracking", TrackingParameters))
    promote(three_versions(connection, Path("var").absolute(), _LEDGER), "1", "2")


def _check() -> None:
    def main() -> None:
        check_tracking(
            load_parameters("tracking", TrackingParameters),
            load_parameters("promote", PromoteParameters),
            Path.cwd(),
        )

    run(main)


_COMMANDS: dict[str, Callable[[], None]] = {
    "history": command("components.promote", "history"),
    "verify": command("components.promote", "verify"),
    "check": _check,
}

Drawn = tuple[str, bool]
"""Description, and True if the file must be refused by all commands."""


def _bytes(rng: Random, path: Path) -> Drawn:
    described, content = mutate_bytes(rng, path.read_bytes(), BINARY)
    path.write_bytes(content)
    return described, False


def _half_made(rng: Random, path: Path) -> Drawn:
    """Leave what a killed process left of MLflow's first seconds: some tables, no row."""
    with closing(sqlite3.connect(path)) as whole:
        made = whole.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql NOT NULL")
        tables = [sql for name, sql in made if not name.startswith(("sqlite_", "alembic"))]
    kept = rng.randrange(len(tables) + 1)
    path.unlink()
    with closing(sqlite3.connect(path)) as half, half:
        half.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        half.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        for sql in tables[:kept]:
            half.execute(sql)
    return f"{kept} of {len(tables)} tables, without rows", False


def _other(rng: Random, path: Path) -> Drawn:
    """Put something else in the place of the file."""
    kinds: dict[str, Callable[[], object]] = {
        "a folder": path.mkdir,
        "text": lambda: path.write_text("runs: 1\n" * 100),
        "a page": lambda: path.write_text("<!DOCTYPE html><html><body>404</body></html>"),
        "a pipe": lambda: os.mkfifo(path),
        "a header alone": lambda: path.write_bytes(b"SQLite format 3\0"),
        "a header and zeros": lambda: path.write_bytes(b"SQLite format 3\0" + bytes(8192)),
        "a link to itself": lambda: path.symlink_to(path.name),
        "another program's database": lambda: _another(path, "CREATE TABLE recipes (name TEXT)"),
        "a database of one other experiments table": lambda: _another(
            path, "CREATE TABLE experiments (name TEXT)", table="experiments"
        ),
        "nothing": lambda: None,
        "an empty file": path.touch,
        "a dangling link": lambda: path.symlink_to("nowhere.db"),
    }
    kind = rng.choice(list(kinds))
    path.unlink()
    kinds[kind]()
    return f"mlflow.db is {kind}", kind not in ("nothing", "an empty file", "a dangling link")


def _another(path: Path, sql: str, *, table: str = "recipes") -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(sql)
        database.execute(f"INSERT INTO {table} VALUES ('soup')")


def _rows(rng: Random, path: Path) -> Drawn:
    """Change the rows or the tables of a sound database."""
    statements = (
        "DELETE FROM experiments",
        "DELETE FROM experiments WHERE name = 'stormsight'",
        "UPDATE experiments SET lifecycle_stage = 'deleted'",
        "UPDATE experiments SET artifact_location = 'file:///nowhere'",
        "UPDATE experiments SET artifact_location = NULL",
        "DELETE FROM registered_models",
        "DELETE FROM model_versions",
        "DELETE FROM model_versions WHERE version = 2",
        "UPDATE model_versions SET source = 'file:///nowhere'",
        "UPDATE model_versions SET source = 'x'",
        "UPDATE model_versions SET current_stage = 'Deleted_Internal'",
        "DELETE FROM registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 1",
        "UPDATE registered_model_aliases SET version = 9",
        "UPDATE registered_model_aliases SET version = 'x'",
        "DELETE FROM registered_model_tags",
        "UPDATE registered_model_tags SET value = 'x'",
        "DELETE FROM model_version_tags",
        "UPDATE alembic_version SET version_num = 'unknown'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "DROP TABLE experiments",
        "DROP TABLE registered_model_aliases",
        "DROP TABLE model_versions",
        "DROP TABLE registered_models",
    )
    statement = rng.choice(statements)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    return statement, False


def _journal(rng: Random, path: Path) -> Drawn:
    """Leave a journal of another process beside the file."""
    kind = rng.choice(("journal", "wal", "shm"))
    content: Any = rng.choice((b"", rng.randbytes(4096), bytes.fromhex("d9d505f920a163d7") + bytes(600)))
    path.with_name(f"{path.name}-{kind}").write_bytes(content)
    return f"mlflow.db-{kind} of {len(content)} bytes beside it", False
