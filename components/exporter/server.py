"""HTTP server of the last reading: ``/metrics``, ``/healthz``, ``/readyz``; a thread reads at intervals."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import Collector

from components.contract.errors import ResourceError
from components.exporter.reading import Reading, read_all
from components.exporter.sources import Sources

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOG = logging.getLogger(__name__)

STALE = 4
"""Intervals after which a reading is too old to be served as ready."""

CLIENT_TIMEOUT_S = 10
"""Seconds that a client may leave a connection idle."""


class Exporter:
    """Reader at intervals, and the web application of what it read last.

    Args:
        sources: Sources of the metrics.
        interval: Seconds between the end of a reading and the next one.
    """

    def __init__(self, sources: Sources, interval: float) -> None:
        self._sources = sources
        self._interval = interval
        self._last: Reading | None = None
        self._stop = threading.Event()
        registry = CollectorRegistry()
        registry.register(_Live(lambda: self._last))
        self._metrics: WSGIApplication = make_wsgi_app(registry)

    def read(self) -> Reading:
        """Read all sources now, and serve that from now on."""
        reading = read_all(self._sources)
        told = set() if self._last is None else set(self._last.failed.items())
        for source, message in reading.failed.items():
            if (source, message) not in told:  # once, not at each interval
                LOG.warning("%s could not be read: %s", source, message)
        self._last = reading
        return reading

    def run(self) -> None:
        """Read at intervals until :meth:`stop`."""
        while not self._stop.is_set():
            self.read()
            self._stop.wait(self._interval)

    def stop(self) -> None:
        """End :meth:`run` after the reading at work."""
        self._stop.set()

    def not_ready(self, now: datetime) -> str:
        """Return why the last reading should not be relied upon; empty if it may be."""
        if self._last is None:
            return "the first reading is not done"
        age = now - self._last.time
        taken = timedelta(seconds=STALE * self._interval)
        return f"the last reading is {age.total_seconds():.0f} s old" if age > taken else ""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        if path == "/metrics" and self._last is not None:
            return self._metrics(environ, start_response)
        if path in {"/readyz", "/metrics"}:
            problem = self.not_ready(self._sources.clock())
            return _answer(
                start_response, "503 Service Unavailable" if problem else "200 OK", problem or "ok"
            )
        if path == "/healthz":
            return _answer(start_response, "200 OK", "ok")
        return _answer(start_response, "404 Not Found", "/metrics, /healthz, /readyz")


def exposition(reading: Reading) -> str:
    """Return a reading in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Live(lambda: reading))
    return generate_latest(registry).decode()


def open_server(exporter: Exporter, host: str, port: int) -> WSGIServer:
    """Return a server that listens; ``serve_forever`` answers.

    Raises:
        ResourceError: If the address cannot be had.
    """
    try:
        return make_server(host, port, exporter, server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:  # a port beyond 65535 is the latter
        raise ResourceError(
            f"{host}:{port} cannot be listened to: {getattr(error, 'strerror', None) or error}",
            next_step="choose another --port or --host (a name or an IPv4 address), or end what uses it",
        ) from error


class _Live(Collector):
    """Collector of the reading that a function returns."""

    def __init__(self, last: Callable[[], Reading | None]) -> None:
        self._last = last

    def collect(self) -> Iterator[Family]:
        last = self._last()
        if last is not None:
            yield from last.readings.collect()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:
        """Log requests for debugging alone: a scrape comes every few seconds."""
        LOG.debug(format, *args)


def _answer(start_response: StartResponse, status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
