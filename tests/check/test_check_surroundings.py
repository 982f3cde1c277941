"""Disk, sources, stores and GPU are asked in seconds; what cannot work is told with its class."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from base64 import b64encode
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.check import disk, services
from tests.check.conftest import Check, edit
from tests.conftest import ROOT

CLOSED = "http://127.0.0.1:9"
"""Nobody listens there."""


def test_a_full_disk_is_a_resource(pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk.GIB))
    code, printed = check()
    assert code == 71
    assert "error: disk: about 1.9 GiB are needed in" in printed
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * disk.GIB))
    code, printed = check()
    assert code == 0
    assert "warning: disk: 3.0 GiB are free" in printed


def test_a_source_that_does_not_answer_is_an_error_until_the_data_are_there(
    pipeline: Path, check: Check
) -> None:
    edit(pipeline, ("mirrors: {}  ", "mirrors: {rehearsal-airborne: 's3://bucket/root/'}  "))
    edit(pipeline, ("  endpoint_url: null  ", f"  endpoint_url: {CLOSED}  "))
    code, printed = check()
    assert code == 69
    assert f"s3://bucket/root/ does not answer at {CLOSED}" in printed
    (pipeline / "data/raw/p00/rehearsal-airborne").mkdir(parents=True)
    code, printed = check()
    assert code == 0
    assert "warning: acquisition rehearsal-airborne: s3://bucket/root/" in printed


def test_a_mirror_that_is_not_there_is_named(pipeline: Path, check: Check) -> None:
    edit(pipeline, ("mirrors: {}  ", "mirrors: {rehearsal-airborne: 'file:///nowhere'}  "))
    code, printed = check()
    assert (code, "/nowhere does not exist" in printed) == (69, True)


def test_stores_that_cannot_be_written_are_named(
    pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", CLOSED)
    code, printed = check()
    assert (code, f"MLFLOW_TRACKING_URI: MLflow at {CLOSED} does not answer" in printed) == (69, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "none")
    assert check()[0] == 0
    (pipeline / "var/objects/ledger").mkdir(parents=True)
    (pipeline / "var/objects/ledger/champions").write_text("")
    code, printed = check()
    assert (code, "promote.ledger: var/objects/ledger/champions cannot be used: it is a file" in printed) == (
        69,
        True,
    )


class GuardedMlflow(BaseHTTPRequestHandler):
    """A server that is well, and knows one account."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Basic {b64encode(b'train:right').decode()}"
        self.send_response(200 if known or self.path == "/health" else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error clean."""


@pytest.mark.parametrize(
    ("password", "code", "told"),
    [
        ("right", 0, "checked: parameters"),
        ("wrong", 69, "refuses the credentials: account 'train'"),
        ("", 69, "refuses the credentials: MLFLOW_TRACKING_PASSWORD not set"),
    ],
)
def test_an_account_that_mlflow_does_not_know_is_told_before_the_run(
    check: Check, monkeypatch: pytest.MonkeyPatch, password: str, code: int, told: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), GuardedMlflow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HOME", "/no/home")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "train")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        found, printed = check()
        server.shutdown()
    assert (found, told in printed) == (code, True), printed


def test_a_bucket_of_the_ledger_is_asked(
    pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", CLOSED)
    edit(pipeline, ("  ledger: var/objects/ledger/champions ", "  ledger: s3://bucket/champions "))
    code, printed = check()
    assert (code, "promote.ledger: s3://bucket/champions does not answer" in printed) == (69, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be used: it is a folder"),
        (b"runs: 1\n", "cannot be used: it is no SQLite database"),
        (b"SQLite format 3\0" + b"\0" * 8192, "cannot be used: it is damaged"),
    ],
)
def test_a_database_that_a_training_would_refuse_is_found_here(
    pipeline: Path, check: Check, content: bytes | None, told: str
) -> None:
    path = pipeline / "var/mlflow.db"
    path.parent.mkdir()
    path.mkdir() if content is None else path.write_bytes(content)
    code, printed = check()
    assert (code, "var/mlflow.db " + told in printed) == (65, True), printed
    assert "restore it from a backup" in printed


def test_a_half_made_database_is_told_and_left_to_the_next_training(
    pipeline: Path, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = pipeline / "var/mlflow.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE experiments (name TEXT)")
    before = path.read_bytes()
    assert check()[0] == 0
    assert "left unfinished by a process that was killed" in caplog.text
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_gpu_that_is_asked_for_must_be_there(
    pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_NVIDIA", pipeline / "absent")
    monkeypatch.setattr(services, "_AMD", pipeline / "absent")
    edit(pipeline, ("  crop: 192  ", "  crop: 512  "), ("  tile_px: 450  ", "  tile_px: 900  "))
    code, printed = check()
    assert code == 0
    assert "warning: this machine has no GPU" in printed
    edit(pipeline, ("  device: auto                 # auto | cpu | cuda; cuda", "  device: cuda  # cuda"))
    code, printed = check()
    assert (code, "training.device is cuda" in printed) == (71, True)
    edit(pipeline, ("  device: cuda  # cuda", "  device: auto  # cuda"))
    edit(pipeline, ("  device: auto                 # auto | cpu | cuda\n", "  device: cuda\n"))
    code, printed = check()
    assert (code, "evaluate.device is cuda" in printed) == (71, True)


def test_findings_of_all_classes_are_told_and_parameters_come_first(
    pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", CLOSED)
    edit(pipeline, ("\n  floor: 0.1  ", "\n  flor: 0.1  "))
    code, printed = check()
    assert code == 78
    assert "promote.flor" in printed
    assert "error: disk: " in printed


def test_the_command_imports_no_library_that_takes_seconds(repository: Path) -> None:
    code = "import sys, components.check.__main__; print(*({m.split('.')[0] for m in sys.modules}))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {"torch", "mlflow", "dvc", "boto3", "numpy", "pandas", "rasterio"} & set(printed.split())


def test_a_profile_that_counts_elsewhere_only_is_told(
    pipeline: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORMSIGHT_PROFILE", "smoke")
    code, printed = check()
    assert code == 0
    assert "warning: STORMSIGHT_PROFILE='smoke' is for" in printed
    assert "'rehearsal'" in printed
    monkeypatch.setenv("STORMSIGHT_PROFILE", "rehearsal")
    assert "STORMSIGHT_PROFILE" not in check()[1]
