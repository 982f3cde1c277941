"""Service over real HTTP on loopback, and the command that prints one reading."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest

from components.contract.errors import ParameterError, ResourceError
from components.exporter.__main__ import main
from components.exporter.server import Exporter, open_server
from components.exporter.sources import Sources
from components.lib.monitoring.registry import declared
from tests.conftest import ROOT
from tests.exporter.reading import parsed
from tests.lib.history.ledgers import Trainings


@contextmanager
def served(exporter: Exporter) -> Iterator[int]:
    """Serve on a free port of the loopback; yield the port."""
    server = open_server(exporter, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port: int, path: str) -> tuple[int, str, str]:
    """Return status, content type and text of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_the_last_reading_is_served(trainings: Trainings, sources: Sources) -> None:
    exporter = Exporter(sources, interval=30)
    with served(exporter) as port:
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/metrics")[0] == 503, "nothing was read yet"
        assert get(port, "/readyz")[::2] == (503, "the first reading is not done\n")
        exporter.read()
        status, content_type, text = get(port, "/metrics")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert parsed(text)['stormsight_runs_total{outcome="succeeded"}'] == 0
        assert get(port, "/readyz")[0] == 200
        trainings.succeed("r1")
        assert get(port, "/metrics")[2] == text, "a scrape reads nothing"
        exporter.read()
        assert parsed(get(port, "/metrics")[2])['stormsight_runs_total{outcome="succeeded"}'] == 1
        trainings.now += timedelta(seconds=121)
        assert get(port, "/readyz")[::2] == (503, "the last reading is 121 s old\n")
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/other")[0] == 404


def test_a_thread_reads_until_it_is_stopped(sources: Sources) -> None:
    exporter = Exporter(sources, interval=0.01)
    thread = threading.Thread(target=exporter.run)
    thread.start()
    while exporter.not_ready(sources.clock()):
        thread.join(0.01)
    exporter.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_a_failing_source_is_told_once(
    trainings: Trainings, sources: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    trainings.objects.put("maps/items/m1/item.json", b"torn")
    exporter = Exporter(sources, interval=30)
    exporter.read()
    exporter.read()
    assert sum("maps could not be read" in record.message for record in caplog.records) == 1


def test_one_reading_is_printed(
    trainings: Trainings, source: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    trainings.succeed("r1")
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))
    monkeypatch.setenv("STORMSIGHT_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("STORMSIGHT_SOURCE", str(source))
    main(["--once"])
    values = parsed(capsys.readouterr().out)
    assert values['stormsight_runs_total{outcome="succeeded"}'] == 1
    assert values["stormsight_collect_last_timestamp_seconds"] > 0
    assert not (tmp_path / "landing").exists(), "nothing is written"


def test_bad_arguments_are_refused(sources: Sources) -> None:
    with pytest.raises(ParameterError, match=r"--interval is 0\.0"):
        main(["--interval", "0"])
    with pytest.raises(ParameterError, match=r"--interval is 1e\+300"):
        main(["--interval", "1e300"])
    with pytest.raises(ResourceError, match="port must be 0-65535"):
        open_server(Exporter(sources, interval=30), "127.0.0.1", 65536)
    exporter = Exporter(sources, interval=30)
    with served(exporter) as port, pytest.raises(ResourceError, match=f"127.0.0.1:{port} cannot be listened"):
        open_server(exporter, "127.0.0.1", port)


def test_the_guide_shows_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of the registry: ``python -m components.exporter --table``."""
    main(["--table"])
    table = capsys.readouterr().out
    assert table in (ROOT / "docs/operate/metrics.md").read_text()
    assert table.count("| `stormsight_") == len(declared().metrics)
