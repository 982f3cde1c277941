"""Webhook on this machine that keeps the notices it is posted, in the forms of Slack and of Alertmanager."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

from components.contract.notices import ALERTMANAGER

SLACK = "/services/secret-token"
"""Path of a webhook that shows the field ``text``."""


class Told(NamedTuple):
    """Notice as a person or a pager sees it: event, class of failure, severity, and all words together."""

    event: str
    kind: str
    severity: str
    text: str

    @classmethod
    def of(cls, path: str, body: bytes) -> Told:
        """Read the body that was posted to ``path``."""
        content = json.loads(body)
        if path == ALERTMANAGER:
            (alert,) = content
            labels, words = alert["labels"], alert["annotations"]["summary"]
            assert labels["alertname"] == "stormsight"
        else:
            labels, words = content, content["text"]
        return cls(labels["event"], labels.get("class", ""), labels["severity"], words)


class Webhook:
    """Server that keeps what it is sent."""

    def __init__(self) -> None:
        self.notices: list[Told] = []
        self._read = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.notices.append(Told.of(self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                del arguments

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def new(self) -> list[Told]:
        """Return the notices since the last call."""
        found, self._read = self.notices[self._read :], len(self.notices)
        return found


@contextmanager
def listening() -> Iterator[Webhook]:
    """Yield a webhook that is up."""
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        hook.server.shutdown()
        thread.join()
        hook.server.server_close()
