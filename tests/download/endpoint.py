"""A real HTTP S3 endpoint (moto), and a proxy in front of it that logs, cuts, slows and refuses."""

from __future__ import annotations

import functools
import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3

BUCKET = "spacenet-dataset"
ROOT = "spacenet/SN6_buildings/"


@dataclass
class Seen:
    """One request as it came, and how much of its body was delivered."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def key(self) -> str:
        return self.path.removeprefix(f"/{BUCKET}/")

    @property
    def range(self) -> tuple[int, int] | None:
        """``[start, stop)`` of a ranged request."""
        header = self.headers.get("range")
        if header is None:
            return None
        start, last = header.removeprefix("bytes=").split("-")
        return int(start), int(last) + 1


@dataclass
class Fault:
    """Action of the proxy instead of passing the answer on."""

    status: int | None = None
    code: str = "InternalError"
    cut_after: int | None = None
    stall_s: float = 0.0
    trickle: bool = False
    hold: threading.Event | None = None


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is part of the tests. Printing its traceback is not only noise: that parses
        # source in this thread, which CPython 3.11 cannot do while another thread parses.
        del request, client_address


@dataclass
class Proxy:
    """Loopback proxy; ``fault`` decides per request."""

    upstream: str
    fault: Callable[[Seen], Fault | None] = lambda _: None
    log: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.answer(self)

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def ranged(self) -> list[Seen]:
        return [seen for seen in self.log if seen.range is not None]

    @property
    def body_bytes(self) -> int:
        return sum(seen.sent for seen in self.ranged)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        split = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.command, unquote(split.path), split.query, headers)
        self.log.append(seen)
        fault = self.fault(seen) or Fault()
        if fault.hold is not None:
            fault.hold.wait(30)
        time.sleep(fault.stall_s)
        try:
            if fault.status is not None:
                _refuse(request, fault)
            else:
                self._pass_on(request, seen, fault)
        except OSError:
            request.close_connection = True

    def _pass_on(self, request: BaseHTTPRequestHandler, seen: Seen, fault: Fault) -> None:
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        upstream.request(seen.method, request.path, headers=dict(request.headers.items()))
        answer = upstream.getresponse()
        body = answer.read()
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                request.send_header(name, value)
        length = answer.getheader("content-length") if seen.method == "HEAD" else str(len(body))
        request.send_header("Content-Length", length or "0")
        request.end_headers()
        upstream.close()
        if fault.trickle:
            for index in range(len(body)):
                request.wfile.write(body[index : index + 1])
                request.wfile.flush()
                time.sleep(0.05)
        piece = body if fault.cut_after is None else body[: fault.cut_after]
        request.wfile.write(piece)
        seen.sent = len(piece)
        if len(piece) < len(body):
            request.wfile.flush()
            request.close_connection = True


def _refuse(request: BaseHTTPRequestHandler, fault: Fault) -> None:
    body = f"<Error><Code>{fault.code}</Code><Message>injected</Message></Error>".encode()
    assert fault.status is not None
    request.send_response(fault.status)
    request.send_header("Content-Type", "application/xml")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


@functools.cache
def admin(url: str) -> Any:
    """A signed client of the endpoint itself, to fill buckets; made once, for that takes a while."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",
    )


def put(url: str, files: dict[str, bytes], root: str = ROOT) -> None:
    """Upload ``files``, readable without credentials as in the real bucket."""
    client = admin(url)
    for path, content in files.items():
        client.put_object(Bucket=BUCKET, Key=root + path, Body=content, ACL="public-read")


def fail_first(times: int, fault: Fault, matching: Callable[[Seen], bool]) -> Callable[[Seen], Fault | None]:
    """``fault`` for the first ``times`` requests that match."""
    left, lock = [times], threading.Lock()

    def decide(seen: Seen) -> Fault | None:
        with lock:
            if left[0] and matching(seen):
                left[0] -= 1
                return fault
        return None

    return decide
