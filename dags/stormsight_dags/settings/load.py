"""Read and check the settings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from components.contract.documents import nearest, read_yaml
from components.contract.errors import ParameterError
from components.contract.redaction import holds_a_secret
from components.contract.variables import PROFILE, check_variables
from stormsight_dags.settings.model import Deployment, Orchestration, Section, Settings

ROOT = Path(__file__).resolve().parents[3]
"""Folder of ``dvc.yaml`` unless ``STORMSIGHT_SOURCE`` says otherwise: beside ``dags/``."""

S = TypeVar("S", bound=Section)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the deployment file and ``orchestration``.

    Args:
        environment: Stands in for the process's environment in tests.

    Raises:
        ParameterError: If a file is missing or not YAML, a key is unknown (the nearest valid one is named), a
            value does not fit, a section is missing, something looks like a secret, or a variable of the
            environment holds what cannot be meant.
    """
    environment = os.environ if environment is None else environment
    check_variables(environment)
    source = Path(environment.get("STORMSIGHT_SOURCE") or ROOT).resolve()
    file = environment.get("STORMSIGHT_DEPLOYMENT")
    deployment = _validate(Deployment, read_yaml(Path(file)) if file else {}, file or "deployment")
    params = read_yaml(source / "params.yaml")
    if "orchestration" not in params:
        raise ParameterError("params.yaml has no section 'orchestration'", next_step="add orchestration:")
    orchestration = _validate(Orchestration, params["orchestration"], "orchestration")
    _check(deployment, file or "deployment")
    return Settings(
        mode=deployment.mode,
        profile=_profile(deployment, environment, params.get("profiles") or {}, file or "deployment"),
        objects=_place(deployment.objects, source, "var/objects"),
        landing=_place(deployment.landing, source, "var/landing"),
        remote=_place(deployment.remote, source, "var/remote"),
        environment={**_local_defaults(deployment.mode, source, environment), **deployment.environment},
        kubernetes=deployment.kubernetes,
        orchestration=orchestration,
        source=source,
    )


def _place(given: str | None, source: Path, default: str) -> str:
    """Return a URI unchanged and a folder as an absolute path: stages run in other working directories."""
    value = given or default
    return value if "://" in value else str(source / value)


def _local_defaults(mode: str, source: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return where processes of this machine keep their scratch files and their runs."""
    if mode != "local":
        return {}
    return {
        "STORMSIGHT_SOURCE": str(source),
        "STORMSIGHT_WORKSPACE": environment.get("STORMSIGHT_WORKSPACE") or str(source / "var/workspaces"),
        "MLFLOW_TRACKING_URI": environment.get("MLFLOW_TRACKING_URI") or f"sqlite:///{source}/var/mlflow.db",
    }


def _profile(
    deployment: Deployment, environment: Mapping[str, str], known: Mapping[str, Any], where: str
) -> str | None:
    """Return the profile of the graph and of every command; None for that of ``params.yaml``.

    Processes of this machine inherit the variable, so that the graph follows it; pods get the file's alone.
    """
    profile = deployment.profile
    if profile is None and deployment.mode == "local":
        profile, where = environment.get(PROFILE) or None, PROFILE
    if profile is not None and profile not in known:
        raise ParameterError(
            f"{where}: profile {profile!r} is not in params.yaml{nearest(profile, known)}",
            next_step=f"set it to one of {', '.join(known)}",
        )
    return profile


def _check(deployment: Deployment, where: str) -> None:
    if deployment.mode == "kubernetes":
        if deployment.kubernetes is None:
            raise ParameterError(f"{where}: mode kubernetes needs a section 'kubernetes'", next_step="add it")
        for key in ("objects", "landing", "remote"):
            if "://" not in (getattr(deployment, key) or ""):
                raise ParameterError(
                    f"{where}: {key} must be a URI in kubernetes mode, since pods share no disk",
                    next_step=f"write {key}: s3://bucket/prefix",
                )
    plain = {
        **deployment.environment,
        **(deployment.kubernetes.env if deployment.kubernetes else {}),
        **(deployment.kubernetes.annotations if deployment.kubernetes else {}),
        "objects": deployment.objects or "",
        "landing": deployment.landing or "",
        "remote": deployment.remote or "",
    }
    for key, value in plain.items():
        if holds_a_secret(key, value):
            raise ParameterError(
                f"{where}: {key} looks like a secret, which must not be in a file",
                next_step="put it into a Kubernetes Secret and name that under kubernetes.secrets",
            )


def _validate(model: type[S], value: object, where: str) -> S:
    try:
        # As JSON: lists may be tuples, but true is no number and no number is text.
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        issues = error.errors(include_input=False, include_url=False)
        # A misspelt key is also a missing one: the misspelling is what the reader has to see.
        issue = next((i for i in issues if i["type"] == "extra_forbidden"), issues[0])
        location = [str(part) for part in issue["loc"]]
        named = f"{where}: {'.'.join(location)}"
        if issue["type"] != "extra_forbidden":
            raise ParameterError(f"{named}: {issue['msg']}", next_step=f"correct {where}") from None
        known = _fields_at(model, location[:-1])
        raise ParameterError(
            f"{named}: unknown key{nearest(location[-1], known)}",
            next_step=f"rename or remove {location[-1]!r}",
        ) from None


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the names of the fields valid at ``location`` inside ``model``."""
    for part in location:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)
