"""Takes credentials out of text before it reaches a log, a notice or a person."""

from __future__ import annotations

import re

MASK = "***"

_NAME = (
    r"[A-Za-z0-9_.-]*(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE[_-]?KEY)"
    r"[A-Za-z0-9_.-]*"
)

_TELLING_NAME = re.compile(_NAME, re.IGNORECASE)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key, whole, or cut off by the end of the text.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), MASK),
    # scheme://user:password@host
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]+@", re.I), rf"\g<keep>{MASK}@"),
    # Authorization: Bearer ..., Authorization: AWS4-HMAC-SHA256 Credential=..., Signature=...
    (re.compile(r"(?P<keep>Authorization['\"]?\s*[:=]\s*)[^\n]+", re.I), rf"\g<keep>{MASK}"),
    (re.compile(r"(?P<keep>\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.I), rf"\g<keep>{MASK}"),
    # Presigned URLs.
    (
        re.compile(r"(?P<keep>X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'\"]+", re.I),
        rf"\g<keep>{MASK}",
    ),
    (re.compile(r"(?P<keep>[?&](?:sig|signature|key|token)=)[^&\s'\"]+", re.I), rf"\g<keep>{MASK}"),
    # NAME=value, "name": "value", name: value, where the name tells. Quoted values end at their quote.
    (
        re.compile(rf"(?P<keep>\b{_NAME}['\"]?\s*(?:=>|[=:])\s*)(?P<q>['\"])(?:(?!(?P=q)).)*(?P=q)?", re.I),
        rf"\g<keep>{MASK}",
    ),
    (re.compile(rf"(?P<keep>\b{_NAME}['\"]?\s*(?:=>|[=:])\s*)[^\s,;&'\"]+", re.I), rf"\g<keep>{MASK}"),
    # Well-known shapes: AWS, GitHub, Hugging Face, Slack, JSON web tokens.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{20,})"), MASK),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{10,}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
)


def names_a_secret(name: str) -> bool:
    """Whether an environment variable called ``name`` should hold its value by reference only."""
    return _TELLING_NAME.fullmatch(name) is not None


def redact(text: str) -> str:
    """``text`` without what looks like a credential: by the name before it, or by its own shape."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_values(value: object) -> object:
    """JSON values with every text in them redacted, and what stands under a telling name masked."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    return [redact_values(inner) for inner in value] if isinstance(value, list) else value


def _masked(name: str, value: object) -> object:
    return MASK if isinstance(value, str) and names_a_secret(name) else redact_values(value)
