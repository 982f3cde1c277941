"""Airflow's REST API, as an operator's script would use it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.processes import LabError, wait_for

FINISHED = ("success", "failed")


@dataclass
class AirflowClient:
    """The API of one Airflow.

    Attributes:
        url: Its address.
    """

    url: str
    _token: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: str | int) -> Any:
        """Send one request below ``/api/v2``; return the answer.

        Raises:
            LabError: If the answer is not a success; the text is the answer.
        """
        if not self._token:
            self._token = self._login()
        url = f"{self.url}/api/v2/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        return self._send(method, url, body, {"Authorization": f"Bearer {self._token}"})

    def healthy(self) -> bool:
        """Return ``True`` if every component reports itself healthy."""
        try:
            health = self._send("GET", f"{self.url}/api/v2/monitor/health", None, {})
        except (LabError, OSError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self.call("GET", "dags", limit=100)["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Return stack traces by file."""
        errors = self.call("GET", "importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def pause(self, dag_id: str, paused: bool = True) -> None:
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run now; return its run id."""
        made = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        return str(made["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns", limit=100, order_by="id")
        return list(found["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return dict(self.call("GET", f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}"))

    def wait_run(self, dag_id: str, run_id: str, *, timeout_s: float = 900) -> str:
        """Wait until a run has ended; return its state."""

        def ended() -> str:
            state = str(self.run(dag_id, run_id)["state"])
            return state if state in FINISHED else ""

        try:
            return wait_for(f"the end of {dag_id}/{run_id}", ended, timeout_s=timeout_s, poll_s=0.5)
        except LabError as error:
            raise LabError(f"{error} {self.states(dag_id, run_id)}") from None

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        path = f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances"
        return list(self.call("GET", path, limit=100)["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the states by task id."""
        return {str(task["task_id"]): str(task["state"]) for task in self.tasks(dag_id, run_id)}

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return next(task for task in self.tasks(dag_id, run_id) if task["task_id"] == task_id)

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return the log of one try of a task, as text."""
        path = f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path)["content"]
        return "\n".join(_line(entry) for entry in content)

    def assets(self) -> dict[str, int]:
        """Return the ids by name."""
        return {asset["name"]: asset["id"] for asset in self.call("GET", "assets", limit=100)["assets"]}

    def emit(self, asset: str, **extra: Any) -> None:
        """Add an asset event, as an outside system would."""
        self.call("POST", "assets/events", {"asset_id": self.assets()[asset], "extra": extra})

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return the events of an asset, oldest first."""
        found = self.call("GET", "assets/events", asset_id=self.assets()[asset], limit=100, order_by="id")
        return list(found["asset_events"])

    def _login(self) -> str:
        answer = self._send("GET", f"{self.url}/auth/token", None, {})
        return str(answer["access_token"])

    def _send(self, method: str, url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            raise LabError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from error


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    known = {k: v for k, v in entry.items() if k not in ("timestamp", "event", "level", "logger")}
    return f"{entry.get('event', '')} {json.dumps(known, default=str) if known else ''}".rstrip()
