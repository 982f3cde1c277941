"""Object stores as orchestration needs them itself: names, small records, and signs of life to write."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from components.contract.errors import SourceUnavailableError, first_line
from components.contract.redaction import redact
from components.contract.variables import DEFAULT_REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ListedObject(NamedTuple):
    """Object of a listing: key, bytes, mark that changes whenever it is written."""

    key: str
    size: int
    version: str


class ObjectReader(Protocol):
    """Objects by key, read only. Every method raises :class:`SourceUnavailableError` if the store fails."""

    def folders(self) -> list[str]:
        """Return the names directly below the root that have objects below them."""
        ...

    def listing(self, prefix: str, after: str = "") -> list[ListedObject]:
        """Return the objects whose keys start with ``prefix``, sorted by key.

        Args:
            prefix: Beginning of their keys.
            after: Only objects whose keys sort behind this one; the service skips the others.
        """
        ...

    def get(self, key: str) -> bytes:
        """Return the object's bytes."""
        ...


class ObjectWriter(Protocol):
    """Writer of small objects. Raises :class:`SourceUnavailableError` if the store fails."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object, or replace it."""
        ...


def open_reader(uri: str, endpoint: str | None = None) -> ObjectReader:
    """Return the reader of ``s3://bucket/prefix`` or of a folder.

    Args:
        uri: URI or path.
        endpoint: S3 endpoint other than AWS; credentials come from the environment.

    Raises:
        SourceUnavailableError: If no client can be made.
    """
    return _open(uri, endpoint)


def open_writer(uri: str, endpoint: str | None = None) -> ObjectWriter:
    """Return the writer of ``s3://bucket/prefix`` or of a folder; arguments and errors as `open_reader`'s."""
    return _open(uri, endpoint)


def _open(uri: str, endpoint: str | None) -> _S3Store | _FolderStore:
    if uri.startswith("s3://"):
        return _S3Store(uri, endpoint)
    return _FolderStore(Path(uri.removeprefix("file://")))


class _FolderStore:
    """Files below a folder. As for the commands, links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self) -> list[str]:
        if not self._root.exists():  # nothing was ever written to it
            return []
        with _translated_errors(str(self._root), OSError):
            names = [entry.name for entry in os.scandir(self._root) if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in names if name != _UNFINISHED)

    def listing(self, prefix: str, after: str = "") -> list[ListedObject]:
        start = self._root / prefix.rpartition("/")[0]
        with _translated_errors(str(start), OSError):
            found = [one for one in self._walk(start) if one.key.startswith(prefix) and one.key > after]
        return sorted(found)

    def get(self, key: str) -> bytes:
        with _translated_errors(str(self._root / key), OSError):
            return (self._root / key).read_bytes()

    def put(self, key: str, content: bytes) -> None:
        path = self._root / key
        with _translated_errors(str(path), OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            (self._root / _UNFINISHED).mkdir(exist_ok=True)
            temporary = self._root / _UNFINISHED / uuid.uuid4().hex
            temporary.write_bytes(content)
            temporary.replace(path)

    def _walk(self, start: Path) -> Iterator[ListedObject]:
        for folder, _, names in os.walk(start):
            for path in (Path(folder, name) for name in names):
                try:
                    status = path.lstat()
                except FileNotFoundError:  # removed since the folder was read
                    continue
                if path.is_file() and not path.is_symlink():
                    key = path.relative_to(self._root).as_posix()
                    yield ListedObject(key, status.st_size, str(status.st_mtime_ns))


class _S3Store:
    def __init__(self, uri: str, endpoint: str | None) -> None:
        # boto3 costs half a second that parsing a DAG file must not pay.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._errors = (BotoCoreError, ClientError, OSError, ValueError)
        self._uri = uri
        self._bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        with self._translated_errors():
            session = boto3.session.Session()
            self._client: S3Client = session.client(
                "s3",
                endpoint_url=endpoint,
                region_name=session.region_name or DEFAULT_REGION,
                config=Config(
                    connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 6, "mode": "standard"}
                ),
            )

    def folders(self) -> list[str]:
        pages = self._pages(Prefix=self._prefix, Delimiter="/")
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return sorted(name.removeprefix(self._prefix)[:-1] for name in found)

    def listing(self, prefix: str, after: str = "") -> list[ListedObject]:
        behind = {"StartAfter": self._prefix + after} if after else {}
        pages = self._pages(Prefix=self._prefix + prefix, **behind)
        start = len(self._prefix)
        return sorted(
            ListedObject(
                item["Key"][start:], item["Size"], f"{item['ETag']} {item['LastModified'].isoformat()}"
            )
            for page in pages
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/")  # objects by which some tools show folders
        )

    def get(self, key: str) -> bytes:
        with self._translated_errors():
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        with self._translated_errors():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content)

    def _pages(self, **arguments: Any) -> list[Any]:  # noqa: ANN401 - boto3's dictionaries
        with self._translated_errors():
            paginator = self._client.get_paginator("list_objects_v2")
            return list(paginator.paginate(Bucket=self._bucket, **arguments))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        with _translated_errors(self._uri, *self._errors):
            yield


_UNFINISHED = ".unfinished"
"""Folder of a folder store for what is being written (``components/lib/objects/folder.py``)."""


@contextmanager
def _translated_errors(where: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise what a store fails with as one of our errors, without credentials."""
    try:
        yield
    except errors as error:
        raise SourceUnavailableError(
            f"{where} does not answer: {redact(f'{type(error).__name__}: {first_line(error)}')}",
            next_step="check that the endpoint answers, that bucket and prefix in the deployment file exist, "
            "and the credentials of Airflow (Secret stormsight-airflow-s3)",
        ) from error
