from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.identity import Identity, pipeline_identity
from components.lib.config.loader import load_section
from components.lib.operations.parameters import identity_of, with_run, write_for_run
from components.lib.operations.plan import RunPlan
from components.runs.environment import Environment
from components.runs.parameters import load_runs_parameters
from tests.runs.pipeline import PARAMS, make_source


def written(tmp_path: Path, document: Any, profile: str | None, *acquisitions: str) -> Path:
    source, target = tmp_path / "source.yaml", tmp_path / "params.yaml"
    source.write_text(yaml.safe_dump(document, sort_keys=False))
    write_for_run(source, target, profile, acquisitions)
    return target


def test_registered_acquisitions_follow_the_listed_ones(tmp_path: Path) -> None:
    path = written(tmp_path, PARAMS, None, "landed", "committed")
    assert load_section("acquisitions", path) == ["committed", "landed"]
    assert load_section("world", path) == {"tiles": 2}


def test_a_profile_with_a_list_of_its_own_keeps_it(tmp_path: Path) -> None:
    document: dict[str, Any] = copy.deepcopy(PARAMS)
    document["profiles"]["other"]["acquisitions"] = ["real"]
    assert load_section("acquisitions", written(tmp_path, document, "other", "landed")) == ["real", "landed"]
    assert load_section("acquisitions", written(tmp_path, document, "small", "landed")) == [
        "committed",
        "landed",
    ]


def test_the_file_is_left_alone_where_nothing_changes(tmp_path: Path) -> None:
    source, target = tmp_path / "source.yaml", tmp_path / "params.yaml"
    source.write_text("# why\n" + yaml.safe_dump(PARAMS))
    write_for_run(source, target, "small", [])
    assert target.read_bytes() == source.read_bytes()


def test_the_real_file_takes_every_profile(repository: Path, tmp_path: Path) -> None:
    document = yaml.safe_load((repository / "params.yaml").read_text())
    for profile in document["profiles"]:
        path = written(tmp_path, document, profile, "landed")
        assert load_section("acquisitions", path)[-1] == "landed"
        assert len(identity_of(repository, profile).params) == 64
    assert load_runs_parameters(repository / "params.yaml").lease_h == document["orchestration"]["lease_h"]


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(ParameterError, match=r"(?s)'nightly'.*STORMSIGHT_PROFILE.*small, other"):
        with_run(PARAMS, "nightly", [])


def test_only_parameters_that_a_stage_names_change_the_hash(tmp_path: Path) -> None:
    make_source(tmp_path / "source")

    def params_hash(document: Any, profile: str | None) -> str:
        (tmp_path / "source/params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return identity_of(tmp_path / "source", profile).params

    base = params_hash(PARAMS, None)
    for section in ("orchestration", "tracking"):
        assert params_hash({**PARAMS, section: {"lease_h": 1}}, None) == base
    assert params_hash({**PARAMS, "evaluate": {"threshold": 0.4}}, None) != base
    assert params_hash(PARAMS, "other") != base
    # A profile that is not switched on changes nothing.
    document: dict[str, Any] = copy.deepcopy(PARAMS)
    document["profiles"]["other"]["world"] = {"tiles": 99}
    assert params_hash(document, None) == base


def test_a_lease_that_is_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="lease_h"):
        load_runs_parameters(written(tmp_path, {**PARAMS, "orchestration": {"lease_h": -1}}, None))


def test_code_is_identified_by_what_stages_depend_on(tmp_path: Path) -> None:
    def code_hash(folder: str) -> str:
        return identity_of(tmp_path / folder, None).code

    make_source(tmp_path / "a")
    make_source(tmp_path / "b")
    base = code_hash("a")
    assert code_hash("b") == base
    (tmp_path / "b/components/steps/__pycache__").mkdir()
    (tmp_path / "b/components/steps/__pycache__/step.pyc").write_bytes(b"x")
    (tmp_path / "b/components/services").mkdir()
    (tmp_path / "b/components/services/dashboard.py").write_text("print()\n")
    (tmp_path / "b/README.md").write_text("words")
    assert code_hash("b") == base
    for name, old, new in (
        ("components/steps/step.py", "\n", "\n# changed\n"),
        ("dvc.yaml", "step.py prepare", "step.py prepare --again"),
        ("dvc.yaml", "models/sar/", "models/radar/"),
    ):
        path = tmp_path / "b" / name
        path.write_text(path.read_text().replace(old, new))
        assert code_hash("b") != base
        base = code_hash("b")
    (tmp_path / "b/dvc.yaml").unlink()
    with pytest.raises(ParameterError, match=r"dvc\.yaml"):
        code_hash("b")


def test_relative_places_hold_for_stages_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = Environment.read({})
    assert environment.objects_uri == str(tmp_path / "var/objects")
    plan = RunPlan(run="r", key="k", acquisitions=(), code="c", params="p", profile=None)
    stage = environment.of_stage(tmp_path / "w", plan, {})
    assert pipeline_identity(environment=stage) == Identity(code="c", params="p")
    assert stage["STORMSIGHT_TRAINING"] == "work/k"
    assert stage["STORMSIGHT_OBJECTS"] == str(tmp_path / "var/objects")
    assert stage["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/var/mlflow.db"
    assert stage["STORMSIGHT_ARTIFACTS"] == str(tmp_path / "var/mlartifacts")
    served = Environment.read(
        {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "STORMSIGHT_REMOTE": "s3://b/dvc"}
    )
    assert served.remote == "s3://b/dvc"
    assert "STORMSIGHT_ARTIFACTS" not in served.of_stage(tmp_path / "w", plan, {})


@pytest.mark.parametrize(
    ("redrives", "match"),
    [
        ({"bad_data": 1}, "bad_data is never started again"),
        ({"out_of_memry": 1}, "the nearest valid one is 'out_of_memory'"),
        ({"other": -1}, "0 or more"),
    ],
)
def test_redrives_of_what_is_final_or_unknown_are_refused(
    tmp_path: Path, redrives: dict[str, int], match: str
) -> None:
    with pytest.raises(ParameterError, match=match):
        load_runs_parameters(written(tmp_path, {**PARAMS, "orchestration": {"redrives": redrives}}, None))
