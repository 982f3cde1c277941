"""Cost and lineage of a run of the small pipeline."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from components.contract.errors import MissingInputError, ParameterError
from components.contract.keys import lineage_key
from components.lib.operations.operations import Operations
from components.runs.cost import json_of, read_cost, text_of
from components.runs.finish import finish
from components.runs.lineage import tell_lineage, write_lineage
from tests.runs.pipeline import World


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that takes OpenLineage events over HTTP, and what it got."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


def test_the_cost_of_a_run_is_read_from_its_records(
    trained: World, capsys: pytest.CaptureFixture[str]
) -> None:
    trained.edit_params(cost={"currency": "CHF", "cpu_hour": 3600.0, "gpu_hour": 1.0})
    assert finish(trained.environment(), "r1") == 0
    report = read_cost(trained.environment(), last=20)
    ((run, cost),) = report.runs
    assert (run.run, cost.gpu_seconds, cost.unpriced) == ("r1", 0.0, 0)
    assert cost.work == pytest.approx(cost.cpu_seconds), "a core costs 1 a second here"
    assert cost.cpu_seconds > 0
    lock = [record.lock for record in trained.records("r1").stages().values()]
    assert cost.stored_bytes == sum({out["md5"]: out["size"] for one in lock for out in one["outs"]}.values())
    text = text_of(report)
    assert "prices in CHF" in text
    assert "promoted, simulated" in text
    assert "of 1 runs" in text
    assert "not priced" not in text
    unknown = text_of(replace(report, runs=[(run, replace(cost, unpriced=2))]))
    assert unknown.count("2 stages without time or resources not priced") == 1
    assert json.loads(json_of(report))["runs"][0]["cpu_seconds"] == cost.cpu_seconds
    with pytest.raises(ParameterError, match="--last is 0"):
        read_cost(trained.environment(), last=0)
    del capsys


def test_a_finished_run_leaves_its_lineage_and_sends_it(
    trained: World, receiver: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = receiver
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    assert finish(trained.environment(), "r1") == 0
    kept = trained.objects.get(lineage_key(trained.records("r1").key, "r1")).decode()
    assert write_lineage(trained.environment(), "r1", None) == kept
    events = [json.loads(line) for line in kept.splitlines()]
    assert [one["run"]["runId"] for one in got] == [one["run"]["runId"] for one in events]
    done = {one["job"]["name"]: one for one in events if one["eventType"] == "COMPLETE"}
    assert set(done) == {"prepare", "distill@one", "distill@two", "evaluate", "promote", "training"}
    made = {one["name"]: one["facets"]["version"]["datasetVersion"] for one in done["prepare"]["outputs"]}
    read = {one["name"]: one["facets"]["version"]["datasetVersion"] for one in done["distill@one"]["inputs"]}
    assert read == {"data/prepared": made["data/prepared"]}


def test_a_receiver_that_does_not_answer_fails_nothing(
    trained: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY", '{"total": 0}')
    assert finish(trained.environment(), "r1") == 0
    assert "the lineage of run r1 was not sent" in caplog.text
    assert Operations(trained.objects).state().claim_of("r1") is not None


def test_a_failed_run_tells_its_failure_and_an_unknown_one_is_named(
    trained: World, caplog: pytest.LogCaptureFixture
) -> None:
    trained.undo("evaluate", "promote")
    tell_lineage(trained.environment(), "r1", {"OPENLINEAGE_URL": ""})
    assert "OpenLineage transport" not in caplog.text, "an empty variable names no receiver"
    tell_lineage(trained.environment(), "nobody")  # a warning
    with pytest.raises(MissingInputError, match="run nobody holds no claim"):
        write_lineage(trained.environment(), "nobody", None)
    assert finish(trained.environment(), "r1") == 0
    events = [json.loads(line) for line in write_lineage(trained.environment(), "r1", None).splitlines()]
    assert "evaluate: infrastructure" in json.dumps(events)
