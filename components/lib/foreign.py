"""Reading of foreign input: text, JSON, and one seam for whatever a library raises on it.

Files from outside may hold anything, and the libraries that parse them raise far more than they document.
:func:`judged` is the one place that turns such an exception into a :class:`BadDataError` about that file, so
that the caller can refuse one tile, row or archive and go on with the others.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from typing import Any

from components.contract.errors import BadDataError, StormsightError
from components.lib.disk import resource_failure

REFETCH = "fetch the file again, or leave it out"

_OTHER_ENCODINGS = (
    (BOM_UTF32_LE, "UTF-32"),
    (BOM_UTF32_BE, "UTF-32"),
    (BOM_UTF16_LE, "UTF-16"),
    (BOM_UTF16_BE, "UTF-16"),
)
_SAVE_AS_UTF8 = "save the file as UTF-8"
_LONGEST_REASON = 400
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

_LOG = logging.getLogger(__name__)


@contextmanager
def judged(name: str, *, next_step: str = REFETCH) -> Iterator[None]:
    """Turn whatever is raised while foreign input is judged into a verdict about that input.

    Args:
        name: File, row or archive, for the message.
        next_step: Advice of the message.

    Raises:
        BadDataError: Instead of any exception that is neither one of ours nor the machine's fault
            (``OSError``, ``MemoryError``). A bare ``OSError`` without a number is not: pyarrow raises it on a
            damaged file. The exception and its place go to the log, as it may be a defect of our own.
    """
    try:
        yield
    except StormsightError:
        raise
    except Exception as error:
        if isinstance(error, OSError | MemoryError) and not _about_content(error):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        _LOG.debug("%s: %r in %s line %s", name, error, place.filename, place.lineno)
        raise BadDataError(
            f"{name} cannot be read: {one_line(error) or type(error).__name__}", next_step=next_step
        ) from error


def _about_content(error: BaseException) -> bool:
    """Return whether an ``OSError`` is what a library says of a file's content, not the machine of itself."""
    if isinstance(error, BadGzipFile):
        return True
    return type(error) is OSError and error.errno is None and resource_failure(error) is None


def one_line(value: object) -> str:
    """Return the text of ``value`` without control characters, at most 400 characters long."""
    text = _CONTROL.sub(" ", str(value)).strip()
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."


def decode_text(content: bytes, name: str) -> str:
    """Decode UTF-8 text, with or without a byte order mark; line ends stay as they are.

    Args:
        content: The file's bytes.
        name: File name, for messages.

    Raises:
        BadDataError: If it is in another encoding or holds a NUL character, naming the line.
    """
    for mark, encoding in _OTHER_ENCODINGS:
        if content.startswith(mark):
            raise BadDataError(f"{name} is {encoding} text, not UTF-8", next_step=_SAVE_AS_UTF8)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadDataError(
            f"{name}, line {line}: byte 0x{content[error.start]:02x} is no UTF-8; the file may have been "
            "saved as Windows-1252 or Latin-1",
            next_step=_SAVE_AS_UTF8,
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadDataError(
            f"{name}, line {line}: a NUL character; the file is binary, or UTF-16", next_step=_SAVE_AS_UTF8
        )
    return text


def read_json_text(content: bytes, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON text.

    Raises:
        BadDataError: If it is no UTF-8 JSON, has a key twice, or nests deeper than the parser goes (about
            1,000 levels).
    """
    text = decode_text(content, name)
    try:
        return json.loads(text, object_pairs_hook=_mapping)
    except RecursionError as error:
        raise BadDataError(f"{name} is not JSON: it nests too deep", next_step=REFETCH) from error
    except ValueError as error:
        raise BadDataError(f"{name} is not JSON: {one_line(error)}", next_step=REFETCH) from error


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the mapping of a JSON object; raise if a key stands there twice: which value is meant?"""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:40]!r} stands there twice")
    return found
