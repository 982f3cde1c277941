"""Run the real DAGs on a real Airflow (SQLite, local mode) with scripted commands, and print the results.

Airflow reads its configuration once per process, so this is a process of its own:
``python -m tests.dags.airflow.trial <folder>`` inside :func:`tests.dags.airflow.trial_source.environment`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from tests.conftest import ROOT
from tests.dags.airflow.trial_source import REGISTERED_AND_REJECTED, write_source


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    notices: list[dict[str, Any]] = []  # noqa: RUF012 - one server, one list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.notices.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Trial:
    """One Airflow, and runs of its DAGs."""

    def __init__(self, folder: Path) -> None:

        self.source = folder / "source"
        self.bag = DagBag(ROOT / "dags")

    def script(self, codes: dict[str, list[int]]) -> None:
        (self.source / "script.json").write_text(json.dumps({"codes": codes, "calls": []}))

    def run(self, dag_id: str, codes: dict[str, list[int]]) -> dict[str, Any]:
        self.script(codes)
        Hook.notices.clear()
        dag = self.bag.dags[dag_id]
        # Airflow 3.3's dag.test() cannot create runs with deadlines: it looks them up under ids they lack.
        dag.deadline = None
        run = dag.test()
        return {
            "state": str(run.state),
            "tasks": {name_of(ti): [str(ti.state), ti.try_number] for ti in run.get_task_instances()},
            "calls": json.loads((self.source / "script.json").read_text())["calls"],
            "actors": json.loads((self.source / "script.json").read_text()).get("actors", []),
            "notices": [*Hook.notices],
            "events": self.events(run.run_id),
            "woken": self.woken(),
            "run": run.run_id,
        }

    def events(self, run_id: str) -> list[list[Any]]:

        with create_session() as session:
            of_run = select(AssetEvent).where(AssetEvent.source_run_id == run_id).order_by(AssetEvent.id)
            return [[event.uri, event.extra] for event in session.scalars(of_run)]

    def woken(self) -> list[str]:
        """DAGs for which the scheduler would create a run now, because of events since the last call."""

        with create_session() as session:
            rows = session.scalars(select(AssetDagRunQueue)).all()
            found = sorted({row.target_dag_id for row in rows})
            for row in rows:
                session.delete(row)
            return found


def name_of(instance: Any) -> str:
    """A task's id, with the index of one that Airflow mapped."""
    return instance.task_id if instance.map_index < 0 else f"{instance.task_id}[{instance.map_index}]"


def summary(dag: Any) -> str:
    """The schedule in Airflow's words."""

    return str(coerce_to_core_timetable(dag.timetable).summary)


def retrainings(trial: Trial) -> dict[str, Any]:
    """The retrain DAG, by what its commands do."""
    scenarios: dict[str, dict[str, list[int]]] = {
        "promoted": {},
        "refused": {"gate": [77]},
        "nothing": {"plan": [99], "finish": [99]},
        "awaits approval": {"gate": [99]},
        "source came back": {"stage get": [69, 0]},
        "source stayed away": {"stage get": [69]},
        "bad data": {"stage part@b": [65]},
        "barred": {"plan": [99], "finish": [99], "notice": [1]},
        "hung": {"stage get": [124, 0]},
    }
    return {name: trial.run("retrain", codes) for name, codes in scenarios.items()}


def marked(trial: Trial) -> dict[str, Any]:
    """Rest of a run that a person marks as failed while its first stage is at work or waits."""
    return {"running": _marked_while("running"), "waiting": _marked_while("up_for_retry")}


