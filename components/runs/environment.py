"""Settings that commands take from the environment: stores, folders, image, profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import components
from components.contract.identity import Identity
from components.contract.keys import training_prefix
from components.contract.variables import PROFILE
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.plan import RunPlan

PACKAGE = Path(next(iter(components.__path__))).parent.absolute()
"""Folder that holds ``components``: the repository's root, ``/app`` in an image."""

TRAINING = "STORMSIGHT_TRAINING"
"""Variable with the prefix of the training's results."""

LOCAL = "local"
"""Image name of a process that runs in none."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Settings of one command; all paths are absolute, for stages run in another folder.

    Attributes:
        objects_uri: Store of ledger, plans and records.
        remote: DVC's remote: ``s3://...`` or a folder.
        source: The pipeline: components/, dvc.yaml, params.yaml.
        workspaces: Folder in which scratch workspaces are made.
        image: Reference of the image this runs in.
        profile: Profile of params.yaml to switch on, None for the file's own.
        tracking: MLflow's address.
        artifacts: Folder of MLflow's artefacts where the address is a file; None with a server.
    """

    objects_uri: str
    remote: str
    source: Path
    workspaces: Path
    image: str
    profile: str | None
    tracking: str
    artifacts: str | None

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Read ``STORMSIGHT_*`` and ``MLFLOW_TRACKING_URI``; relative paths start at the working folder."""

        def value(name: str, default: str) -> str:
            return variables.get(f"STORMSIGHT_{name}") or default

        # A stage's workspace is thrown away: a tracking store inside it would be lost with all it holds.
        tracking = variables.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('var/mlflow.db').absolute()}"
        return cls(
            objects_uri=_absolute(value("OBJECTS", "var/objects")),
            remote=_absolute(value("REMOTE", "var/remote")),
            source=Path(value("SOURCE", str(PACKAGE))).absolute(),
            workspaces=Path(value("WORKSPACE", "var/workspaces")).absolute(),
            image=value("IMAGE", LOCAL),
            profile=variables.get(PROFILE) or None,
            tracking=tracking,
            artifacts=None
            if "://" in tracking and not tracking.startswith("sqlite:")
            else _artifacts(variables),
        )

    @property
    def objects(self) -> ObjectStore:
        """Store of ledger, plans and records."""
        return open_objects(self.objects_uri)

    def of_stage(
        self, workspace: Path, plan: RunPlan, variables: Mapping[str, str] = os.environ
    ) -> dict[str, str]:
        """Return the environment of a stage's processes.

        ``STORMSIGHT_TRAINING`` is the prefix of the training's results, for stages that change something
        outside of the workspace: repeated, they must find what an earlier attempt did.
        ``STORMSIGHT_IDENTITY`` holds the planned code and parameters: a workspace's own differ by the
        registered acquisitions.

        Nothing is written outside of the workspace: DVC keeps its site cache and looks for configuration
        there, too. ``python`` is the interpreter that runs this, ``SHELL`` the plain one: DVC runs commands
        with the user's shell otherwise.
        """
        private = workspace / ".dvc" / "site"
        made = {
            "STORMSIGHT_OBJECTS": self.objects_uri,
            TRAINING: training_prefix(plan.key),
            **Identity(code=plan.code, params=plan.params).as_variable(),
            "MLFLOW_TRACKING_URI": self.tracking,
            "DVC_SITE_CACHE_DIR": str(private / "cache"),
            "DVC_GLOBAL_CONFIG_DIR": str(private / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(private / "system"),
            "DVC_NO_ANALYTICS": "true",
            "SHELL": "/bin/sh",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{variables.get('PATH', os.defpath)}",
        }
        if self.artifacts is not None:
            made["STORMSIGHT_ARTIFACTS"] = self.artifacts
        return {**variables, **made}


def _artifacts(variables: Mapping[str, str]) -> str:
    return str(Path(variables.get("STORMSIGHT_ARTIFACTS") or "var/mlartifacts").absolute())


def _absolute(uri: str) -> str:
    """Return a folder as an absolute path, other URIs as they are."""
    if uri.startswith("file://"):
        return unquote(urlsplit(uri).path)
    return uri if "://" in uri else str(Path(uri).absolute())
