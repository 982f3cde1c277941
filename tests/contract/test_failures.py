"""Table of failure classes, and its copy for people in docs/operate/notices.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.contract.errors import StormsightError
from components.contract.failures import (
    FAILURE_CLASSES,
    FINAL_FOR_SET,
    FROM_CLUSTER,
    NEVER_RETRIED,
    FailureKind,
    Severity,
    exit_code_of,
    kind_of_exit,
    shown_kind_of_exit,
)

SHOWN = {row.airflow_name: row for row in FAILURE_CLASSES.values() if row.airflow_name}
ROW = re.compile(
    r"^\| `(?P<name>\w+)`(?: \((?P<code>\d+|any other code)[^)]*\))? \| .* \| (?P<retried>[^|]*) \| .*\|$"
)


@pytest.fixture(scope="module")
def runbook(repository: Path) -> str:
    return (repository / "docs/operate/notices.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def guide(repository: Path) -> str:
    return (repository / "k8s" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(runbook: str) -> dict[str, re.Match[str]]:
    table = runbook.split("| Airflow shows |", 1)[1].split("\n\n", 1)[0]
    return {found["name"]: found for found in map(ROW.match, table.splitlines()) if found}


def test_every_kind_has_a_row_and_its_own_name_in_airflow() -> None:
    assert set(FAILURE_CLASSES) == set(FailureKind)
    assert len(SHOWN) == sum(row.airflow_name is not None for row in FAILURE_CLASSES.values())


def test_exit_codes_are_unique_and_stay_what_orchestrators_know() -> None:
    owned = {str(kind): row.exit_code for kind, row in FAILURE_CLASSES.items() if row.exit_code is not None}
    assert owned == {
        "bad_data": 65,
        "missing_input": 66,
        "source_unavailable": 69,
        "resource": 71,
        "champion_changed": 75,
        "claim_lost": 76,
        "gate_refused": 77,
        "misconfigured": 78,
        "redrives_spent": 80,
        "deadline": 81,
        "nothing_to_do": 99,
        "stalled": 124,
        "terminated": 143,
    }
    for name, code in owned.items():
        assert kind_of_exit(code) == name
        assert exit_code_of(FailureKind(name)) == code
    assert kind_of_exit(1) is FailureKind.CODE_ERROR
    assert kind_of_exit(137) is FailureKind.OUT_OF_MEMORY
    assert {kind_of_exit(code) for code in (132, 134, 135, 136, 139)} == {FailureKind.CRASHED}
    with pytest.raises(ValueError, match="out_of_memory"):
        exit_code_of(FailureKind.OUT_OF_MEMORY)


def test_airflow_shows_own_codes_but_neither_a_skip_nor_a_termination() -> None:
    assert shown_kind_of_exit(65) is FailureKind.BAD_DATA
    assert [shown_kind_of_exit(code) for code in (0, 1, 99, 143)] == [None] * 4


def test_every_error_class_takes_its_code_from_the_table() -> None:
    for error in StormsightError.__subclasses__():
        if error.__module__ == StormsightError.__module__:
            assert kind_of_exit(error.exit_code) is not FailureKind.CODE_ERROR, error


def test_bad_data_bad_parameters_and_a_refusal_alone_bar_a_set() -> None:
    """A new run may mend a failure that repeating the task cannot."""
    shown = {kind for kind, row in FAILURE_CLASSES.items() if row.airflow_name}
    assert {"bad_data", "gate_refused", "misconfigured"} == FINAL_FOR_SET
    assert (NEVER_RETRIED & shown) - FINAL_FOR_SET == {
        "missing_input",
        "code_error",
        "claim_lost",
        "redrives_spent",
    }
    assert FINAL_FOR_SET <= NEVER_RETRIED


def test_neither_bad_luck_of_the_cluster_nor_a_lost_claim_calls_anybody() -> None:
    calling = {kind for kind, row in FAILURE_CLASSES.items() if row.severity is Severity.CRITICAL}
    assert not calling & (FROM_CLUSTER | {"claim_lost", "champion_changed", "gate_refused", "nothing_to_do"})
    assert calling >= {"bad_data", "misconfigured", "code_error", "redrives_spent", "stalled"}


def test_what_the_cluster_caused_may_be_retried_and_bars_nothing() -> None:
    assert {"evicted", "node_lost", "image_pull", "unschedulable", "cluster"} == FROM_CLUSTER
    assert not FROM_CLUSTER & (NEVER_RETRIED | FINAL_FOR_SET)


def test_the_runbook_lists_every_class_that_airflow_shows(rows: dict[str, re.Match[str]]) -> None:
    assert set(rows) == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_the_runbook_agrees_about_exit_code_and_retries(rows: dict[str, re.Match[str]], name: str) -> None:
    row, found = SHOWN[name], rows[name]
    code = {None: None, "any other code": None}.get(found["code"], found["code"])
    assert code == (None if row.exit_code is None else str(row.exit_code))
    assert (found["retried"] == "never") is not row.airflow_may_retry
    assert (found["retried"] in ("own budget", "own budget; training resumes")) is row.from_cluster


def test_the_guide_names_the_classes_that_bar_a_set(guide: str) -> None:
    sentence = re.search(r"After ((?:`\w+`|,|and|\s)+) the same set, code and parameters are skipped", guide)
    assert sentence is not None
    named = set(re.findall(r"`(\w+)`", sentence[1]))
    assert named == {FAILURE_CLASSES[kind].airflow_name for kind in FINAL_FOR_SET}
