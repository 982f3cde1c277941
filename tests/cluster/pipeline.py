"""The installed pipeline as its users operate it: land an acquisition, watch the DAGs, read the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.airflow_server import Airflow
from tests.cluster.endpoints import S3, base_environment
from tests.cluster.lab import BUCKET, LANDING_BUCKET
from tests.cluster.podlog import PodLog
from tests.cluster.processes import LabError, wait_for

PREFIX = "pipeline/"
TILES, TILE_PX = 12, 256
MAP_GROUPS = 2


@dataclass(frozen=True)
class Pipeline:
    """The DAGs on Airflow, their pods, and their results in the object store.

    Attributes:
        airflow: The running Airflow.
        s3: The object store.
        pods: Every pod since the start.
        code: The repository as pods see it.
    """

    airflow: Airflow
    s3: S3
    pods: PodLog
    code: Path

    def command(self, *arguments: str) -> str:
        """Run ``python -m components...`` on this machine against the same object store.

        Raises:
            LabError: If it fails.
        """
        environment = {
            **base_environment(),
            **self.s3.environment,
            "STORMSIGHT_OBJECTS": f"s3://{BUCKET}/{PREFIX}".rstrip("/"),
            "STORMSIGHT_LANDING": f"s3://{LANDING_BUCKET}/",
            "STORMSIGHT_REMOTE": f"s3://{BUCKET}/dvc",
            "PYTHONPATH": str(self.code),
        }
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.code,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def land(self, acquisition: str, seed: int) -> datetime:
        """Land a small simulated acquisition; return the time of its marker."""
        size = ["--tiles", str(TILES), "--tile-px", str(TILE_PX), "--seed", str(seed)]
        self.command("components.acquisitions", "land", "--id", acquisition, *size)
        return self.modified(LANDING_BUCKET, f"{acquisition}/COMPLETE.json")

    def modified(self, bucket: str, key: str) -> datetime:
        """Return the time at which an object was written (whole seconds)."""
        found: datetime = self.s3.client.head_object(Bucket=bucket, Key=key)["LastModified"]
        return found

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the bodies of the operations ledger, oldest first, each with its ``written`` time."""
        bodies = []
        for key in self.s3.keys(BUCKET, f"{PREFIX}ledger/operations/"):
            body = json.loads(self.s3.read(BUCKET, key))["body"]
            bodies.append({**body, "written": self.modified(BUCKET, key)})
        return [body for body in bodies if kind in (None, body["event"])]

    def record_text(self, path: str) -> str:
        """Return an object below the pipeline's prefix."""
        return self.s3.read(BUCKET, PREFIX + path).decode()

    def wait_claim(self, known: int, *, timeout_s: float = 120) -> str:
        """Wait until a run has made the claim after the first ``known``; return Airflow's id of that run.

        Airflow may start others, such as the last one the clock missed: they find nothing to do.
        """
        wait_for("a claim in the ledger", lambda: len(self.events("claimed")) > known, timeout_s=timeout_s)
        (running,) = [r for r in self.airflow.client.runs("retrain") if r["state"] == "running"]
        return str(running["dag_run_id"])

    def change_params(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change ``params.yaml`` of the mounted code, as a new release of it would."""
        edit_params(self.code, change)


def edit_params(code: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite ``params.yaml`` below ``code``."""
    path = code / "params.yaml"
    document = yaml.safe_load(path.read_text())
    change(document)
    temporary = path.with_suffix(".new")
    temporary.write_text(yaml.safe_dump(document, sort_keys=False))
    temporary.replace(path)


def small_and_impatient(document: dict[str, Any]) -> None:
    """Choose the smallest world, small blocks of maps, frequent looks and short retry delays."""
    document["profiles"]["smoke"]["world"]["tiles"] = TILES
    document["orchestration"] |= {"landing_poll_s": 2, "retry_delay_s": 2}
    document["orchestration"] |= {"map_groups": MAP_GROUPS, "map_schedule": None}
    document["map"] |= {"window_px": 256, "overlap_px": 32, "block_px": 256}
