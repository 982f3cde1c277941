"""Notices in the forms that webhooks take, posted again while that may help."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from components.contract import notices
from components.contract.notices import NOTICE_URL, payload, send, text_of

NOTICE = {
    "event": "failed",
    "severity": "critical",
    "dag": "retrain",
    "run": "r1",
    "stage": "prepare",
    "class": "bad_data",
    "message": "strip 7 has no tile",
    "next_step": "land it again",
    "log": "http://airflow/log",
    "try": "",
}


class Webhook:
    """Server that gives the answers in turn, then 200, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[Any] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                del arguments

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv(NOTICE_URL, f"{hook.url}/services/secret-token")
    monkeypatch.setattr(notices, "PAUSES_S", (0.0, 0.0))
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


def test_people_read_the_text_and_machines_the_fields(webhook: Webhook) -> None:
    assert send(NOTICE)
    (body,) = webhook.bodies
    assert body == {**NOTICE, "text": text_of(NOTICE)}
    assert body["text"].splitlines() == [
        "[critical] failed (bad_data): retrain r1 prepare",
        "strip 7 has no tile",
        "next step: land it again",
        "log: http://airflow/log",
    ]


def test_alertmanager_gets_an_alert(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NOTICE_URL, f"{webhook.url}/api/v2/alerts")
    assert send(NOTICE)
    ((alert,),) = webhook.bodies
    assert alert["labels"] == {
        "alertname": "stormsight",
        **{name: NOTICE[name] for name in ("event", "severity", "dag", "run", "stage", "class")},
    }
    assert alert["annotations"]["next_step"] == "land it again"
    assert alert["generatorURL"] == "http://airflow/log"
    assert "generatorURL" not in payload({"event": "x"}, f"{webhook.url}/api/v2/alerts?q=1")[0]


@pytest.mark.parametrize(
    ("answers", "posted", "attempts"),
    [([500, 429], True, 3), ([503, 503, 503], False, 3), ([404], False, 1)],
)
def test_a_busy_webhook_is_asked_again_and_a_wrong_address_is_not(
    webhook: Webhook, answers: list[int], posted: bool, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.answers = list(answers)
    assert send(NOTICE) is posted
    assert len(webhook.bodies) == attempts
    assert ("the webhook answers" in caplog.text) is not posted
    assert "secret-token" not in caplog.text


def test_a_webhook_that_is_away_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(NOTICE_URL, "http://127.0.0.1:9/secret-token")
    monkeypatch.setattr(notices, "PAUSES_S", (0.0,))
    assert not send({"event": "failed", "message": "password=hunter2"})
    assert "secret-token" not in caplog.text
    assert "hunter2" not in caplog.text
