"""The deployment file and ``orchestration``: read whole, or refused with the nearest valid key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.contract.errors import ParameterError
from components.contract.parameters import ORCHESTRATION
from stormsight_dags.settings.load import load_settings
from stormsight_dags.settings.model import Orchestration, Settings

MINIMAL = """\
mode: kubernetes
objects: s3://bucket/objects
landing: s3://bucket/landing
remote: s3://bucket/dvc
kubernetes: {images: {data: "registry/data@sha256:0", train: "registry/train@sha256:0"}}
"""


def deployed(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "deployment.yaml").write_text(text)
    return load_settings({"STORMSIGHT_DEPLOYMENT": str(tmp_path / "deployment.yaml")})


def test_the_check_before_a_run_knows_the_keys_of_orchestration() -> None:
    assert set(ORCHESTRATION) == set(Orchestration.model_fields)


def test_without_a_deployment_everything_runs_here(repository: Path) -> None:
    settings = load_settings({})
    assert settings.mode == "local"
    environment = settings.command_environment()
    assert environment["STORMSIGHT_OBJECTS"] == str(repository / "var/objects")
    assert environment["STORMSIGHT_WORKSPACE"] == str(repository / "var/workspaces")
    assert environment["MLFLOW_TRACKING_URI"] == f"sqlite:///{repository}/var/mlflow.db"
    assert "STORMSIGHT_PROFILE" not in environment
    with pytest.raises(ParameterError, match="no cluster"):
        _ = settings.cluster


def test_the_graph_of_this_machine_follows_the_profile_that_its_commands_inherit() -> None:
    settings = load_settings({"STORMSIGHT_PROFILE": "change"})
    assert settings.command_environment()["STORMSIGHT_PROFILE"] == "change"
    assert "pairs@simulated" in settings.graph().addresses
    assert "pairs@simulated" not in load_settings({}).graph().addresses
    with pytest.raises(ParameterError, match=r"STORMSIGHT_PROFILE: profile 'chang' .*'change'"):
        load_settings({"STORMSIGHT_PROFILE": "chang"})


def test_pods_take_the_profile_of_the_deployment_alone(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text(MINIMAL)
    file = str(tmp_path / "deployment.yaml")
    settings = load_settings({"STORMSIGHT_DEPLOYMENT": file, "STORMSIGHT_PROFILE": "change"})
    assert settings.profile is None


@pytest.mark.parametrize("overlay", ["lab", "cloud"])
def test_every_overlay_is_read(repository: Path, overlay: str) -> None:
    settings = load_settings(
        {"STORMSIGHT_DEPLOYMENT": str(repository / f"k8s/overlays/{overlay}/deployment.yaml")}
    )
    assert settings.mode == "kubernetes"
    assert settings.command_environment()["STORMSIGHT_OBJECTS"] == settings.objects
    assert settings.command_environment()["STORMSIGHT_PROFILE"] == settings.profile
    assert settings.cluster.images.data
    assert settings.graph().addresses


def test_defaults_fill_a_minimal_deployment(tmp_path: Path) -> None:
    settings = deployed(tmp_path, MINIMAL)
    assert settings.cluster.namespace == "stormsight"
    assert settings.cluster.gpu.resource == "nvidia.com/gpu"
    assert settings.cluster.max_cpu is None
    assert "STORMSIGHT_SOURCE" not in settings.command_environment()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("objects:", "object:", ["object: unknown key", "'objects'"]),
        ("{images:", "{nmespace: x, images:", ["kubernetes.nmespace", "'namespace'"]),
        ("data: ", "dat: ", ["kubernetes.images.dat", "'data'"]),
        ("{images:", "{gpu: {resourc: x}, images:", ["kubernetes.gpu.resourc", "'resource'"]),
        ("mode: kubernetes", "mode: docker", ["mode", "kubernetes"]),
        ("s3://bucket/objects", "var/objects", ["objects must be a URI"]),
        ("mode:", "profile: smok\nmode:", ["profile 'smok'", "'smoke'"]),
        ("mode:", "environment: {AWS_SECRET_ACCESS_KEY: x}\nmode:", ["AWS_SECRET_ACCESS_KEY", "secret"]),
        ("{images:", "{env: {DB: 'postgresql://u:p@db/x'}, images:", ["DB looks like a secret"]),
        ("kubernetes: {images", "environment: {images", ["environment.images"]),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest_valid_one(
    tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    with pytest.raises(ParameterError, match="next step:") as error:
        deployed(tmp_path, MINIMAL.replace(old, new, 1))
    for word in words:
        assert word in str(error.value)


def test_an_annotation_holds_no_secret(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "kubernetes: {", "kubernetes: {annotations: {webhook: https://hooks.example.com/a/b}, "
    )
    with pytest.raises(ParameterError, match="webhook looks like a secret"):
        deployed(tmp_path, text)


def test_kubernetes_mode_needs_its_section(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="needs a section 'kubernetes'"):
        deployed(tmp_path, "".join(MINIMAL.splitlines(keepends=True)[:-1]))


def test_orchestration_is_checked_too(repository: Path, tmp_path: Path) -> None:
    shutil.copy(repository / "dvc.yaml", tmp_path)
    text = (repository / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("landing_poll_s:", "landing_pol_s:"))
    with pytest.raises(ParameterError, match=r"orchestration: .*'landing_poll_s'|landing_poll_s"):
        load_settings({"STORMSIGHT_SOURCE": str(tmp_path)})
    (tmp_path / "params.yaml").write_text("profile: a\n")
    with pytest.raises(ParameterError, match="no section 'orchestration'"):
        load_settings({"STORMSIGHT_SOURCE": str(tmp_path)})


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("pod_limit_h: 96", "pod_limit_h: 48", "pod_limit_h: .*more than deadline_h"),
        ("orphan_pod_h: 2 ", "orphan_pod_h: 96 ", "orphan_pod_h: .*less than pod_limit_h"),
    ],
)
def test_an_alert_comes_before_the_limit_and_the_reaper_before_both(
    repository: Path, tmp_path: Path, old: str, new: str, match: str
) -> None:
    shutil.copy(repository / "dvc.yaml", tmp_path)
    text = (repository / "params.yaml").read_text()
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new))
    with pytest.raises(ParameterError, match=match):
        load_settings({"STORMSIGHT_SOURCE": str(tmp_path)})
