"""Readers of the object store for what orchestration needs itself: names, and small records."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from components.contract.variables import DEFAULT_REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectReader(Protocol):
    """Objects by key, read only."""

    def folders(self) -> list[str]:
        """Return the names directly below the root that have objects below them."""
        ...

    def listing(self, prefix: str) -> dict[str, datetime]:
        """Return when each object whose key starts with ``prefix`` was written, sorted by key."""
        ...

    def get(self, key: str) -> bytes:
        """Return the object's bytes."""
        ...


def open_reader(uri: str, endpoint: str | None = None) -> ObjectReader:
    """Return the reader of ``s3://bucket/prefix`` or of a folder.

    Args:
        uri: URI or path.
        endpoint: S3 endpoint other than AWS; credentials come from the environment.
    """
    if uri.startswith("s3://"):
        return _S3Reader(uri, endpoint)
    return _FolderReader(Path(uri.removeprefix("file://")))


class _FolderReader:
    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self) -> list[str]:
        if not self._root.is_dir():
            return []
        return sorted(path.name for path in self._root.iterdir() if path.is_dir())

    def listing(self, prefix: str) -> dict[str, datetime]:
        parent = self._root / prefix.rpartition("/")[0]
        files = {str(path.relative_to(self._root)): path for path in parent.rglob("*") if path.is_file()}
        return {
            key: datetime.fromtimestamp(path.stat().st_mtime, UTC)
            for key, path in sorted(files.items())
            if key.startswith(prefix)
        }

    def get(self, key: str) -> bytes:
        return (self._root / key).read_bytes()


class _S3Reader:
    def __init__(self, uri: str, endpoint: str | None) -> None:
        # boto3 costs half a second that parsing a DAG file must not pay.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        self._bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
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
        return sorted(name.removeprefix(self._prefix).rstrip("/") for name in found)

    def listing(self, prefix: str) -> dict[str, datetime]:
        pages = self._pages(Prefix=self._prefix + prefix)
        found = {entry["Key"]: entry["LastModified"] for page in pages for entry in page.get("Contents", [])}
        return {key.removeprefix(self._prefix): written for key, written in sorted(found.items())}

    def get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()

    def _pages(self, **arguments: Any) -> Any:  # noqa: ANN401 - a botocore iterator
        return self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **arguments)
