"""The published pages inside Airflow: nobody reads them without the right to, on Airflow itself."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from components.contract.errors import SourceUnavailableError
from components.contract.pages import DASHBOARD
from components.contract.rights import allows
from stormsight_dags.airflow.dashboard import Published, airflow_guard, deny, make_app, unpacked
from stormsight_dags.landing.store import ObjectReader, open_reader

IN_AIRFLOW = """\
import json, sys
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
from airflow import plugins_manager

from airflow import settings
from airflow.models.revoked_token import RevokedToken

app = create_app(apps="core")
RevokedToken.__table__.create(settings.get_engine() if hasattr(settings, "get_engine") else settings.engine)
from airflow.api_fastapi.app import get_auth_manager

client = TestClient(app, raise_server_exceptions=False)
addresses = ["", "index.html", "run/checkout.html", "charts/x.svg", "style.css", "..%2fsecret", "docs"]
anonymous = {
    f"{method} {one}": client.request(method, f"/stormsight/{one}").status_code
    for one in addresses
    for method in ("GET", "HEAD")
}
wrong = client.get("/stormsight/index.html", headers={"Authorization": "Bearer made-up"}).status_code
manager = get_auth_manager()
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

token = manager.generate_jwt(SimpleAuthManagerUser(username="reader", role="viewer"))
known = client.get("/stormsight/index.html", headers={"Authorization": f"Bearer {token}"})
other = client.post("/stormsight/index.html", headers={"Authorization": f"Bearer {token}"}).status_code
views = [view["name"] for view in plugins_manager._get_ui_plugins()[0]]
print(json.dumps({
    "anonymous": anonymous, "wrong": wrong, "known": [known.status_code, known.text], "other": other,
    "errors": plugins_manager._get_plugins()[1], "views": views,
    "policy": known.headers.get("content-security-policy"),
}))
"""


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def publish(folder: Path, files: dict[str, bytes]) -> Callable[[], ObjectReader]:
    path = folder / DASHBOARD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive(files))
    return lambda: open_reader(str(folder))


def client_of(open_store: Callable[[], ObjectReader], guard: Callable[..., object]) -> TestClient:
    return TestClient(make_app(guard, open_store))


def test_on_airflow_itself_every_address_is_closed_to_strangers(repository: Path, tmp_path: Path) -> None:
    publish(tmp_path / "objects", {"index.html": b"<p>champions</p>"})
    deployment = tmp_path / "deployment.yaml"
    deployment.write_text(f"objects: {tmp_path / 'objects'}\n")
    result = subprocess.run(
        [sys.executable, "-c", IN_AIRFLOW],
        env=os.environ
        | {
            "PYTHONPATH": f"{repository}{os.pathsep}{repository / 'dags'}",
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(repository / "dags/stormsight_dags/airflow/plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
            "STORMSIGHT_DEPLOYMENT": str(deployment),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert set(found["anonymous"].values()) <= {401, 403}, found["anonymous"]
    assert found["wrong"] in {401, 403}
    assert found["known"] == [200, "<p>champions</p>"]
    assert found["other"] == 405
    assert "default-src 'none'" in found["policy"]
    assert "Stormsight" in found["views"]


def test_without_airflows_access_control_nobody_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.core_api.security", None)
    guard = airflow_guard()
    assert guard is deny
    client = client_of(publish(tmp_path, {"index.html": b"x"}), guard)
    for address in ("/", "/index.html", "/run/a.html", "/docs"):
        assert client.get(address).status_code == 403


def test_pages_are_those_of_the_archive_and_nothing_else(tmp_path: Path) -> None:
    files = {"index.html": b"first", "map/a.html": b"map", "../out.html": b"out", "notes.exe": b"MZ"}
    (tmp_path / "secret.html").write_text("secret")
    client = client_of(publish(tmp_path, files), lambda: None)
    assert client.get("/").content == b"first"
    assert client.get("/map/a.html").headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/map/a.html").headers["x-content-type-options"] == "nosniff"
    for address in (
        "/secret.html",
        "/..%2fsecret.html",
        "/%2e%2e/secret.html",
        "/notes.exe",
        "/dashboard/site.zip",
    ):
        assert client.get(address).status_code == 404, address
    assert not (tmp_path.parent / "out.html").exists()


def test_a_newer_archive_is_seen_and_a_damaged_one_shows_nothing(tmp_path: Path) -> None:
    now = [0.0]
    published = Published(publish(tmp_path, {"index.html": b"first"}), lambda: now[0])
    assert published.files() == {"index.html": b"first"}
    publish(tmp_path, {"index.html": b"second, and longer"})
    assert published.files() == {"index.html": b"first"}, "looked at a moment ago"
    now[0] = 60
    assert published.files() == {"index.html": b"second, and longer"}
    assert unpacked(b"no archive") == {}
    assert unpacked(archive({"index.html": b"x" * 4000})[:-900]) == {}


def test_a_store_that_does_not_answer_is_told(tmp_path: Path) -> None:
    def broken() -> ObjectReader:
        raise SourceUnavailableError("the store does not answer", next_step="look at it")

    answer = client_of(broken, lambda: None).get("/index.html")
    assert (answer.status_code, answer.text) == (503, "the store does not answer; next: look at it\n")
    assert client_of(lambda: open_reader(str(tmp_path / "none")), lambda: None).get("/").status_code == 404


def test_rights_reach_as_far_as_the_archive() -> None:
    assert allows("airflow", "objects", "read", DASHBOARD)
    assert allows("housekeeping", "objects", "write", DASHBOARD)
    assert not allows("airflow", "objects", "write", DASHBOARD)
    assert not allows("data", "objects", "write", DASHBOARD)
