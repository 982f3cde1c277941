"""Taking secrets out of texts that leave the process in a report."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

MASK = "***"

_NAMES = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|ACCESS_KEY|API_KEY|PRIVATE", re.IGNORECASE)
_SHORTEST = 6
"""Characters; a shorter value would tear holes into ordinary words."""

_PATTERNS = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), MASK),  # user:password@ of a URL
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(authorization:\s*\w+\s+)\S+"), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),  # AWS key ids
)


def redacted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """``text`` without the values of secret environment variables, passwords in URLs, and signatures.

    A variable counts as secret by its name (``*SECRET*``, ``*TOKEN*``, ``*PASSW*``, ...).

    >>> redacted("no answer from postgres://me:hunter2@db/mlflow", {})
    'no answer from postgres://***@db/mlflow'
    """
    secrets = {v for k, v in environment.items() if _NAMES.search(k) and len(v) >= _SHORTEST}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
