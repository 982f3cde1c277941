"""The DAGs on a real Airflow: parsed, imported lightly, and run in local mode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dags.airflow.trial_source import environment
from tests.test_architecture import imports, top

HEAVY = ["torch", "mlflow", "great_expectations", "dvc", "pandas", "numpy", "boto3", "rasterio"]

IMPORT = """\
import json, os, runpy, sys
from airflow.sdk import DAG, Asset
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
before = set(sys.modules)
for deployment in ("", "k8s/overlays/lab/deployment.yaml"):
    os.environ["STORMSIGHT_DEPLOYMENT"] = deployment
    for name in ("acquisitions", "dashboard", "housekeeping", "map", "redrive", "retrain"):
        runpy.run_path(f"dags/{name}.py")
ours = "stormsight_dags.airflow"
assert {f"{ours}.process_operator", f"{ours}.pod_operator"} <= set(sys.modules)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, Any]:
    """Results of running the real DAGs with scripted commands."""
    folder = tmp_path_factory.mktemp("trial")
    result = subprocess.run(
        [sys.executable, "-m", "tests.dags.airflow.trial", str(folder)],
        env=environment(folder),
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def states(run: dict[str, Any]) -> dict[str, str]:
    return {task: state for task, (state, _) in run["tasks"].items()}


def commands(run: dict[str, Any]) -> list[str]:
    return [" ".join(call).partition(" --run")[0] for call in run["calls"]]


def test_importing_the_dags_imports_nothing_heavy(repository: Path, tmp_path: Path) -> None:
    """In local mode and in kubernetes mode."""
    path = f"{repository}{os.pathsep}{repository / 'dags'}"
    result = subprocess.run(
        [sys.executable, "-c", IMPORT],
        env=os.environ | {"PYTHONPATH": path, "AIRFLOW_HOME": str(tmp_path)},
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    names: set[str] = set(json.loads(result.stdout.splitlines()[-1]))
    assert not top(names) & set(HEAVY)
    ours = {name for name in names if name.startswith("components.")}
    assert ours
    assert all(name.startswith("components.contract") for name in ours)


def test_dag_files_import_of_components_the_contract_alone(repository: Path) -> None:
    for path in (repository / "dags").rglob("*.py"):
        names = imports(path)
        assert not top(names) & {*HEAVY} - {"boto3"}, path
        ours = {name for name in names if name.startswith("components")}
        assert all(name.startswith("components.contract") for name in ours), path


def test_airflow_parses_all_dags(trial: dict[str, Any]) -> None:
    assert trial["import_errors"] == {}
    assert trial["dags"] == ["acquisitions", "dashboard", "housekeeping", "map", "redrive", "retrain"]
    assert trial["schedules"] == {
        "acquisitions": "@continuous",
        "dashboard": "40 * * * *",
        "housekeeping": "30 1 * * *",
        "map": "Asset or 20 5 * * *",
        "redrive": "20 * * * *",
        "retrain": "Asset or 0 3 * * 1",
    }
    assert trial["deadline"] == [3600.0]


def test_a_promotion_emits_the_model(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["promoted"]
    assert run["state"] == "success"
    assert set(states(run).values()) == {"success"}
    order = commands(run)
    assert order[:2] == ["plan", "stage get"]
    assert order[-2:] == ["finish", "gate"]
    assert {"stage part@a", "stage part@b"} == set(order[2:-2])
    assert all(call[call.index("--run") + 1] == run["run"] for call in run["calls"])
    assert run["calls"][0][-2:] == ["--acquisitions", ""], "all that are registered"
    assert [uri for uri, _ in run["events"]] == ["stormsight://model/"]
    assert run["woken"] == ["map"]
    (notice,) = run["notices"]
    assert (notice["event"], notice["severity"], notice["run"]) == ("promoted", "info", run["run"])
    assert notice["actor"] == f"retrain {run['run']}"
    outcomes = "stormsight-change refused, stormsight-sar promoted"
    assert notice["message"] == f"run {run['run']} made a new champion: {outcomes}"
    (actor,) = set(run["actors"])
    assert actor.startswith(f"retrain {run['run'][:100]} of dag_test as "), "what ledger entries name"


def test_a_refusal_is_an_ordinary_result_that_is_told_and_calls_nobody(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["refused"]
    assert run["state"] == "success"
    assert run["tasks"]["gate"] == ["skipped", 1]
    assert {state for task, state in states(run).items() if task != "gate"} == {"success"}
    assert run["events"] == []
    (notice,) = run["notices"]
    assert (notice["event"], notice["severity"]) == ("refused", "info")
    assert (notice["stage"], notice["class"], notice["next_step"]) == ("gate", "gate_refused", "mend gate")
    assert notice["message"] == "gate says no"


def test_a_set_that_is_barred_is_told(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["barred"]
    assert run["state"] == "success"
    assert set(states(run).values()) == {"skipped"}
    (notice,) = run["notices"]
    assert (notice["event"], notice["severity"], notice["stage"]) == ("barred", "warning", "plan")


def test_a_hung_stage_is_told_although_it_is_retried(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["hung"]
    assert run["state"] == "success"
    assert run["tasks"]["pipeline.get"] == ["success", 2]
    notice, promoted = run["notices"]
    assert (promoted["event"], promoted["severity"]) == ("promoted", "info")
    assert (notice["event"], notice["class"], notice["severity"]) == ("retried", "stalled", "warning")


def test_a_training_that_is_to_be_started_again_wakes_retrain(trial: dict[str, Any]) -> None:
    due, idle, spent = (trial["redrives"][name] for name in ("due", "idle", "spent"))
    assert commands(due) == ["redrive"]
    assert [uri for uri, _ in due["events"]] == ["stormsight://redrive/"]
    assert due["woken"] == ["retrain"]
    assert (idle["state"], states(idle), idle["woken"]) == ("success", {"redrive": "skipped"}, [])
    assert idle["notices"] == []
    assert (spent["state"], spent["tasks"]["redrive"], spent["woken"]) == ("failed", ["failed", 1], [])
    (notice,) = spent["notices"]
    assert (notice["class"], notice["severity"]) == ("redrives_spent", "critical")


def test_nothing_to_do_skips_the_run(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["nothing"]
    assert run["state"] == "success"
    assert set(states(run).values()) == {"skipped"}
    assert commands(run) == ["plan", "finish"]
    assert run["notices"] == []


def test_the_budget_of_a_class_is_kept(trial: dict[str, Any]) -> None:
    back, away = trial["retrainings"]["source came back"], trial["retrainings"]["source stayed away"]
    assert back["state"] == "success"
    assert back["tasks"]["pipeline.get"] == ["success", 2]
    assert away["state"] == "failed"
    assert away["tasks"]["pipeline.get"] == ["failed", 2]
    assert [(n["class"], n["severity"]) for n in away["notices"]] == [("source_unavailable", "warning")]


def test_bad_data_is_recorded_and_never_retried(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["bad data"]
    assert run["state"] == "failed"
    assert run["tasks"]["pipeline.part.b"] == ["failed", 1]
    assert states(run)["finish"] == "success"
    assert states(run)["gate"] == "upstream_failed"
    assert states(run)["outcome"] == "failed"
    (notice,) = run["notices"]
    assert notice["stage"] == "part@b"
    assert (notice["class"], notice["severity"]) == ("bad_data", "critical")
    assert notice["message"] == "stage part@b says no"
    assert notice["log"].startswith("http")


@pytest.mark.parametrize("moment", ["running", "waiting"])
def test_a_run_marked_failed_by_hand_ends_its_claim_and_stays_red(trial: dict[str, Any], moment: str) -> None:
    """`finish` alone is left to run; it ends the claim, which would keep other runs away for its lease."""
    run = trial["marked"][moment]
    stopped = "failed" if moment == "running" else "skipped"
    assert (run["after"]["pipeline.get"], run["after"]["gate"]) == (stopped, "skipped")
    assert run["due"] == [["finish"], ["outcome"]]
    assert run["state"] == "failed"


def test_each_acquisition_is_announced_once_and_wakes_retrain(trial: dict[str, Any]) -> None:
    landings = trial["landings"]
    uri = "stormsight://acquisitions/"
    assert landings["two"]["events"] == [
        [uri, {"acquisition": "one", "entry": 1}],
        [uri, {"acquisition": "two", "entry": 2}],
    ]
    assert landings["two"]["woken"] == ["map", "retrain"]
    assert landings["third"]["events"] == [[uri, {"acquisition": "three", "entry": 3}]]


def test_a_rejection_is_told_and_fails_its_run(trial: dict[str, Any]) -> None:
    run = trial["landings"]["bad"]
    assert states(run) == {
        "landed": "success",
        "register": "failed",
        "announce": "skipped",
        "outcome": "upstream_failed",
    }
    assert run["state"] == "failed", "the list of runs shows it"
    assert run["tasks"]["register"][1] == 1
    assert [notice["class"] for notice in run["notices"]] == ["bad_data"]


def test_a_rejection_beside_a_registration_is_told_and_retrain_starts(trial: dict[str, Any]) -> None:
    run = trial["landings"]["both"]
    assert run["state"] == "failed"
    assert states(run)["announce"] == "success"
    assert [extra["acquisition"] for _, extra in run["events"]] == ["four"]
    assert run["woken"] == ["map", "retrain"]
    assert [notice["class"] for notice in run["notices"]] == ["bad_data"]


def test_a_store_that_stays_away_is_told(trial: dict[str, Any]) -> None:
    run = trial["landings"]["away"]
    assert run["state"] == "failed"
    assert run["tasks"]["landed"] == ["failed", 1]
    assert commands(run) == []
    (notice,) = run["notices"]
    assert (notice["task"], notice["class"]) == ("landed", "source_unavailable")
    assert "var/landing does not answer: NotADirectoryError" in notice["message"]


def test_a_run_that_waited_in_vain_ends_quietly(trial: dict[str, Any]) -> None:
    run = trial["landings"]["vain"]
    assert run["state"] == "success"
    assert set(states(run).items()) == {
        *((task, "skipped") for task in ("landed", "register", "announce")),
        ("outcome", "success"),
    }
    assert commands(run) == []
    assert run["notices"] == []


def test_what_is_planned_is_mapped_in_groups_merged_and_compared(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["mapped"]
    assert run["state"] == "success"
    assert states(run) == {
        "plan": "success",
        "group[0]": "success",
        "group[1]": "success",
        "group[2]": "skipped",
        "merge": "success",
        "compare": "success",
        "outcome": "success",
    }
    first, *groups, merged, last = run["calls"]
    assert first == ["plan", "--run", run["run"], "--groups", "3", "--acquisitions", ""]
    assert sorted(groups) == [["group", "--run", run["run"], "--number", str(number)] for number in range(3)]
    assert merged == ["merge", "--run", run["run"]]
    assert last == ["compare", "--run", run["run"]]
    assert run["notices"] == []


def test_nothing_to_map_skips_the_run(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["nothing"]
    assert run["state"] == "success"
    assert {state for task, state in states(run).items() if task != "outcome"} == {"skipped"}
    assert (commands(run), run["notices"]) == (["plan"], [])


def test_a_plan_that_fails_fails_the_run_and_nothing_is_merged(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["no plan"]
    assert (run["state"], commands(run)) == ("failed", ["plan"])
    (notice,) = run["notices"]
    assert (notice["class"], notice["stage"]) == ("misconfigured", "plan")


def test_a_group_that_fails_leaves_the_others_and_the_merge_at_work(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["bad blocks"]
    assert run["state"] == "failed"
    assert states(run) == {
        "plan": "success",
        "group[0]": "success",
        "group[1]": "failed",
        "group[2]": "success",
        "merge": "failed",
        "compare": "success",
        "outcome": "upstream_failed",
    }
    assert [(n["class"], n["task"]) for n in run["notices"]] == [
        ("bad_data", "group[1]"),
        ("missing_input", "merge"),
    ]


def test_a_group_that_fails_fails_the_run_whatever_was_merged(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["one bad group"]
    assert (run["state"], states(run)["merge"]) == ("failed", "success")


@pytest.mark.parametrize(("case", "state"), [("nothing earlier", "success"), ("bad changes", "failed")])
def test_a_comparison_takes_no_map_back_and_is_seen_if_it_fails(
    trial: dict[str, Any], case: str, state: str
) -> None:
    run = trial["mappings"][case]
    assert (run["state"], states(run)["merge"]) == (state, "success")
    assert states(run)["compare"] == {"success": "skipped", "failed": "failed"}[state]
    assert [n["task"] for n in run["notices"]] == ([] if state == "success" else ["compare"])


def test_a_group_is_retried_within_the_budget_of_its_class(trial: dict[str, Any]) -> None:
    run = trial["mappings"]["source came back"]
    assert run["state"] == "success"
    assert run["tasks"]["group[0]"] == ["success", 2]
    assert run["tasks"]["group[1]"] == ["success", 1]


def test_housekeeping_verifies_before_it_prunes(trial: dict[str, Any]) -> None:
    assert commands(trial["housekeeping"]["sound"]) == ["verify", "verify", "prune"]
    broken = trial["housekeeping"]["broken"]
    assert commands(broken) == ["verify", "verify"]
    assert states(broken)["prune"] == "upstream_failed"


def test_a_moved_alias_is_an_alert_and_stops_pruning(trial: dict[str, Any]) -> None:
    moved = trial["housekeeping"]["moved"]
    assert sorted(states(moved).values()) == ["failed", "success", "upstream_failed"]
    assert [(notice["class"], notice["next_step"]) for notice in moved["notices"]] == [
        ("bad_data", "mend verify")
    ]


def test_a_model_that_awaits_approval_is_no_failure_and_emits_nothing(trial: dict[str, Any]) -> None:
    run = trial["retrainings"]["awaits approval"]
    assert (run["state"], run["tasks"]["gate"][0], run["events"]) == ("success", "skipped", [])