def _marked_while(state: str) -> dict[str, Any]:
    """Mark a run; then let the scheduler decide, with tasks that end as they do."""
    with create_session() as session:
        dag = SerializedDagModel.get_dag("retrain", session=session)
        assert dag is not None
        dag.deadline = None
        run = dag.create_dagrun(
            run_id=f"marked-while-{state}",
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )
        run.dag = dag

        def put(task: str, state: str) -> None:
            instance = run.get_task_instance(task, session=session)
            assert instance is not None
            instance.state = TaskInstanceState(state)
            session.flush()

        def due() -> list[str]:
            return sorted(
                ti.task_id for ti in run.task_instance_scheduling_decisions(session=session).schedulable_tis
            )

        put("plan", "success")
        put("pipeline.get", state)
        set_dag_run_state_to_failed(dag=dag, run_id=run.run_id, commit=True, session=session)
        session.expire_all()
        run.dag = dag
        found: dict[str, Any] = {"after": {ti.task_id: str(ti.state) for ti in run.get_task_instances()}}
        found["due"] = [due()]
        put("finish", "success")
        found["due"].append(due())
        put("outcome", "failed")
        run.update_state(session=session, execute_callbacks=False)
        return {**found, "state": str(run.state)}


def landings(trial: Trial) -> dict[str, Any]:
    """The acquisitions DAG: two have landed, a third follows, the fourth brings bad data."""
    landing = trial.source / "var" / "landing"

    def land(name: str) -> None:
        (landing / name).mkdir(parents=True)
        (landing / name / "COMPLETE.json").write_text("{}")

    land("one")
    land("two")
    first = trial.run("acquisitions", {})
    land("three")
    second = trial.run("acquisitions", {})
    land("four")
    bad = trial.run("acquisitions", {"register": [65]})
    both = trial.run("acquisitions", {"register": [REGISTERED_AND_REJECTED]})
    shutil.rmtree(landing)
    landing.write_text("a file where the landing place should be")
    away = trial.run("acquisitions", {})
    landing.unlink()
    trial.bag.dags["acquisitions"].task_dict["landed"].renew_s = 0.1  # type: ignore[union-attr]
    vain = trial.run("acquisitions", {})
    return {"two": first, "third": second, "bad": bad, "both": both, "away": away, "vain": vain}


def redrives(trial: Trial) -> dict[str, Any]:
    """The redrive DAG, by what its command finds."""
    codes = {"due": 0, "idle": 99, "spent": 80}
    return {name: trial.run("redrive", {"redrive": [code]}) for name, code in codes.items()}


def housekeeping(trial: Trial) -> dict[str, Any]:
    """The housekeeping DAG: all is sound, a ledger is broken, an alias was moved (both run `verify`)."""
    return {
        "sound": trial.run("housekeeping", {}),
        "broken": trial.run("housekeeping", {"verify": [65]}),
        "moved": trial.run("housekeeping", {"verify": [0, 65]}),
    }


def mappings(trial: Trial) -> dict[str, Any]:
    """The map DAG, by what its commands do."""
    scenarios: dict[str, dict[str, list[int]]] = {
        "mapped": {"group 2": [99]},
        "nothing": {"plan": [99]},
        "no plan": {"plan": [78]},
        "bad blocks": {"group 1": [65], "merge": [66]},
        "one bad group": {"group 1": [65]},
        "source came back": {"group 0": [69, 0]},
        "nothing earlier": {"compare": [99]},
        "bad changes": {"compare": [65]},
    }
    return {name: trial.run("map", codes) for name, codes in scenarios.items()}


def main(folder: Path) -> None:
    """Run all scenarios; the last line of the output is JSON."""

    write_source(folder)
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["STORMSIGHT_NOTICE_URL"] = f"http://127.0.0.1:{server.server_port}/token-in-the-path"
    initdb()
    trial = Trial(folder)
    alerts: Any = trial.bag.dags["retrain"].deadline
    result: dict[str, Any] = {
        "import_errors": {str(k): str(v) for k, v in trial.bag.import_errors.items()},
        "dags": sorted(trial.bag.dags),
        "schedules": {name: summary(dag) for name, dag in trial.bag.dags.items()},
        "deadline": [alert.interval.total_seconds() for alert in alerts],
    }
    steps: tuple[Callable[[Trial], dict[str, Any]], ...] = (
        retrainings,
        marked,
        landings,
        redrives,
        mappings,
        housekeeping,
    )
    for step in steps:
        result |= {step.__name__: step(trial)}
    server.shutdown()
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
