from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from components.contract.errors import ParameterError, SourceUnavailableError
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import flatten, run_title, track_run


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_run_keeps_parameters_metrics_files_and_its_end(
    tracking: TrackingParameters, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    params = {"training": {"lr": 0.03, "crop": 192}, "many": {f"p{k}": k for k in range(150)}}
    with track_run(tracking, "optical", params, {"simulated": "true"}) as run:
        for step in (1, 2, 3):
            run.log_metrics({"loss": 1 / step, "iou": float("nan")}, step)
        run.log_artifact(tmp_path / "folder")
        run.log_artifact(tmp_path / "b.txt", "reports")
    assert run.run_id is not None
    client = connect(tracking).client
    kept = client.get_run(run.run_id)
    assert (kept.info.status, kept.info.run_name, kept.data.tags["simulated"]) == (
        "FINISHED",
        "optical",
        "true",
    )
    assert kept.data.params["training.lr"] == "0.03"
    assert len(kept.data.params) == 152
    assert [m.value for m in client.get_metric_history(run.run_id, "loss")] == [1.0, 0.5, 1 / 3]
    assert (Path(tracking.artifacts) / run.run_id / "artifacts" / "folder" / "a.txt").read_text() == "a"
    assert [a.path for a in client.list_artifacts(run.run_id, "reports")] == ["reports/b.txt"]


def test_runs_of_one_training_are_told_apart_from_those_of_others() -> None:
    def title(name: str, data: str) -> str:
        return run_title(name, {"code_sha256": "c", "params_sha256": "p", "data_sha256": data, "stage": name})

    name, _, training = title("distill/concord", "first").rpartition(" ")
    assert name == "distill/concord"
    assert len(training) == 8
    assert title("adapt", "first") == f"adapt {training}"
    assert not title("distill/concord", "second").endswith(training)
    assert run_title("optical", {"simulated": "true"}) == "optical", "code of one's own has no identity"


def test_an_error_ends_the_run_as_failed_and_an_interruption_as_killed(tracking: TrackingParameters) -> None:
    with pytest.raises(ValueError, match="ours"), track_run(tracking, "a") as failed:
        raise ValueError("ours")
    with pytest.raises(SystemExit), track_run(tracking, "b") as killed:
        raise SystemExit(143)
    client = connect(tracking).client
    assert failed.run_id is not None
    assert killed.run_id is not None
    assert client.get_run(failed.run_id).info.status == "FAILED"
    assert client.get_run(killed.run_id).info.status == "KILLED"


def test_a_server_that_does_not_answer_costs_a_warning_not_the_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    dead = TrackingParameters(uri=f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with caplog.at_level(logging.WARNING), track_run(dead, "optical", {"lr": 1}) as run:
        run.log_metrics({"loss": 1.0}, 1)
        run.log_artifact(Path("nothing"))
        trained = True
    assert trained
    assert run.run_id is None
    warnings = [r.getMessage() for r in caplog.records if "tracking is off" in r.getMessage()]
    assert len(warnings) == 1
    assert dead.uri in warnings[0]


def test_a_store_that_breaks_during_the_run_costs_one_warning(
    tracking: TrackingParameters, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), track_run(tracking, "optical") as run:
        run.log_metrics({"loss": 1.0}, 1)
        run.log_artifact(Path("a file that is not there"))
        run.log_metrics({"loss": 0.5}, 2)
    assert sum("tracking is off" in r.getMessage() for r in caplog.records) == 1
    assert run.run_id is not None
    history = connect(tracking).client.get_metric_history(run.run_id, "loss")
    assert [m.step for m in history] == [1]


def test_connecting_for_the_registry_is_not_forgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SourceUnavailableError, match=r"MLflow at http://127.0.0.1"):
        connect(TrackingParameters(uri=f"http://127.0.0.1:{closed_port()}"))


def test_the_environment_names_the_store(
    tracking: TrackingParameters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    elsewhere = TrackingParameters(uri=f"sqlite:///{tmp_path}/never.db", artifacts=tracking.artifacts)
    assert connect(elsewhere).uri == tracking.uri
    assert not (tmp_path / "never.db").exists()


def test_connecting_silences_telemetry_and_forbids_pickles(
    tracking: TrackingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"):
        monkeypatch.setenv(name, "unset")
    connect(tracking)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_the_experiment_is_made_once_with_our_artefact_folder(tracking: TrackingParameters) -> None:
    first, second = connect(tracking), connect(tracking)
    assert first.experiment_id == second.experiment_id
    experiment = first.client.get_experiment(first.experiment_id)
    assert experiment.name == "stormsight"
    assert experiment.artifact_location == Path(tracking.artifacts).as_uri()


def test_a_deleted_experiment_is_named(tracking: TrackingParameters) -> None:
    connection = connect(tracking)
    connection.client.delete_experiment(connection.experiment_id)
    with pytest.raises(ParameterError, match=r"'stormsight'.*was deleted"):
        connect(tracking)


def test_nested_parameters_become_dotted_names() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None}) == {"a.b.c": 1, "a.d": [1, 2], "e": None}


def test_switched_off_nothing_is_opened_and_a_registry_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    off = TrackingParameters(uri="none")
    with track_run(off, "optical", {"lr": 0.1}) as run:
        run.log_metrics({"loss": 1.0})
    assert run.run_id is None
    assert not list(tmp_path.iterdir())
    with pytest.raises(ParameterError, match="a store is needed"):
        connect(off)
