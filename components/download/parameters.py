"""Parameters of the download stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from components.contract.documents import nearest, shortened, shown
from components.contract.errors import ParameterError
from components.contract.parameters import PARAMS_FILE
from components.lib.config.loader import Parameters, load_section


class DownloadParameters(Parameters):
    """The section ``download`` of ``params.yaml``."""

    endpoint_url: str | None = None
    """S3 endpoint other than AWS; without it boto3 honours ``AWS_ENDPOINT_URL_S3``."""

    workers: int = Field(default=4, ge=1, le=256)
    """Parallel ranged requests."""

    part_mib: int = Field(default=16, ge=1, le=5 * 1024)
    """Size of one ranged request, MiB: what a killed run fetches again at most, per worker."""

    shard_mib: int = Field(default=256, ge=1, le=100 * 1024)
    """Target size of a tar shard, MiB; grows so that at most 64 shards are written."""

    attempts: int = Field(default=6, ge=1, le=100)
    """Tries per request before the source counts as unavailable."""

    timeout_s: float = Field(default=60.0, gt=0, le=86_400)
    """Connect and read time-out of one request, seconds; also the longest a body may trickle."""

    requester_pays: bool = False
    """Send ``x-amz-request-payer`` with every S3 request: the requester's account pays for the transfer."""

    mirrors: dict[str, str] = Field(default_factory=dict)
    """Acquisition id -> URI (s3://, file://) that stands in for the catalogue's source."""


def load_acquisitions(known: list[str], path: Path = PARAMS_FILE) -> list[str]:
    """Read the section ``acquisitions``: catalogue ids, each once.

    Raises:
        ParameterError: If it is no such list, or an id is unknown (the nearest known one is named).
    """
    value = load_section("acquisitions", path)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ParameterError(
            f"acquisitions: a list of catalogue ids is needed (got {shown(value)})",
            next_step=f"correct acquisitions in {path}; known: {', '.join(known)}",
        )
    return check_acquisitions(value, known, where="acquisitions")


def check_acquisitions(names: list[str], known: list[str], *, where: str) -> list[str]:
    """Return ``names`` if each is known and none comes twice.

    Raises:
        ParameterError: Otherwise, naming the nearest known id.
    """
    there, listed = set(known), Counter(names)
    for name in names:
        if name not in there:
            raise ParameterError(
                f"{where}: unknown acquisition {shown(name)}{nearest(name, known, cutoff=0.0)}",
                next_step=f"use one of {', '.join(known)} or add "
                f"components/download/catalogue/{shortened(name)}.yaml",
            )
        if listed[name] > 1:
            raise ParameterError(f"{where}: {name!r} is listed twice", next_step="list it once")
    return names


def check_mirrors(mirrors: Mapping[str, str], known: list[str]) -> None:
    """Check that every mirror stands in for an acquisition that there is, and can be read.

    Raises:
        ParameterError: Otherwise, naming the nearest known id.
    """
    check_acquisitions(list(mirrors), known, where="download.mirrors")
    for acquisition, uri in mirrors.items():
        check_mirror(acquisition, uri)


def check_mirror(acquisition: str, uri: str) -> None:
    """Check the address of one mirror.

    Raises:
        ParameterError: If its scheme is none that a mirror can have.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in {"s3", "file"} or not rest:
        raise ParameterError(
            f"download.mirrors.{shortened(acquisition)}: {shown(uri)} is neither s3:// nor file://",
            next_step="give the mirror as s3://bucket/root/ or file://folder",
        )
