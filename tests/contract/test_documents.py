"""A file of parameters is named with its line; no message repeats all that is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.contract.documents import nearest, read_yaml, refuse_unknown, require_mapping, shown
from components.contract.errors import ParameterError


def refusal(path: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        read_yaml(path)
    assert len(str(caught.value)) < 600 + 2 * len(str(path))
    assert path.name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_text_is_utf8_with_or_without_a_byte_order_mark(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"{mark}# Läufe für Köln\r\nprofile: a\r\n", encoding="utf-8")
    assert read_yaml(path) == {"profile": "a"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\n# Läufe für Köln\n".encode("cp1252"), "line 2: not UTF-8 text: byte 0xe4"),
        ("a: 1\n".encode("utf-16"), "line 1: not UTF-8 text: it is UTF-16"),
        ("a: 1\n".encode("utf-16-le"), "params.yaml: it is not valid YAML"),
        (b"", "must be a mapping (it is empty)"),
        (b"- 1\n", "must be a mapping (got [1])"),
        (b"x" * 9000, "must be a mapping (got 'xxx"),
        (b"a: 1\0", "not valid YAML"),
        (b"a: '" + b"x" * (10 << 20), "is larger than 1048576 bytes"),
        (b"a: '" + b"x" * 900_000 + b"'", "longer than 10000 characters"),
        (b"a: &a [" + b"x," * 40_000 + b"]\nb: [*a, *a, *a]\n", "line 2: it holds more than 100000 values"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    assert words in refusal(path)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    assert "not found" in refusal(tmp_path / "absent.yaml")
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refusal(tmp_path / "pipe")
    with pytest.raises(ParameterError, match="cannot be read: File name too long"):
        read_yaml(tmp_path / ("x" * 5000))


def test_messages_are_short() -> None:
    for value in ("x" * 10_000_000, ["x" * 1000] * 1000, {"x" * 1000: "y" * 1000}, 10**4000):
        assert len(shown(value)) <= 90
    assert shown("many") == "'many'"
    assert nearest("x" * 1_000_000, ["x"]) == ""
    with pytest.raises(ParameterError) as caught:
        refuse_unknown({"x" * 10_000: 1}, ["profile"], "params.yaml")
    assert len(str(caught.value)) < 300
    with pytest.raises(ParameterError, match=r"profiles: must be a mapping \(got \['a'"):
        require_mapping(["a"] * 1000, "profiles")
