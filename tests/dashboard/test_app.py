"""The server: who is let in, what is answered, and what the command line refuses."""

from __future__ import annotations

import base64
import socket
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from components.contract.errors import MissingInputError, ParameterError, SourceUnavailableError
from components.contract.redaction import redact
from components.dashboard.__main__ import _listening, main
from components.dashboard.app import make_app
from components.dashboard.drawing import Drawer
from components.dashboard.guard import require_guarded
from components.dashboard.site import Site
from components.dashboard.snapshot import Keeper, Snapshot
from tests.dashboard.world import NOW

TOKEN = "a-token-of-enough-characters"
HOST = "http://localhost:8050"


def client(site: Site, token: str | None = None) -> TestClient:
    return TestClient(make_app(lambda: site.snapshot, token=token), base_url=HOST)


def basic(word: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'anyone:{word}'.encode()).decode()}"}


def test_pages_carry_headers_that_let_nothing_in(site: Site) -> None:
    answer = client(site).get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client(site).head("/index.html").status_code == 200
    assert client(site).get("/style.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    "address", ["/nowhere.html", "/run/%2e%2e%2fetc%2fpasswd", "/%00", "/docs", "/openapi.json"]
)
def test_an_unknown_address_is_a_page_with_404(site: Site, address: str) -> None:
    answer = client(site).get(address)
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(site: Site, method: str) -> None:
    assert client(site).request(method, "/index.html").status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example", "", "[::1].x"]
)
def test_a_call_under_another_name_is_refused(site: Site, host: str) -> None:
    answer = client(site).get("/index.html", headers={"Host": host})
    assert (answer.status_code, "stormsight-sar" in answer.text) == (421, False)


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "LOCALHOST", "[::1]:8050"])
def test_a_call_by_its_own_name_is_answered(site: Site, host: str) -> None:
    assert client(site).get("/index.html", headers={"Host": host}).status_code == 200


def test_with_a_token_everybody_states_it(site: Site) -> None:
    guarded = client(site, TOKEN)
    stated = (f"Bearer {TOKEN}x", TOKEN, "Basic !", "Basic 4pyT4pyT/w==")
    wrong = [{}, basic("wrong"), basic(""), basic(TOKEN[:-1]), *({"Authorization": one} for one in stated)]
    for address in ("/", "/index.html", "/nowhere", "/style.css", "/run/checkout.html"):
        for headers in wrong:
            answer = guarded.get(address, headers=headers)
            assert answer.status_code == 401, (address, headers)
            assert answer.headers["www-authenticate"].startswith("Basic ")
        assert guarded.get(address, headers=basic(TOKEN)).status_code in {200, 404}
        assert guarded.get(address, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in {200, 404}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "dashboard.example"])
def test_other_machines_are_served_with_a_token_alone(host: str) -> None:
    with pytest.raises(ParameterError, match="no token"):
        require_guarded(host, None)
    with pytest.raises(ParameterError, match="16"):
        require_guarded(host, "short")
    require_guarded(host, TOKEN)


def test_the_command_refuses_an_open_door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORMSIGHT_DASHBOARD_TOKEN", raising=False)
    with pytest.raises(ParameterError, match="lets other machines read"):
        main(["--host", "0.0.0.0"])
    with pytest.raises(MissingInputError) as missing:
        main(["--host", "0.0.0.0", "--token-file", str(tmp_path / "none")])
    assert redact(missing.value.message) == missing.value.message, "no word of it passes for a secret"
    (tmp_path / "token").write_bytes(b"\xff\xfe" * 10)
    with pytest.raises(ParameterError, match="no text"):
        main(["--host", "0.0.0.0", "--token-file", str(tmp_path / "token")])


def test_a_port_that_is_taken_or_none_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(ParameterError, match=f"port {number}"):
            _listening("127.0.0.1", number)
    with pytest.raises(ParameterError, match="port 99999"):
        _listening("127.0.0.1", 99999)


def test_old_facts_are_served_at_once_and_renewed_meanwhile(site: Site) -> None:
    looks, now = [], [NOW]

    def read() -> Snapshot:
        looks.append(now[0])
        if len(looks) == 2:
            raise SourceUnavailableError("no answer", next_step="wait")
        return Snapshot(read_at=now[0])

    keeper = Keeper(read, lambda: now[0])
    first = keeper.latest()
    assert keeper.latest() is first, "young enough"
    for _ in range(2):  # the second look fails: the pages stay, and the third one is made
        now[0] += timedelta(seconds=20)
        assert keeper.latest() is first
        keeper.join()
    assert keeper.latest() is not first
    assert looks == sorted(looks)
    assert len(looks) == 3


def test_the_first_reader_after_a_pause_waits_a_little_for_new_facts() -> None:
    now, answers = [NOW], threading.Event()
    answers.set()

    def read() -> Snapshot:
        answers.wait()
        return Snapshot(read_at=now[0])

    keeper = Keeper(read, lambda: now[0], wait=timedelta(seconds=60))
    keeper.latest()
    now[0] += timedelta(minutes=5)
    assert keeper.latest().read_at == now[0]
    keeper = Keeper(read, lambda: now[0], wait=timedelta(0))
    first = keeper.latest()
    answers.clear()
    now[0] += timedelta(minutes=5)
    assert keeper.latest() is first, "a source that does not answer holds nobody up for long"
    answers.set()
    keeper.join()
    assert keeper.latest().read_at == now[0]


def test_a_chart_is_drawn_once(site: Site) -> None:
    drawer = Drawer(kept=1)
    chart = Site(site.snapshot, drawer)
    first = chart.resource("charts/rules-light-narrow.svg")
    assert first is not None
    again = Site(site.snapshot, drawer).resource("charts/rules-light-narrow.svg")
    assert again is not None
    assert again.content is first.content
