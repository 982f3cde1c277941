"""Removal of credentials from text before it reaches a report, a log, a notice or a person.

One list of names and one list of patterns serve commands and DAGs alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

MASK = "***"

SHORTEST_SECRET = 6
"""Characters; replacing a shorter value of the environment would tear holes into ordinary words."""

_WORDS = r"(?:SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE)"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_NAME = rf"[A-Za-z0-9_.-]*{_WORDS}[A-Za-z0-9_.-]*"


def _pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    # ASCII, lest a letter such as "é" before a name hide it from \b.
    return re.compile(expression, re.IGNORECASE | re.ASCII | flags)


_KEEP = rf"\g<keep>{MASK}"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key, whole, or cut off by the end of the text.
    (_pattern(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), MASK),
    # scheme://user:password@host, scheme://token@host
    (_pattern(r"(?P<keep>://)[^/\s@]+(?=@)"), _KEEP),
    # Authorization: Bearer ..., Authorization: AWS4-HMAC-SHA256 Credential=..., Signature=...
    (_pattern(r"(?P<keep>Authorization['\"]?\s*[:=]\s*)[^\n]+"), _KEEP),
    (_pattern(r"(?P<keep>\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}"), _KEEP),
    # Presigned URLs.
    (_pattern(r"(?P<keep>X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'\"]+"), _KEEP),
    (_pattern(r"(?P<keep>[?&](?:sig|signature|key|token)=)[^&\s'\"]+"), _KEEP),
    # NAME=value, "name": "value", name: value, for a secret's name. Quoted values end at their quote.
    (_pattern(rf"(?P<keep>\b{_NAME}['\"]?\s*(?:=>|[=:])\s*)(?P<q>['\"])(?:(?!(?P=q)).)*(?P=q)?"), _KEEP),
    (_pattern(rf"(?P<keep>\b{_NAME}['\"]?\s*(?:=>|[=:])\s*)[^\s,;&'\"]+"), _KEEP),
    # Keys of known shape: AWS, GitHub, Hugging Face, Slack, JSON web tokens.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", re.ASCII), MASK),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{20,})", re.ASCII), MASK),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{10,}", re.ASCII), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", re.ASCII), MASK),
)


def names_a_secret(name: str) -> bool:
    """Return whether a variable or field called ``name`` holds a secret (``*TOKEN*``, ``*PASSW*``, ...)."""
    return _SECRET_NAME.search(name) is not None


def holds_a_secret(name: str, value: str) -> bool:
    """Return whether a setting must not be written in plain text: judged by its name and by its value."""
    return names_a_secret(name) or redact(value, {}) != value


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return ``text`` without credentials.

    Masked are the values of secret environment variables, values behind a secret's name, passwords in URLs,
    signatures, and keys of known shape.

    Args:
        text: Any text.
        environment: Variables whose values are masked if their names are a secret's.

    >>> redact("no answer from postgres://me:hunter2@db/mlflow", {})
    'no answer from postgres://***@db/mlflow'
    """
    secrets = {v for k, v in environment.items() if len(v) >= SHORTEST_SECRET and names_a_secret(k)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_values(value: object) -> object:
    """Return JSON values with every text in them redacted, and every text below a secret's name masked."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    return [redact_values(inner) for inner in value] if isinstance(value, list) else value


def _masked(name: str, value: object) -> object:
    return MASK if isinstance(value, str) and names_a_secret(name) else redact_values(value)
