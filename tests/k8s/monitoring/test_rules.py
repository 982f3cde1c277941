"""Each alert fires and clears, by ``promtool test rules``; a healthy week fires none but Watchdog."""

from __future__ import annotations

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.failures import FAILURE_CLASSES, FailureKind
from tests.k8s.monitoring.healthy_week import series_of_a_healthy_week
from tests.k8s.monitoring.queries import FOLDER, RULES, alerts
from tests.prometheus import command

MADE: dict[str, Any] = runpy.run_path(str(FOLDER / "alerts.py"))
SCENES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("scenes.yaml").read_text())
"""Series by alert, under which it fires and clears."""

CLASSES = {kind: MADE["alert_of"](kind) for kind in FAILURE_CLASSES}
ALIVE = {"series": "stormsight_collect_last_timestamp_seconds", "values": "0+60x500"}
"""Metrics arrive, or StormsightMetricsMissing would fire, too."""

FIRING = 'count by (alertname) (ALERTS{alertstate="firing", alertname!="Watchdog"})'


def judge(
    tests: list[dict[str, Any]], folder: Path, *, every: str = "1m", files: list[Path] | None = None
) -> None:
    """Let promtool run unit tests of rule files, all by default; fail with what it says."""
    paths = RULES if files is None else files
    groups = [group["name"] for path in paths for group in yaml.safe_load(path.read_text())["groups"]]
    document = {
        "rule_files": [str(path) for path in paths],
        "evaluation_interval": every,
        # What is recorded comes first: at these intervals the last evaluation's value is out of sight.
        "group_eval_order": sorted(groups, key=lambda name: not name.endswith("recording")),
        "tests": tests,
    }
    file = folder / "test.yaml"
    file.write_text(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    words = [*command("promtool"), "test", "rules", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def firing(minute: int, *names: str) -> dict[str, Any]:
    """Return the expectation that exactly these alerts fire at a minute, besides Watchdog."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)]
    return {"expr": FIRING, "eval_time": f"{minute}m", "exp_samples": samples}


def scene(series: list[dict[str, str]], *expected: dict[str, Any], every: str = "1m") -> dict[str, Any]:
    return {"interval": every, "input_series": series, "promql_expr_test": list(expected)}


def of_class(kind: FailureKind) -> list[dict[str, str]]:
    """Return the series of a class that stands from the second to the sixth minute."""
    if kind == FailureKind.REDRIVES_SPENT:
        standing = [
            'stormsight_set_position{position="spent"}',
            'stormsight_run_failing{failure_class="crashed", stage="distill"}',
        ]
    elif kind == FailureKind.CLAIM_LOST:
        standing = ["stormsight_claims_taken_over"]
    else:
        standing = [f'stormsight_run_failing{{failure_class="{kind}", stage="distill"}}']
    return [ALIVE, *({"series": name, "values": "_ _ 1 1 1 1 1 stale"} for name in standing)]


def test_the_rules_are_valid() -> None:
    words = [*command("promtool"), "check", "rules", *map(str, RULES)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_failure_class_has_an_alert_of_its_own() -> None:
    named = [name for name in CLASSES.values() if name is not None]
    assert len(named) == len(set(named))
    without = {kind for kind, name in CLASSES.items() if name is None}
    assert without == {FailureKind.NOTHING_TO_DO, FailureKind.CLUSTER}
    labels = {alert["alert"]: alert["labels"] for alert in alerts()}
    for kind, name in CLASSES.items():
        if name is not None:
            assert labels[name] == {
                "severity": str(FAILURE_CLASSES[kind].severity),
                "failure_class": str(kind),
            }


def test_each_failure_class_fires_its_alert_alone_and_clears(tmp_path: Path) -> None:
    judge(
        [
            scene(of_class(kind), firing(1), firing(2, name), firing(6, name), firing(7))
            for kind, name in CLASSES.items()
            if name is not None
        ],
        tmp_path,
    )


def waiting(reason: str) -> str:
    return f'kube_pod_container_status_waiting_reason{{namespace="stormsight", pod="a", reason="{reason}"}}'


PODS = {
    FailureKind.EVICTED: [
        f'kube_pod_status_reason{{namespace="stormsight", pod="{pod}", reason="Evicted"}}' for pod in "abc"
    ],
    FailureKind.NODE_LOST: ['kube_pod_status_reason{namespace="stormsight", pod="a", reason="NodeLost"}'],
    FailureKind.IMAGE_PULL: [waiting("ImagePullBackOff")],
    FailureKind.UNSCHEDULABLE: ['kube_pod_status_unschedulable{namespace="stormsight", pod="a"}'],
    FailureKind.OUT_OF_MEMORY: [
        'kube_pod_container_status_terminated_reason{namespace="stormsight", pod="a", reason="OOMKilled"}'
    ],
    FailureKind.STARTUP: [waiting("CreateContainerConfigError")],
}
"""Series of kube-state-metrics under which a class has a second witness."""

SLOW = {FailureKind.IMAGE_PULL: 10, FailureKind.STARTUP: 10, FailureKind.UNSCHEDULABLE: 28}
"""Minutes that a pod may be so before it is told."""


def test_pods_are_second_witnesses(tmp_path: Path) -> None:
    """A pod that tells a class without a record fires the same alert, and it clears when the pod is gone."""
    assert PODS.keys() == MADE["WITNESSES"].keys()
    tests = []
    for kind, series in PODS.items():
        soon = SLOW.get(kind, 1)
        pods = [{"series": name, "values": f"_ 1x{soon + 3} stale"} for name in series]
        name = CLASSES[kind]
        early = [firing(soon - 3)] if kind in SLOW else []
        tests.append(
            scene([ALIVE, *pods], *early, firing(soon + 1, name), firing(soon + 3, name), firing(soon + 5))
        )
    judge(tests, tmp_path, files=[path for path in RULES if path.stem in {"failures", "symptoms"}])


def others() -> Iterator[str]:
    """Names of the alerts that are no failure class."""
    of_classes = set(CLASSES.values())
    yield from (alert["alert"] for alert in alerts() if alert["alert"] not in of_classes)


def test_every_alert_has_a_scene() -> None:
    assert {name.partition(" ")[0] for name in SCENES} >= set(others()) - {"Watchdog"}


def test_each_alert_fires_alone_and_clears(tmp_path: Path) -> None:
    tests: dict[str, list[dict[str, Any]]] = {}
    for name, said in SCENES.items():
        every = said.get("every", "1m")
        series = [{"series": one, "values": values} for one, values in said["series"].items()]
        alive = [] if said.get("without_metrics") else [{**ALIVE, "values": f"0+{60 * int(every[:-1])}x500"}]
        names = [name.partition(" ")[0], *said.get("beside", [])]
        expected = [firing(minute) for minute in said["silent"]]
        expected += [firing(minute, *names) for minute in said["fires"]]
        tests.setdefault(every, []).append(scene([*alive, *series], *expected, every=every))
    for every, some in tests.items():
        judge(some, tmp_path, every=every, files=[path for path in RULES if path.stem != "failures"])


def test_watchdog_always_fires(tmp_path: Path) -> None:
    watchdog = {"expr": 'ALERTS{alertname="Watchdog", alertstate="firing"}', "eval_time": "0m"}
    labels = 'ALERTS{alertname="Watchdog", alertstate="firing", severity="info"}'
    judge([scene([ALIVE], {**watchdog, "exp_samples": [{"labels": labels, "value": 1}]})], tmp_path)


def test_a_healthy_week_fires_none(tmp_path: Path) -> None:
    """A training, a map and a backup a day, attempts that are retried, a drain."""
    minutes, step = 7 * 24 * 60, 10
    both = (
        f'count_over_time(({FIRING})[7d:10m]) or count_over_time(sum(ALERTS{{alertname="Watchdog"}})[7d:10m])'
    )
    alone = [{"labels": "{}", "value": minutes / step + 1}]
    watchdog = {"expr": both, "eval_time": f"{minutes}m", "exp_samples": alone}
    judge([scene(series_of_a_healthy_week(), watchdog, every="5m")], tmp_path, every=f"{step}m")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_and_what_to_do(alert: dict[str, Any]) -> None:
    said = alert["annotations"]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(said) == {"summary", "description", "runbook", "dashboard"}
    assert said["description"].endswith(".")
