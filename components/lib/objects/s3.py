"""Objects in a bucket of AWS or of any service that speaks S3 with conditional writes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from components.contract.errors import ResourceError, SourceUnavailableError
from components.contract.redaction import redact
from components.contract.temporary import scratch_folder
from components.lib.files import atomic_file
from components.lib.objects.client import aws_session, s3_client
from components.lib.objects.conditional import unconditional
from components.lib.objects.folder import require_digest
from components.lib.objects.protocol import (
    ObjectInfo,
    Objects,
    ObjectStore,
    check_key,
    check_prefix,
    missing,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

T = TypeVar("T")

ATTEMPTS = 6
"""Tries of one request (botocore's standard mode: pauses double, with jitter, up to 20 s)."""

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
READERS = 16
PAGE = 1000
"""Objects of one answer to a listing; S3 allows no more."""
CHUNK = 1 << 20
FIRST_PAUSE_S = 0.1

MAKER = "stormsight-maker"
"""Metadata of a created object: who made it. It tells a lost answer from a lost race."""

_BROKEN_OFF = (BotoCoreError, HTTPClientError, HTTPError, ConnectionError, TimeoutError)


class S3Objects:
    """Objects below ``s3://bucket/prefix/``.

    Args:
        client: A boto3 client.
        bucket: Its name.
        prefix: Empty, or ending in ``/``.
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    @classmethod
    def open(cls, uri: str, *, public: bool = False) -> Self:
        """Make a client for ``s3://bucket/prefix``.

        Args:
            uri: Address of the store.
            public: Ask without a signature where the machine has no credentials.

        Raises:
            ParameterError: If a setting of AWS cannot be used.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        session = aws_session()
        config = Config(
            signature_version=UNSIGNED if public and session.get_credentials() is None else None,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=READERS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )
        client = s3_client(session, config)
        return cls(client, bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "")

    @property
    def uri(self) -> str:
        """URI of the store: ``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def endpoint(self) -> str:
        """Scheme, host and port of the service."""
        address = urlsplit(self._client.meta.endpoint_url)
        port = "" if address.port is None else f":{address.port}"
        return f"{address.scheme}://{address.hostname}{port}"

    @property
    def readers(self) -> int:
        """Many: requests mostly wait for the network."""
        return READERS

    def get(self, key: str) -> bytes:
        """See :class:`ObjectStore`."""
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        """See :class:`ObjectStore`. What is left is asked for with a range, bound to the first etag."""
        name, position, etag, failures = self._name(key), 0, None, 0
        while True:
            with self._translated_errors(key):
                ask: dict[str, Any] = {} if etag is None else {"Range": f"bytes={position}-", "IfMatch": etag}
                answer = self._client.get_object(Bucket=self._bucket, Key=name, **ask)
            etag, left = answer["ETag"], answer["ContentLength"]
            try:
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    position, left, failures = position + len(chunk), left - len(chunk), 0
                    yield chunk
            except _BROKEN_OFF as error:
                reason = error
            else:
                return
            if left == 0:
                return
            failures += 1
            if failures == ATTEMPTS:
                raise self._unavailable(f"{key} broke off {failures} times: {reason}") from reason
            time.sleep(FIRST_PAUSE_S * 2**failures)

    def exists(self, key: str) -> bool:
        """See :class:`ObjectStore`."""
        return self._head(key) is not None

    def create(self, key: str, content: bytes) -> bool:
        """See :class:`ObjectStore`."""
        name, maker = self._name(key), uuid.uuid4().hex
        for attempt in range(ATTEMPTS):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=name, Body=content, IfNoneMatch="*", Metadata={MAKER: maker}
                )
            except ClientError as error:
                if _status(error) == 412:
                    # botocore repeats a request whose answer was lost: what is there may be our own.
                    found = self._head(key)
                    return found is not None and found["Metadata"].get(MAKER) == maker
                if _status(error) == 501:
                    raise unconditional(self, "it knows no If-None-Match (501)") from error
                if _status(error) != 409:
                    raise self._failure(error, key) from error
                time.sleep(FIRST_PAUSE_S * 2**attempt)  # another writer is at it: ask again who won
            except _BROKEN_OFF as error:
                raise self._unavailable(str(error)) from error
            else:
                return True
        raise self._unavailable(f"{key}: {ATTEMPTS} conflicts with other writers")

    def put(self, key: str, content: bytes) -> None:
        """See :class:`ObjectStore`."""
        name = self._name(key)
        self._call(key, lambda: self._client.put_object(Bucket=self._bucket, Key=name, Body=content))

    def list(self, prefix: str = "") -> Objects:
        """See :class:`ObjectStore`."""
        found = [item for page in self._pages(prefix) for item in page.get("Contents", [])]
        start = len(self._prefix)
        # Some tools leave empty objects that end in a slash to show folders.
        infos = [
            ObjectInfo(
                item["Key"][start:],
                item["Size"],
                item["LastModified"],
                version=f"{item['ETag']} {item['LastModified'].isoformat()}",
            )
            for item in found
            if not item["Key"].endswith("/")
        ]
        return sorted(infos, key=lambda info: info.key)

    def folders(self, prefix: str = "") -> Sequence[str]:
        """See :class:`ObjectStore`."""
        pages = self._pages(prefix, Delimiter="/")
        names = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return sorted(name[len(self._prefix) + len(prefix) : -1] for name in names)

    def delete(self, key: str) -> None:
        """See :class:`ObjectStore`."""
        name = self._name(key)
        self._call(key, lambda: self._client.delete_object(Bucket=self._bucket, Key=name))

    def upload(self, key: str, path: Path) -> None:
        """See :class:`ObjectStore`. Large files go in parts; botocore adds a checksum to each."""
        name = self._name(key)
        self._call(key, lambda: self._client.upload_file(str(path), self._bucket, name))

    def copy(self, source: ObjectStore, listed: ObjectInfo, key: str, *, sha256: str) -> None:
        """See :class:`ObjectStore`. Both stores take credentials and endpoint from the environment."""
        if isinstance(source, S3Objects) and source.endpoint == self.endpoint:
            self._copy_within(source, listed, key)
            return
        with scratch_folder("copy") as folder:
            path = folder / "object"
            source.download(listed.key, path, sha256=sha256)
            self.upload(key, path)

    def _copy_within(self, source: S3Objects, listed: ObjectInfo, key: str) -> None:
        """Let the service copy, in parts if the object is large."""
        name = self._name(key)
        origin: CopySourceTypeDef = {"Bucket": source._bucket, "Key": source._name(listed.key)}
        # Tags need rights of their own, and say nothing here.
        bound = {"CopySourceIfMatch": _etag(listed), "TaggingDirective": "REPLACE"}
        config = TransferConfig(use_threads=False)  # callers copy several objects at a time
        self._call(
            listed.key,
            lambda: self._client.copy(origin, self._bucket, name, ExtraArgs=bound, Config=config),
        )

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """See :class:`ObjectStore`."""
        name = self._name(key)
        if self._head(key) is None:
            raise missing(self, key)
        with atomic_file(path) as temporary:
            config = TransferConfig(num_download_attempts=ATTEMPTS)
            self._call(
                key,
                lambda: self._client.download_file(self._bucket, name, str(temporary), Config=config),
            )
            if sha256 is not None:
                with temporary.open("rb") as handle:
                    found = hashlib.file_digest(handle, "sha256").hexdigest()
                require_digest(f"{self.uri}/{key}", found, sha256)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _pages(self, prefix: str, **options: Any) -> Sequence[Any]:  # noqa: ANN401 - boto3's dictionaries
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + check_prefix(prefix),
            PaginationConfig={"PageSize": PAGE},
            **options,
        )
        return self._call(prefix, lambda: tuple(pages))

    def _head(self, key: str) -> Any | None:  # noqa: ANN401 - boto3's typed dictionary
        name = self._name(key)
        try:
            return self._client.head_object(Bucket=self._bucket, Key=name)
        except ClientError as error:
            # A HEAD has no body: a missing bucket looks like a missing object.
            if _status(error) == 404:
                return None
            raise self._failure(error, key) from error
        except _BROKEN_OFF as error:
            raise self._unavailable(str(error)) from error

    def _call(self, key: str, request: Callable[[], T]) -> T:
        with self._translated_errors(key):
            return request()

    @contextmanager
    def _translated_errors(self, key: str) -> Iterator[None]:
        """Translate boto3's errors into ours."""
        try:
            yield
        except ClientError as error:
            raise self._failure(error, key) from error
        except (*_BROKEN_OFF, Boto3Error) as error:
            raise self._unavailable(str(error)) from error
        except OSError as error:  # a file of ours that is sent or received
            raise ResourceError(
                f"{error.filename or key}: {error.strerror}", next_step="check free space and permissions"
            ) from error

    def _failure(self, error: ClientError, key: str) -> Exception:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"NoSuchKey", "404"}:
            return missing(self, key)
        if _status(error) == 412:
            return self._unavailable(f"{key} changed while it was read")
        return self._unavailable(f"{_status(error) or 'no status'} {code}".strip())

    def _unavailable(self, why: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"object store {self.uri} at {self.endpoint}: {redact(why)}",
            next_step="check that the endpoint answers, that the bucket exists, and the credentials "
            "(AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID and so on); then run the command again",
        )


def _etag(listed: ObjectInfo) -> str:
    """Return the etag in an object's version, as :meth:`S3Objects.list` writes it."""
    return listed.version.partition(" ")[0]


def _status(error: ClientError) -> int | None:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return int(status) if status is not None else None
