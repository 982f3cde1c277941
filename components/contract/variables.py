"""Check of the environment variables that commands read, before a command does anything.

A value that a library would take in its own way (a place that names a file lists nothing, an unknown log
level is an exception, a word as MLflow's address is a new folder) is refused here, with its variable's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from components.contract.documents import nearest, shown
from components.contract.errors import ParameterError
from components.contract.redaction import redact

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

DEFAULT_REGION = "us-east-1"
"""Region of S3 where neither a catalogue entry nor the machine (``AWS_DEFAULT_REGION``) names one."""

TRACKING_SCHEMES = (
    "sqlite", "http", "https", "file", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc"
)  # fmt: skip
"""Kinds of stores that MLflow knows; a database's may name its driver (``postgresql+psycopg2``)."""

ACTOR = "STORMSIGHT_ACTOR"
"""Environment variable: name of the person, or of the run and its account, that ledger entries keep."""

PROFILE = "STORMSIGHT_PROFILE"
"""Environment variable: profile of params.yaml for commands outside of DVC; stages take the file's own."""

LONGEST_ACTOR = 300
"""Characters of an actor's name at most."""

Rule = Callable[[str], str | None]
"""Check of a value: its fault in words, None if there is none."""


def check_variables(environment: Mapping[str, str] = os.environ) -> None:
    """Check all variables that are set; an empty one counts as not set.

    Raises:
        ParameterError: Names the first variable with a value that cannot be meant, and the valid ones.
    """
    for name, (rule, valid) in VARIABLES.items():
        value = environment.get(name)
        problem = rule(value) if value else None
        if value and problem is not None:
            raise ParameterError(
                f"{name}={shown(redact(value, {}))}: {problem}",
                next_step=f"unset {name}, or set it to {valid}",
            )


def problem_of_place(uri: str) -> str | None:
    """Return why ``uri`` can hold no objects; ``s3://bucket/prefix``, ``file:///folder`` and a path can."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return problem_of_folder(uri)
    if scheme == "s3":
        return None if rest.partition("/")[0] else "it names no bucket"
    if scheme == "file":
        return problem_of_folder(unquote(rest)) if rest.startswith("/") else "it names no absolute path"
    return f"{shown(scheme)} is no kind of object store"


def problem_of_folder(path: str) -> str | None:
    """Return why ``path`` is no folder and none can be made there."""
    try:
        place = Path(path).absolute()
        existing = next(folder for folder in (place, *place.parents) if folder.exists())
        if existing.is_dir():
            return None
    except (OSError, ValueError) as error:
        return _reason(error)
    return "it is a file, not a folder" if existing == place else f"{existing} is a file, not a folder"


def problem_of_url(url: str) -> str | None:
    """Return why ``url`` is no address of an HTTP service."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return None
    except ValueError as error:
        return str(error)
    return "it is no http(s) address"


def problem_of_actor(name: str) -> str | None:
    """Return why ``name`` names no actor: too long, or with blanks at its ends or unprintable characters."""
    if len(name) > LONGEST_ACTOR:
        return f"it has {len(name)} characters, {LONGEST_ACTOR} are the most"
    return None if name.isprintable() and name == name.strip() else "it is not one line of plain text"


def _problem_of_level(level: str) -> str | None:
    if level.upper() in LOG_LEVELS:
        return None
    return f"there is no such level{nearest(level.upper(), LOG_LEVELS)}"


def _problem_of_source(path: str) -> str | None:
    return _problem_unless(Path.is_dir, path, "there is no such folder")


def _problem_of_file(path: str) -> str | None:
    return _problem_unless(Path.exists, path, "there is no such file")


def _problem_unless(right: Callable[[Path], bool], path: str, otherwise: str) -> str | None:
    try:
        return None if right(Path(path)) else otherwise
    except (OSError, ValueError) as error:
        return _reason(error)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def problem_of_tracking(uri: str) -> str | None:
    """Return why ``uri`` is no address of MLflow's store; ``none``, for no tracking, is one."""
    scheme, separator, _ = uri.partition(":")
    kind = scheme.partition("+")[0]
    if uri in {"none", "databricks", "databricks-uc", "uc"} or uri.startswith("/"):
        return None
    if not separator or kind not in TRACKING_SCHEMES:
        return f"it is no address of a store{nearest(kind, TRACKING_SCHEMES)}"
    if kind == "sqlite":
        path = uri.partition("?")[0].partition(":///")[2]
        return "it names no file: sqlite:///path" if path in {"", ":memory:"} else None
    return problem_of_url(uri) if kind in {"http", "https"} else None


_PLACE = (problem_of_place, "s3://bucket/prefix, file:///folder or the path of a folder")
_FOLDER = (problem_of_folder, "the path of a folder")
_URL = (problem_of_url, "http://host:port or https://host")

VARIABLES: Mapping[str, tuple[Rule, str]] = MappingProxyType(
    {
        "STORMSIGHT_LOG": (_problem_of_level, f"one of {', '.join(LOG_LEVELS)}"),
        ACTOR: (problem_of_actor, f"a name of at most {LONGEST_ACTOR} characters"),
        "STORMSIGHT_OBJECTS": _PLACE,
        "STORMSIGHT_LANDING": _PLACE,
        "STORMSIGHT_REMOTE": _PLACE,
        "STORMSIGHT_BACKUPS": _PLACE,
        "STORMSIGHT_SOURCE": (_problem_of_source, "the folder of dvc.yaml and params.yaml"),
        "STORMSIGHT_WORKSPACE": _FOLDER,
        "STORMSIGHT_ARTIFACTS": _FOLDER,
        "MLFLOW_TRACKING_URI": (
            problem_of_tracking,
            "sqlite:///var/mlflow.db, http://host:port, or none for no tracking",
        ),
        "AWS_ENDPOINT_URL_S3": _URL,
        "AWS_ENDPOINT_URL": _URL,
        "AWS_CA_BUNDLE": (_problem_of_file, "a file of certificates"),
    }
)
"""Rule and valid values by variable. :data:`PROFILE` is held against params.yaml, ``AWS_PROFILE``
against the AWS configuration (:mod:`components.lib.objects.client`); the others hold any text, or are made by
the runner of stages."""
