"""Prometheus and Alertmanager on loopback, an exporter that they scrape, a receiver that they tell."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, generate_latest

from tests.k8s.monitoring.fake_exporter import Installation
from tests.prometheus import command

EVERY = "500ms"
"""Interval of scrapes and evaluations: half a minute in an installation."""

PATIENCE_S = 120.0
"""Time after which an alert counts as one that never comes."""


@dataclass
class Stack:
    """What runs.

    Attributes:
        installation: State that the exporter shows.
        prometheus: Address of Prometheus.
        alertmanager: Address of Alertmanager.
        told: Status of each alert that the receiver was told last, ``firing`` or ``resolved``, by name.
        ever: Names of all alerts that it was ever told to fire.
    """

    installation: Installation
    prometheus: str = ""
    alertmanager: str = ""
    told: dict[str, str] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)

    def firing(self) -> set[str]:
        """Return the names of the alerts that the receiver believes to fire."""
        return {name for name, status in dict(self.told).items() if status == "firing"}

    def seconds_until(self, reached: Callable[[], bool], says: Callable[[], object]) -> float:
        """Wait for a state; return how long it took."""
        start = time.monotonic()
        while not reached():
            assert time.monotonic() - start < PATIENCE_S, says()
            time.sleep(0.02)
        return time.monotonic() - start

    def seconds_until_alone(self, names: set[str]) -> float:
        """Wait until the receiver believes that these alerts fire and no other; return how long it took."""
        return self.seconds_until(lambda: self.firing() == names, lambda: (names, self.told))

    def samples(self, expression: str) -> list[float]:
        """Return the numbers that a query gives now; NaN is none."""
        query = urllib.parse.urlencode({"query": expression})
        answer = _get(f"{self.prometheus}/api/v1/query?{query}")
        assert answer["status"] == "success", answer
        values = [float(one["value"][1]) for one in answer["data"]["result"]]
        return [value for value in values if not math.isnan(value)]

    def notice(self, body: dict[str, Any]) -> None:
        """Keep what Alertmanager says."""
        for alert in body["alerts"]:
            name = alert["labels"]["alertname"]
            self.told[name] = alert["status"]
            if alert["status"] == "firing":
                self.ever.add(name)


@contextmanager
def running(folder: Path, installation: Installation, rules: Sequence[Path]) -> Iterator[Stack]:
    """Run everything until the end of the block."""
    prometheus, alertmanager = command("prometheus"), command("alertmanager")
    stack = Stack(installation)
    with ExitStack() as exits:
        exporter = exits.enter_context(_serving(_exporter(installation)))
        receiver = exits.enter_context(_serving(_receiver(stack)))
        stack.alertmanager = exits.enter_context(_alertmanager(alertmanager, folder, receiver))
        targets = (exporter, stack.alertmanager)
        stack.prometheus = exits.enter_context(_prometheus(prometheus, folder, targets, rules))
        yield stack


@contextmanager
def _alertmanager(start: list[str], folder: Path, receiver: str) -> Iterator[str]:
    webhook = {"url": receiver, "send_resolved": True}
    configuration = {
        "route": {"receiver": "trial", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "trial", "webhook_configs": [webhook]}],
    }
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(configuration))
    listen = f"127.0.0.1:{_free_port()}"
    options = [
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={listen}",
        "--cluster.listen-address=",
    ]
    with _process([*start, *options], folder / "alertmanager.log", f"http://{listen}/-/ready"):
        yield f"http://{listen}"


@contextmanager
def _prometheus(
    start: list[str], folder: Path, targets: tuple[str, str], rules: Sequence[Path]
) -> Iterator[str]:
    exporter, alertmanager = (urllib.parse.urlsplit(address).netloc for address in targets)
    configuration = {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY, "scrape_timeout": EVERY},
        "rule_files": [str(rule) for rule in rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "stormsight-exporter", "static_configs": [{"targets": [exporter]}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    listen = f"127.0.0.1:{_free_port()}"
    options = [
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={listen}",
        f"--rules.alert.resend-delay={EVERY}",
    ]
    with _process([*start, *options], folder / "prometheus.log", f"http://{listen}/-/ready"):
        yield f"http://{listen}"


@contextmanager
def _process(words: list[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE_S
        while not _answers(ready):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        return json.loads(answer.read())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve requests in threads on a free port; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(BaseHTTPRequestHandler):
    """Handler that answers at once and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self, body: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _exporter(installation: Installation) -> type[BaseHTTPRequestHandler]:
    registry = CollectorRegistry()
    registry.register(installation)

    class Exporter(_Quiet):
        def do_GET(self) -> None:
            self.answer(generate_latest(registry) + installation.others().encode())

    return Exporter


def _receiver(stack: Stack) -> type[BaseHTTPRequestHandler]:
    class Receiver(_Quiet):
        def do_POST(self) -> None:
            stack.notice(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer()

    return Receiver
