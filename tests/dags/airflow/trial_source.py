"""A tiny pipeline whose commands follow a script, and the environment of an Airflow that runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.conftest import ROOT

PIPELINE = """\
stages:
  get:
    cmd: echo get
    outs: [raw]
    meta: {image: data, cpu: 1, memory: 1Gi, gpu: 0, retry: transfer}
  part:
    foreach: [a, b]
    do:
      cmd: echo ${item}
      deps: [raw]
      outs: ["parts/${item}"]
      meta: {image: data, cpu: 1, memory: 1Gi, gpu: 0, retry: gate}
"""

PARAMS = """\
profile: small
profiles: {small: {}}
orchestration:
  retrain_schedule: "0 3 * * 1"
  map_schedule: "20 5 * * *"
  map_groups: 3
  map_pod: {cpu: 1, memory: 1Gi, gpu: 0}
  landing_poll_s: 0.05
  landing_bad_looks: 3
  redrive_schedule: "20 * * * *"
  redrives: {other: 1}
  deadline_h: 1
  pod_limit_h: 2
  stall_min: null
  lease_h: 1
  abandoned_h: 1
  keep_runs: 1
  keep_gb: null
  keep_cache_days: 1
  keep_deliveries_days: 2
  orphan_pod_h: 1
  infrastructure_retries: {evicted: 2}
  retries: {transfer: {source_unavailable: 1, stalled: 1}, data: {}, train: {source_unavailable: 1}, gate: {}}
  retry_delay_s: 0
"""

COMMAND = '''\
"""Stands in for the commands: does what script.json says, once per call."""
import json, os, sys
from pathlib import Path

name = " ".join(sys.argv[1:]).partition(" --run ")[0]
if "--number" in sys.argv:
    name += " " + sys.argv[sys.argv.index("--number") + 1]
script = json.loads(Path("script.json").read_text())
codes = script["codes"].get(name, [0])
code = codes.pop(0) if len(codes) > 1 else codes[0]
script["calls"].append([*sys.argv[1:]])
script["actors"] = [*script.get("actors", ()), os.environ["STORMSIGHT_ACTOR"]]
Path("script.json").write_text(json.dumps(script))
print(f"line of {name}", flush=True)
report = {"class": "ok", "result": {"registered": ["one"]}}
if name == "gate":
    report["result"] = {"models": {"stormsight-sar": "promoted", "stormsight-change": "refused"}}
if code:
    report = {"class": "x", "exit_code": abs(code), "message": f"{name} says no", "next_step": f"mend {name}"}
    report["notice"] = "barred" if name == "plan" and "notice" in script["codes"] else ""
Path(os.environ["STORMSIGHT_REPORT"]).write_text(json.dumps(report))
if name == "register" and code in {0, -65}:
    ledger = Path(os.environ["STORMSIGHT_OBJECTS"], "ledger", "operations")
    ledger.mkdir(parents=True, exist_ok=True)
    for landed in sorted(Path(os.environ["STORMSIGHT_LANDING"]).iterdir()):
        entries = [json.loads(path.read_text())["body"] for path in sorted(ledger.iterdir())]
        if all(entry.get("acquisition") != landed.name for entry in entries):
            body = {"event": "registered", "acquisition": landed.name}
            (ledger / f"{len(entries) + 1:09d}.json").write_text(json.dumps({"body": body}))
assert "AIRFLOW__CORE__FERNET_KEY" not in os.environ
sys.exit(abs(code))
'''

REGISTERED_AND_REJECTED = -65
"""Code of a ``register`` that finds bad data beside what it registers."""


def environment(folder: Path) -> dict[str, str]:
    """The environment of an Airflow whose home and pipeline lie in ``folder``."""
    bundle = {
        "name": "stormsight",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(ROOT / "dags")},
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "STORMSIGHT"))}
    return inherited | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}",
        "STORMSIGHT_SOURCE": str(folder / "source"),
    }


def write_source(folder: Path) -> None:
    """A pipeline of three stages and commands that follow a script."""
    source = folder / "source"
    for package in ("runs", "acquisitions", "housekeeping", "predict", "promote"):
        (source / "components" / package).mkdir(parents=True)
        (source / "components" / package / "__init__.py").touch()
        (source / "components" / package / "__main__.py").write_text(COMMAND)
    (source / "components" / "__init__.py").touch()
    (source / "dvc.yaml").write_text(PIPELINE)
    (source / "params.yaml").write_text(PARAMS)
