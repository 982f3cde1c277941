"""Proxy before the tests' S3 endpoint, for what a network or another service gets wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Lossy:
    """Proxy that passes requests on, and then may keep the answer, or all of it after ``cut`` bytes.

    It may take the header ``If-None-Match`` off (``ignores``), answer it with 501 (``refuses``), or answer
    whatever is asked with 403 (``denies``), as a service does whose credentials have expired, or with another
    ``status``.
    """

    upstream: str
    drop: Callable[[str], bool] = lambda method: False
    cut: list[int] = field(default_factory=list)
    ignores: bool = False
    refuses: bool = False
    denies: bool = False
    status: int | None = None
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.pass_on(self)

            do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.command, headers))
        request.close_connection = True
        length = int(headers.get("content-length", "0"))
        if headers.pop("expect", None):
            request.send_response_only(100)
            request.end_headers()
        body = request.rfile.read(length)
        unknown = self.refuses and headers.get("if-none-match")
        refusal = 403 if self.denies else 501 if unknown else self.status
        if refusal is not None:
            request.send_response(refusal)
            request.send_header("content-length", "0")
            request.end_headers()
            return
        if self.ignores:
            headers.pop("if-none-match", None)
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        upstream.request(request.command, request.path, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if self.drop(request.command):
            return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding"}:
                request.send_header(name, value)
        request.end_headers()
        keep = self.cut.pop(0) if self.cut and request.command == "GET" else len(content)
        request.wfile.write(content[:keep])
