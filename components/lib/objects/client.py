"""Clients of S3: settings of the machine that boto3 cannot use are errors that name them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.session import Session as BotocoreSession

from components.contract.documents import nearest, shortened, shown
from components.contract.errors import ParameterError
from components.contract.redaction import redact
from components.contract.variables import DEFAULT_REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def aws_session() -> boto3.session.Session:
    """Return a session with the machine's profile.

    Raises:
        ParameterError: If ``AWS_PROFILE`` names no profile, or the AWS configuration cannot be read.
    """
    try:
        return boto3.session.Session()
    except ProfileNotFound as error:
        name = next((n for n in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if os.environ.get(n)), "AWS_PROFILE")
        profile, known = os.environ.get(name, ""), _profiles()
        raise ParameterError(
            f"{name}={shown(profile)}: the AWS configuration has no such profile{nearest(profile, known)}",
            next_step=f"unset {name}, or set it to one of {', '.join(known) or '(there are none)'}",
        ) from error
    except BotoCoreError as error:
        raise _unusable(error) from error


def s3_client(
    session: boto3.session.Session, config: Config, *, region: str | None = None, endpoint: str | None = None
) -> S3Client:
    """Return a client of S3.

    Args:
        session: As :func:`aws_session` gives it.
        config: Time-outs, retries and signing.
        region: Region of the bucket; None takes the machine's.
        endpoint: Address other than AWS; None takes the machine's (``AWS_ENDPOINT_URL_S3``).

    Raises:
        ParameterError: If the region, the endpoint or another setting of AWS cannot be used.
    """
    try:
        return session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or session.region_name or DEFAULT_REGION,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise _unusable(error) from error


def _profiles() -> list[str]:
    """Return the profiles of the AWS configuration, which a session of an unknown one cannot list."""
    try:
        return sorted(BotocoreSession(profile="default").available_profiles)
    except BotoCoreError:
        return []


def _unusable(error: Exception) -> ParameterError:
    given = sorted(name for name in os.environ if name.startswith("AWS_"))
    return ParameterError(
        f"S3 cannot be used: {shortened(redact(str(error)), 200)}",
        next_step=f"check download.endpoint_url, ~/.aws and {', '.join(given) or 'the AWS_* variables'}",
    )
