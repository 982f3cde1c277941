"""Identity of code, parameters and data: it changes with what stages depend on, and with nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.identity import (
    Identity,
    data_hash,
    pipeline_identity,
    stage_code_hash,
    training_key,
)

SERVICE = "components/housekeeping/prune.py"
METRIC = "components/lib/metrics/spacenet_f1.py"


@pytest.fixture(scope="module")
def tree(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the pipeline's files."""
    root = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(repository / "components", root / "components", ignore=ignore)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(repository / name, root / name)
    return root


def identity(root: Path) -> Identity:
    return pipeline_identity(root, root / "params.yaml", {})


def edited(root: Path, name: str, text: str = "\n# changed\n") -> Identity:
    """Return the identity with ``text`` appended to a file, and put the file back."""
    path = root / name
    before = path.read_text()
    path.write_text(before + text)
    try:
        return identity(root)
    finally:
        path.write_text(before)


def test_code_that_a_stage_depends_on_changes_the_code_hash_alone(tree: Path) -> None:
    base, changed = identity(tree), edited(tree, METRIC)
    assert changed.code != base.code
    assert changed.params == base.params


def test_services_and_comments_of_the_graph_change_nothing(tree: Path) -> None:
    base = identity(tree)
    assert edited(tree, SERVICE) == base
    assert edited(tree, "dvc.yaml") == base
    assert edited(tree, "params.yaml") == base


def test_every_profile_has_an_identity_and_parameters_of_its_own(tree: Path) -> None:
    path = tree / "params.yaml"
    before = path.read_text()
    document = yaml.safe_load(before)
    found = {}
    try:
        for profile in document["profiles"]:
            path.write_text(yaml.safe_dump({**document, "profile": profile}))
            found[profile] = identity(tree)
    finally:
        path.write_text(before)
    assert len({one.params for one in found.values()}) == len(found)


def test_the_code_of_one_stage_is_what_that_stage_depends_on(tree: Path) -> None:
    names = ("prepare@p00", "evaluate")
    before = {name: stage_code_hash(name, tree) for name in names}
    path = tree / METRIC
    text = path.read_text()
    path.write_text(text + "\n# changed\n")
    after = {name: stage_code_hash(name, tree) for name in names}
    path.write_text(text)
    assert after["prepare@p00"] == before["prepare@p00"]
    assert after["evaluate"] != before["evaluate"]


def test_a_stage_of_a_run_records_the_identity_that_the_run_was_planned_with(tmp_path: Path) -> None:
    planned = Identity(code="c" * 64, params="p" * 64)
    assert pipeline_identity(tmp_path, tmp_path / "none", planned.as_variable()) == planned
    with pytest.raises(ParameterError, match="not found"):
        pipeline_identity(tmp_path, tmp_path / "none", {})


def test_keys_of_trainings_that_ledgers_already_hold_stay_valid() -> None:
    parts = {"acquisitions": {"b": "2" * 64, "a": "1" * 64}, "code": "c" * 64, "params": "p" * 64}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    key = training_key({"a": "1" * 64, "b": "2" * 64}, "c" * 64, "p" * 64)
    assert key == hashlib.sha256(text.encode()).hexdigest()


def test_data_are_identified_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a")
    base = data_hash(tmp_path)
    (tmp_path / "index").rename(tmp_path / "list")
    renamed = data_hash(tmp_path)
    (tmp_path / "list").write_text("b")
    assert len({base, renamed, data_hash(tmp_path)}) == 3


@pytest.mark.parametrize("text", ["garbage", '{"code": "x"}', "[1]", '{"code": 1, "params": []}', "[" * 9000])
def test_a_foreign_value_of_the_variable_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="holds no identity"):
        pipeline_identity(environment={"STORMSIGHT_IDENTITY": text})


def test_a_parameter_that_json_has_not_is_named(tree: Path) -> None:
    path = tree / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("simplify_px: 0.5  ", "simplify_px: .nan  "))
    try:
        with pytest.raises(
            ParameterError, match=r"params\.yaml, line \d+: scoring\.simplify_px: \.nan is no finite number"
        ):
            identity(tree)
    finally:
        path.write_text(before)
