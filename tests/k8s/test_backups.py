"""Backups of PostgreSQL: every dump that is kept was restored once, and brings the data back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from components.contract.rights import Verb, allows
from tests.cluster.database import postgres_programs, start_database
from tests.k8s import policies
from tests.k8s.manifests import ROOT, Manifest, find, kubectl, rendered

PROGRAMS = postgres_programs()
needs_postgres = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed")


class Database:
    """Server with the two databases, and the script's environment."""

    def __init__(self, address: str, backups: Path) -> None:
        self.backups = backups
        self.environment = {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": address.rpartition(":")[2].partition("/")[0],
            "PGUSER": "airflow",
            "BACKUPS": str(backups),
        }

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env={**self.environment, **variables}, capture_output=True, text=True, check=False
        )

    def sql(self, database: str, *statements: str) -> str:
        flags = [part for statement in statements for part in ("--command", statement)]
        done = self.run("psql", "--no-psqlrc", "-qtA", "--set", "ON_ERROR_STOP=1", "-d", database, *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def backup(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("sh", str(ROOT / "k8s/backups/backup"), **variables)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    # PostgreSQL refuses root: its own user must reach the folder.
    folder = tmp_path_factory.mktemp("postgres")
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    server, address = start_database(folder)
    assert server is not None
    found = Database(address, folder / "backups")
    found.backups.mkdir()
    for name in ("mlflow", "airflow"):
        found.sql("postgres", f"CREATE DATABASE {name}")
        found.sql(
            name,
            "CREATE TABLE alembic_version (version_num text)",
            "INSERT INTO alembic_version VALUES ('a1')",
            f"CREATE TABLE things AS SELECT '{name}' AS owner, n FROM generate_series(1, 100) n",
        )
    yield found
    server.kill()


@needs_postgres
def test_a_kept_dump_brings_everything_back(database: Database) -> None:
    old = database.backups / "mlflow-2020-01-01T000000Z.dump"
    old.touch()
    os.utime(old, (0, 0))
    done = database.backup()
    assert done.returncode == 0, done.stderr
    assert sorted(path.name.partition("-")[0] for path in database.backups.iterdir()) == ["airflow", "mlflow"]
    assert database.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'restore%'") == "0"

    dump = next(database.backups.glob("mlflow-*.dump"))
    database.sql("mlflow", "DELETE FROM things WHERE n > 3", "DROP TABLE alembic_version")
    back = database.run("pg_restore", "--clean", "--if-exists", "--dbname", "mlflow", str(dump))
    assert back.returncode == 0, back.stderr
    assert database.sql("mlflow", "SELECT count(*), min(owner) FROM things") == "100|mlflow"
    assert database.sql("mlflow", "SELECT version_num FROM alembic_version") == "a1"


@needs_postgres
def test_a_database_that_fails_stops_neither_the_others_nor_hides(database: Database) -> None:
    database.sql("postgres", "CREATE DATABASE empty")
    for path in database.backups.iterdir():
        path.unlink()
    old = database.backups / "airflow-2020-01-01T000000Z.dump"
    old.touch()
    os.utime(old, (0, 0))
    done = database.backup(DATABASES="missing empty airflow")
    assert done.returncode == 1
    assert "no backup of: missing empty; older ones are kept" in done.stderr
    assert old.exists()
    assert len(list(database.backups.glob("airflow-*.dump"))) == 2
    assert not list(database.backups.glob("empty-*.dump"))


@pytest.fixture(scope="module")
def uploading(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """Objects of the cloud overlay with dumps that leave the cluster."""
    program = kubectl()
    if program is None:
        pytest.skip("kubectl is not installed: no overlay can be rendered")
    folder = tmp_path_factory.mktemp("uploading") / "k8s"
    shutil.copytree(ROOT / "k8s", folder, ignore=shutil.ignore_patterns("__pycache__"))
    overlay = folder / "overlays" / "cloud" / "kustomization.yaml"
    more = "  - ../../backups/upload\nconfigMapGenerator:"
    overlay.write_text(overlay.read_text().replace("configMapGenerator:", more, 1))
    command = [program, "kustomize", str(overlay.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_dumps_leave_the_cluster_after_they_were_restored(uploading: list[Manifest]) -> None:
    pod = find(uploading, "CronJob", "stormsight-backup")["spec"]["jobTemplate"]["spec"]["template"]
    [dump], [upload] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert (dump["name"], dump["command"]) == ("backup", ["sh", "/etc/backup/backup"])
    assert upload["image"].startswith("registry.example.com/stormsight-data@sha256:")
    assert upload["command"][-3:] == ["upload-dumps", "/backups", "s3://stormsight/backups"]
    assert [m["readOnly"] for m in upload["volumeMounts"] if m["mountPath"] == "/backups"] == [True]
    assert all(m["name"] != "passwords" for m in upload["volumeMounts"]), "it needs no database"
    way = find(uploading, "NetworkPolicy", "object-store-backup")["spec"]
    assert way["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert allows("backup", "backups", "write", "mlflow-2026-11-29T021500Z.dump")
    taking: tuple[Verb, ...] = ("read", "delete")
    assert not any(allows("backup", "backups", verb, "x.dump") for verb in taking)


@pytest.mark.parametrize("policy", policies.POLICIES, ids=lambda policy: policy.__name__)
def test_the_uploading_job_obeys_the_policies(policy: policies.Policy, uploading: list[Manifest]) -> None:
    assert policy(uploading) == []


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
def test_the_job_reaches_the_database_and_the_script_it_runs() -> None:
    objects = rendered("cloud")
    job = find(objects, "CronJob", "stormsight-backup")["spec"]["jobTemplate"]["spec"]["template"]
    [container] = job["spec"]["containers"]
    [script] = [v["configMap"]["name"] for v in job["spec"]["volumes"] if "configMap" in v]
    assert find(objects, "ConfigMap", script)["data"]["backup"] == (ROOT / "k8s/backups/backup").read_text()
    server = find(objects, "StatefulSet", "stormsight-postgres")["spec"]["template"]
    assert container["image"] == server["spec"]["containers"][0]["image"], "pg_dump fits the server"
    policy = find(objects, "NetworkPolicy", "postgres-from-backup")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= server["metadata"]["labels"].items()
    [peer] = policy["ingress"][0]["from"]
    assert peer["podSelector"]["matchLabels"].items() <= job["metadata"]["labels"].items()
