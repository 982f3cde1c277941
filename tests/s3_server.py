"""S3 endpoint as a process of its own: moto's server, its writes one after the other.

moto checks ``If-None-Match`` and writes in two steps, so two threads of its server may both pass the check
(seen in 11 of 150 rounds of eight creators when threads are switched as often as possible, in none of 300
otherwise). Real S3 does the two in one, and so does this endpoint: a lock around every request that writes.

Run it with ``python -m tests.s3_server``; the first line it prints is its URL.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ROOT = Path(__file__).parent.parent


class OneWriter:
    """WSGI application in which requests that write wait for each other."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer
        with self._lock:
            return list(self._app(environ, start_response))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = OneWriter(DomainDispatcherApplication(create_backend_app))
    server = make_server(options.host, options.port, app, threaded=True)
    print(f"http://{options.host}:{server.port}", flush=True)
    server.serve_forever()


@contextmanager
def s3_server() -> Iterator[str]:
    """Yield the URL of a running endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.s3_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        with process.stdout as told:
            yield told.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
