"""Text, JSON and the seam of judgements."""

from __future__ import annotations

from gzip import BadGzipFile

import pytest

from components.contract.errors import BadDataError, ResourceError
from components.lib.foreign import decode_text, judged, one_line, read_json_text


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"), RecursionError(), OverflowError("big"), BadGzipFile("no"), SystemError("s"),
        OSError("Couldn't deserialize thrift"),
    ],
)  # fmt: skip
def test_whatever_a_library_raises_becomes_a_verdict(error: Exception) -> None:
    with pytest.raises(BadDataError, match=r"^tile_7 cannot be read: ") as caught, judged("tile_7"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ResourceError("disk", next_step=""), OSError(28, "full"), MemoryError(), KeyboardInterrupt(),
        OSError("write failed: No space left on device"), TimeoutError(),
    ],
)  # fmt: skip
def test_what_is_no_matter_of_the_file_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), judged("tile_7"):
        raise error


def test_messages_are_one_printable_line() -> None:
    assert one_line("a\n\x00b\x1b[31m") == "a b [31m"
    assert len(one_line("x" * 10_000)) < 410


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "cp1252"])
def test_other_encodings_are_refused_by_name(encoding: str) -> None:
    with pytest.raises(BadDataError, match=r"f\.txt.*UTF"):
        decode_text("Größe".encode(encoding), "f.txt")


def test_the_byte_order_mark_goes_and_line_ends_stay() -> None:
    assert decode_text(b"\xef\xbb\xbfa\r\nb", "f.txt") == "a\r\nb"


def test_a_key_that_stands_twice_in_json_is_refused_by_name() -> None:
    with pytest.raises(BadDataError, match=r"f\.json is not JSON: the key 'features' stands there twice"):
        read_json_text(b'{"features": [1], "a": {"b": 1}, "features": []}', "f.json")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"{", b"1" * 10_000, b"\xff"])
def test_json_that_cannot_be_read_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(BadDataError, match=r"f\.json"):
        read_json_text(content, "f.json")
