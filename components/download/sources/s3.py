"""``s3://``: a bucket, with or without credentials."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from components.contract.errors import BadDataError, ParameterError, SourceUnavailableError
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.release import check_complete, completing, wanted
from components.download.sources.base import (
    Delivery,
    LooseFiles,
    ObjectChangedError,
    Packed,
    RemoteObject,
    TransientError,
)
from components.download.sources.retrying import Retrying
from components.lib.objects.client import aws_session, s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK = 1 << 18
SLOWEST = 1024
"""Bytes per second below which a body counts as stalled: a socket time-out alone never sees a trickle."""

_TRANSIENT_STATUS = {408, 429, 500, 502, 503, 504}
_TRANSIENT_CODES = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "InternalError",
    "ServiceUnavailable",
}


class S3Source:
    """Objects below ``s3://bucket/root/``.

    Args:
        entry: The catalogue entry.
        client: A boto3 client that does not retry by itself.
        attempts: Tries per request.
        timeout_s: Longest a body may stay below ``SLOWEST``, seconds.
        pays: Every request says that the requester pays for it.
    """

    def __init__(
        self,
        entry: CatalogueEntry,
        client: S3Client,
        *,
        attempts: int,
        timeout_s: float,
        pays: bool = False,
    ) -> None:
        self._payer: dict[str, Any] = {"RequestPayer": "requester"} if pays else {}
        self._entry = entry
        self._client = client
        self._retrying = Retrying(attempts)
        self._timeout_s = timeout_s
        bucket, _, root = entry.source.removeprefix("s3://").partition("/")
        self._bucket = bucket
        self._root = f"{root.rstrip('/')}/" if root.strip("/") else ""

    @classmethod
    def open(cls, entry: CatalogueEntry, parameters: DownloadParameters, params_file: Path) -> Self:
        """Make the client: unsigned if the entry says so or the machine has no credentials.

        Raises:
            ParameterError: If the requester is to pay and nobody signs.
        """
        del params_file
        session = aws_session()
        unsigned = entry.anonymous or session.get_credentials() is None
        pays = entry.requester_pays or parameters.requester_pays
        if pays and unsigned:
            raise ParameterError(
                f"{entry.id}: requests that the requester pays for must be signed",
                next_step="set AWS credentials and anonymous: false in the catalogue entry, or "
                "download.requester_pays: false",
            )
        config = Config(
            signature_version=UNSIGNED if unsigned else None,
            connect_timeout=parameters.timeout_s,
            read_timeout=parameters.timeout_s,
            max_pool_connections=parameters.workers + 1,
            # One place retries, ours: botocore's own cannot repeat a body that broke off.
            retries={"total_max_attempts": 1, "mode": "standard"},
            response_checksum_validation="when_required",
        )
        client = s3_client(session, config, region=entry.region, endpoint=parameters.endpoint_url)
        return cls(entry, client, attempts=parameters.attempts, timeout_s=parameters.timeout_s, pays=pays)

    def deliver(self) -> Delivery:
        """Return the listed files if they are the whole acquisition, otherwise the tarball."""
        objects: tuple[RemoteObject, ...] = ()
        try:
            objects = tuple(self._retrying.call(self._uri(self._entry.prefix), self._list))
            found = [file for item in objects if (file := wanted(self._entry, item.path)) is not None]
            reason = check_complete(self._entry, found)
        except ClientError as error:
            reason = f"no listing ({_code(error)})"
        if reason is None:
            return LooseFiles(objects, self)
        if self._entry.archive is None:
            raise SourceUnavailableError(
                f"{self._entry.id}: {self._uri(self._entry.prefix)} has {reason}",
                next_step=completing(
                    self._entry,
                    "check source, prefix and products of the catalogue entry, and the credentials",
                )
                + self._payer_advice(reason),
            )
        return Packed(self._archive(self._entry.archive), self, reason=reason)

    def read(self, item: RemoteObject, start: int, stop: int) -> Iterator[bytes]:
        """Read bytes ``[start, stop)`` of an object, if it still has its etag; see :class:`RangeReader`."""
        try:
            answer = self._client.get_object(
                Bucket=self._bucket,
                Key=item.key,
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=item.version,
                **self._payer,
            )
        except ClientError as error:
            raise self._classified(error, item.uri) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise TransientError(str(error)) from error
        if answer["ETag"] != item.version:
            raise ObjectChangedError(item.uri)
        if answer.get("ContentRange") != f"bytes {start}-{stop - 1}/{item.size}":
            raise TransientError(f"asked for bytes {start}-{stop - 1}, got {answer.get('ContentRange')}")
        # The raw stream's read1 hands over what has come; `read` would wait until a whole piece is there.
        body = answer["Body"]
        try:
            yield from self._body(getattr(body, "_raw_stream", body))
        except (HTTPError, OSError) as error:
            raise TransientError(f"the body broke off: {error}") from error
        finally:
            body.close()

    def etag_is_md5(self, item: RemoteObject) -> bool:
        """Return False for objects under KMS or customer keys, whose etags are no md5."""
        answer = self._retrying.call(item.uri, lambda: self._head(item.key))
        return answer.get("ServerSideEncryption") in (None, "AES256") and "SSECustomerAlgorithm" not in answer

    def _body(self, stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib3 or a file-like body
        since, received = time.monotonic(), 0
        while chunk := stream.read1(CHUNK):
            yield chunk
            received += len(chunk)
            elapsed = time.monotonic() - since
            if elapsed > self._timeout_s:
                if received < SLOWEST * elapsed:
                    raise TransientError(f"{received} bytes in {elapsed:.0f} s")
                since, received = time.monotonic(), 0

    def _list(self) -> list[RemoteObject]:
        prefix = self._root + self._entry.prefix
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, **self._payer
            )
            listed = [found for page in pages for found in page.get("Contents", [])]
        except ClientError as error:
            raise _transient_or_same(error) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise TransientError(str(error)) from error
        return [
            self._describe(found["Key"], found["Size"], found["ETag"])
            for found in sorted(listed, key=lambda found: found["Key"])
            if wanted(self._entry, found["Key"].removeprefix(self._root)) is not None
        ]

    def _archive(self, key: str) -> RemoteObject:
        full, uri = self._root + key, self._uri(key)
        try:
            answer = self._retrying.call(uri, lambda: self._head(full))
        except ClientError as error:
            raise SourceUnavailableError(
                f"{self._entry.id}: neither a listing below {self._uri(self._entry.prefix)} nor {uri} "
                f"({_code(error)})",
                next_step="check the catalogue entry's source and the credentials"
                + self._payer_advice(_code(error)),
            ) from error
        return self._describe(full, answer["ContentLength"], answer["ETag"])

    def _head(self, key: str) -> Any:  # noqa: ANN401 - boto3's typed dictionary
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key, **self._payer)
        except ClientError as error:
            raise _transient_or_same(error) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise TransientError(str(error)) from error

    def _describe(self, key: str, size: int, etag: str) -> RemoteObject:
        path = key.removeprefix(self._root)
        expected = self._entry.expected(path)
        if expected.size is not None and expected.size != size:
            raise BadDataError(
                f"{self._entry.id}: {self._uri(path)} has {size} bytes, the catalogue says {expected.size}",
                next_step="find out which of the two is right before using either",
            )
        plain = etag.strip('"')
        from_etag = expected.md5 is None and len(plain) == 32 and "-" not in plain
        return RemoteObject(
            path=path,
            uri=self._uri(path),
            key=key,
            size=size,
            version=etag,
            md5=plain if from_etag else expected.md5,
            sha256=expected.sha256,
            md5_from_etag=from_etag,
        )

    def _classified(self, error: ClientError, uri: str) -> Exception:
        """Classify a refused ``get_object``."""
        if _is_transient(error):
            return TransientError(_code(error))
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (404, 412, 416):
            return ObjectChangedError(uri)
        return SourceUnavailableError(
            f"{uri}: {_code(error)}",
            next_step="check the credentials and the bucket's policy" + self._payer_advice(_code(error)),
        )

    def _payer_advice(self, refusal: str) -> str:
        """Return a half-sentence about requester-pays buckets where a refusal may come from one."""
        if self._payer or "403" not in refusal:
            return ""
        return "; if the bucket lets the requester pay, set download.requester_pays: true in params.yaml"

    def _uri(self, path: str) -> str:
        return f"s3://{self._bucket}/{self._root}{path}"


def _code(error: ClientError) -> str:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
    return f"{status} {error.response.get('Error', {}).get('Code', '')}".strip()


def _is_transient(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in _TRANSIENT_STATUS or error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES


def _transient_or_same(error: ClientError) -> Exception:
    return TransientError(_code(error)) if _is_transient(error) else error
