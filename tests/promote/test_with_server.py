"""Against a real MLflow server process, with the real fresh process, through the command line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.lib.errors import GateRefusedError
from components.lib.tracking import TrackingParameters
from components.promote.__main__ import main
from components.promote.decide import decide
from tests.lib.tracking.local_store import local_store
from tests.promote.world import gate, write_model

SAR = "stormsight-sar"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on a free loopback port that keeps and serves the artefacts."""
    store = local_store(tmp_path / "server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        store.uri,
        "--artifacts-destination",
        store.artifacts,
        "--workers",
        "1",
    ]
    # A tracking server only: its job runners would be eight more processes.
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        wait_for(f"{uri}/health", process, tmp_path / "server.log")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(log.read_text())


def test_promotion_refusal_and_rollback_on_a_server(
    server: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(checkout / "models/adapted", -5.0)
    stage = gate(TrackingParameters())
    assert decide(stage, (SAR,))["models"][SAR]["outcome"] == "promoted"
    write_model(checkout / "models/adapted", 5.0)
    part = decide(stage, (SAR,))["models"][SAR]
    assert part["outcome"] == "promoted"
    assert "reproduced all counts of 12 tiles exactly" in str(part["decision"]["checks"])
    main(["verify"])
    main(["rollback", "--reason", "drill"])
    main(["history"])
    told = capsys.readouterr().out
    assert "stormsight-sar: ledger of 2 entries is whole" in told
    assert "stormsight-sar: version 1 is champion again instead of version 2" in told
    assert "stormsight-sar: champion is version 1" in told
    assert not (checkout / "var/mlflow.db").exists()


def test_the_command_judges_both_models_and_fails_only_when_asked(
    tracking: TrackingParameters, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    write_model(checkout / "models/adapted", 5.0)
    write_model(checkout / "models/optical", 5.0, sensors=("simulated-airborne",))
    shutil.copy(checkout / "reports/validate/verdict.json", checkout / "verdict.json")
    (checkout / "reports/validate/verdict.json").write_text(json.dumps({"verdict": "bad", "simulated": True}))
    main([])
    document = json.loads((checkout / "reports/promote/decision.json").read_text())
    assert {name: part["outcome"] for name, part in document["models"].items()} == {
        "stormsight-optical": "refused",
        "stormsight-sar": "refused",
    }
    with pytest.raises(GateRefusedError, match="refused: stormsight-optical, stormsight-sar"):
        main(["--fail-on-refusal"])


def test_a_model_that_does_not_load_is_told_by_the_fresh_process(checkout: Path) -> None:
    from components.promote.exam import Exam  # noqa: PLC0415
    from components.promote.reproduce import reproduce  # noqa: PLC0415

    folder = write_model(checkout / "models/adapted", 5.0)
    (folder / "weights.safetensors").write_bytes(b"no weights")
    told = reproduce(folder, Exam((), (), None), "cpu")
    assert not told.passed
    assert "a fresh process could not score it: error: model" in told.words
