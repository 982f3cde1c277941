"""Removal of credentials from text before it reaches a report, a log, a notice or a person.

One list of names and one list of patterns serve commands and DAGs alike; streams that come in pieces or in
lines go through :mod:`components.contract.redacted_streams`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

MASK = "***"

SHORTEST_SECRET = 6
"""Characters; replacing a shorter value of the environment would tear holes into ordinary words."""

SHORTEST_LINE = 16
"""Characters of a line of a value of several lines that is masked by itself."""

_WORDS = (
    r"(?:SECRET|TOKEN|PASSW|PGPASS|PASSPHRASE|CREDENTIAL|PRIVATE|WEBHOOK|NOTICE[_-]?URL|AIRFLOW_CONN"
    r"|(?:API|ACCESS|ACCOUNT|FERNET|SIGNING|ENCRYPTION|MASTER|STORAGE|CLIENT)[_-]?KEY)"
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# What stands before the word is part of the name too, but stays as it is.
_NAME = rf"{_WORDS}[A-Za-z0-9_.-]{{0,80}}"

_KEY_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_LINES = r"(?:[a-z0-9+/=]{16,}\s{1,8}){0,200}"
KEY_BEGIN = re.compile(rf"-----BEGIN {_KEY_LABEL}", re.IGNORECASE | re.ASCII)
KEY_END = re.compile(rf"-----END {_KEY_LABEL}", re.IGNORECASE | re.ASCII)


def _pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    # ASCII, lest a letter such as "é" before a name hide it from \b.
    return re.compile(expression, re.IGNORECASE | re.ASCII | flags)


_KEEP = rf"\g<keep>{MASK}"
# A quoted value ends at its quote, which may itself be escaped (JSON in JSON), or with the line.
_QUOTED = r"(?P<q>\\*['\"])(?:(?!(?P=q))(?:\\.|.))*(?P=q)?"
# A comma belongs to an unquoted value unless a space follows.
_UNQUOTED = r"(?:[^\s,;&'\"]|,(?=[^\s'\"]))+"
_ASSIGNS = r"\\*['\"]?[ \t]*(?:=>|[=:])[ \t]*(?:[bru](?=['\"]))?"
_OPTION = rf"(?<![a-z0-9-])--?[a-z0-9_.-]{{0,80}}?{_NAME}"
# Between the words of a command line, or of a list as Python and JSON write it.
_NEXT_WORD = r"(?:[ \t]+|['\"][ \t]*,[ \t]*[bru]?)"
# Of names that stand before a value without any sign between: these alone, lest prose be masked, ...
_BARE = (
    r"(?:SECRET[_-]?(?:ACCESS[_-]?)?KEY|ACCESS[_-]KEY(?:[_-]ID)?|(?:SESSION|AUTH|ACCESS|REFRESH)[_-]TOKEN"
    r"|(?:API|FERNET|ACCOUNT|PRIVATE)[_-]?KEY|PASSWORD|PASSWD|PASSPHRASE)"
)
# ... and only before what no word of a language looks like: a digit, a sign of base64, capitals inside.
_RANDOM = r"(?=[^\s'\"]*(?:\d|[+/=]|(?-i:[a-z][A-Z])))[^\s'\",]{8,}"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key, whole, or cut off by the end or the beginning of the text.
    (_pattern(rf"{KEY_BEGIN.pattern}.*?(?:{KEY_END.pattern}|\Z)", re.S), MASK),
    (
        _pattern(
            rf"(?<![a-z0-9+/=])(?:[a-z0-9+/=]{{16,}}\s{{1,8}}){{0,200}}[a-z0-9+/=]*\s{{0,8}}{KEY_END.pattern}"
        ),
        MASK,
    ),
    # scheme://user:password@host, scheme://token@host; a password that nobody encoded may hold slashes.
    (_pattern(r"(?P<keep>://)[^/?#\s@:]*:(?!\d{1,5}(?:[/?#]|$))[^\s'\"<>]{1,500}(?=@)"), _KEEP),
    (_pattern(r"(?P<keep>://)[^/?#\s]{1,500}(?=@)"), _KEEP),
    # Authorization: Bearer ..., Authorization: AWS4-HMAC-SHA256 Credential=..., Signature=...
    (_pattern(r"(?P<keep>(?:Authorization|Cookie)\\*['\"]?\s*[:=]\s*)[^\n]+"), _KEEP),
    (_pattern(r"(?P<keep>\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}"), _KEEP),
    # Presigned URLs.
    (_pattern(r"(?P<keep>X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'\"]+"), _KEEP),
    (_pattern(r"(?P<keep>[?&](?:sig|signature|key|token|code)=)[^&\s'\"]+"), _KEEP),
    # Webhooks: whoever knows the path may post.
    (_pattern(r"(?P<keep>https?://[^\s/'\"]{0,200}hook[^\s/'\"]{0,200}/)[^\s'\"<>]+"), _KEEP),
    (_pattern(r"(?P<keep>https?://[^\s'\"<>]{1,200}/(?:web)?hooks?(?:b2)?/)[^\s'\"<>]+"), _KEEP),
    (_pattern(r"(?P<keep>api\.telegram\.org/bot)[^\s/'\"]+"), _KEEP),
    # NAME=value, "name": "value", name: value, for a secret's name; "Secret access key: value".
    (_pattern(rf"(?P<keep>{_NAME}(?: (?:access )?key)?{_ASSIGNS}){_QUOTED}"), _KEEP),
    (_pattern(rf"(?P<keep>{_NAME}(?: (?:access )?key)?{_ASSIGNS}){_UNQUOTED}"), _KEEP),
    (_pattern(r"(?P<keep>;[ \t]*Pwd[ \t]*=[ \t]*)[^;\s'\"]+"), _KEEP),
    # --name value, -name value, ['--name', 'value']
    (_pattern(rf"(?P<keep>{_OPTION}{_NEXT_WORD}){_QUOTED}"), _KEEP),
    (_pattern(rf"(?P<keep>{_OPTION}{_NEXT_WORD})(?!-)[^\s'\"]{{6,}}"), _KEEP),
    # aws_secret_access_key value, ('aws_secret_access_key', 'value')
    (_pattern(rf"(?P<keep>{_BARE}['\"][ \t]*,[ \t]*[bru]?){_QUOTED}"), _KEEP),
    (_pattern(rf"(?P<keep>{_BARE}[ \t]+['\"]?){_RANDOM}"), _KEEP),
    # Keys of known shape: AWS, GitHub, GitLab, Hugging Face, Slack, Google, Vault, JSON web tokens.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", re.ASCII), MASK),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{20,})", re.ASCII), MASK),
    (re.compile(r"\b(?:glpat-[\w-]{20,}|AIza[\w-]{35}|hv[sb]\.[\w-]{20,})", re.ASCII), MASK),
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
    webhooks, signatures, private keys, and keys of known shape.

    Args:
        text: Any text; of a stream, see :mod:`components.contract.redacted_streams`.
        environment: Variables whose values are masked if their names are a secret's.

    >>> redact("no answer from postgres://me:hunter2@db/mlflow", {})
    'no answer from postgres://***@db/mlflow'
    """
    return redact_known(text, secret_values(environment))


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return what to mask literally: values of secret variables, as they are and as URLs and JSON write them.

    Returns:
        The longest first, as one may hold another. Of a value of several lines also each long line.
    """
    found: set[str] = set()
    for value in [value for name, value in dict(environment).items() if names_a_secret(name)]:
        if len(value) >= SHORTEST_SECRET:
            found |= {value, quote(value, safe="", errors="replace"), json.dumps(value)[1:-1]}
            found |= set(_long_lines(value))
    return sorted(found, key=len, reverse=True)


def redact_known(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without ``secrets``, the longest first, and without what the patterns find."""
    for secret in secrets:
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


def _long_lines(value: str) -> Iterator[str]:
    lines = value.splitlines()
    return (line for line in lines if len(line) >= SHORTEST_LINE and len(lines) > 1)


def _masked(name: str, value: object) -> object:
    return MASK if isinstance(value, str) and names_a_secret(name) else redact_values(value)
