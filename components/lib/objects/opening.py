"""Opening of object stores by URI or by environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from components.contract.documents import shown
from components.contract.errors import ParameterError
from components.contract.variables import problem_of_place
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore

OBJECTS = "STORMSIGHT_OBJECTS"
"""Environment variable: store of ledger, plans and records."""

LANDING = "STORMSIGHT_LANDING"
"""Environment variable: store in which acquisitions arrive."""

DEFAULTS = {OBJECTS: "var/objects", LANDING: "var/landing"}


def open_objects(uri: str, *, public: bool = False) -> ObjectStore:
    """Open the store at ``uri``: ``s3://bucket/prefix``, ``file:///folder`` or the path of a folder.

    Nothing is read yet; a folder is made with its first object. S3 takes its credentials, region and
    endpoint from the environment as boto3 does (``AWS_ENDPOINT_URL_S3``).

    Args:
        uri: Address of the store.
        public: Read a bucket that is open to everyone without credentials where the machine has none.

    Raises:
        ParameterError: If the URI is of another kind, or names a file where a folder is needed.
    """
    scheme, separator, rest = uri.partition("://")
    problem = problem_of_place(uri) if uri else "it is empty"
    if problem is not None:
        raise _unknown(uri, problem)
    if not separator:
        return FolderObjects(Path(uri))
    if scheme == "file":
        return FolderObjects(Path(rest))
    if scheme == "s3" and rest.strip("/"):
        from components.lib.objects.s3 import S3Objects  # noqa: PLC0415 - boto3 only where a bucket is used

        return S3Objects.open(uri, public=public)
    raise _unknown(uri, "it names no bucket")


def objects_from_environment() -> ObjectStore:
    """Open the store of ledger, plans and records: ``STORMSIGHT_OBJECTS``, by default ``var/objects``.

    A folder is swept: a command that repeats one that was killed may find nothing left to write.
    """
    store = _from_environment(OBJECTS)
    if isinstance(store, FolderObjects):
        store.sweep()
    return store


def landing_from_environment() -> ObjectStore:
    """Open the store in which acquisitions arrive: ``STORMSIGHT_LANDING``, by default ``var/landing``."""
    return _from_environment(LANDING)


def _from_environment(name: str) -> ObjectStore:
    return open_objects(os.environ.get(name) or DEFAULTS[name])


def _unknown(uri: str, problem: str) -> ParameterError:
    return ParameterError(
        f"{shown(uri)} names no object store: {problem}",
        next_step="use s3://bucket/prefix, file:///folder or the path of a folder",
    )
