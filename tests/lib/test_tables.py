"""Strict CSV: a file is what its header says."""

from __future__ import annotations

import pytest

from components.contract.errors import BadDataError
from components.lib.tables import read_table


@pytest.mark.parametrize(
    "content",
    [
        b"A,B\n1,2\n\n3,4\n",
        b"\xef\xbb\xbfA,B\r\n1,2\r\n\r\n3,4\r\n",
        b"A , B\r1,2\r\r3,4",
    ],
)
def test_line_ends_marks_and_blank_lines_make_no_difference(content: bytes) -> None:
    table = read_table(content, "t.csv")
    assert table.header == ("A", "B")
    assert [(row.line, row.fields) for row in table.even_rows()] == [(2, ["1", "2"]), (4, ["3", "4"])]
    assert table.require(("b", "a")) == [1, 0]


def test_a_row_of_several_lines_is_named_by_its_first() -> None:
    table = read_table(b'A,B\n"1\n1",2\n3\n', "t.csv")
    with pytest.raises(BadDataError, match=r"t\.csv, line 4: 1 fields, header 2"):
        table.even_rows()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b,A\n", "'a' twice"),
        (b"a\tb\n1\t2\n", "is separated by tabs"),
        (b'a,b\n1,"2', "line 2: not a readable CSV"),
        (b'a,b\n1,2\n1,"2"3\n', "line 3: not a readable CSV"),
        (b"a,b\n" + b"1" * (5 << 20) + b",2\n", "line 2: not a readable CSV: field larger"),
        ("a,b\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,\xe9\n", "line 2: byte 0xe9 is no UTF-8"),
        (b"a,b\n1,\0\n", "line 2: a NUL character"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_line(content: bytes, says: str) -> None:
    with pytest.raises(BadDataError, match=rf"t\.csv.*{says}"):
        read_table(content, "t.csv")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(BadDataError, match=r"t\.csv has no column x, y; its header is 'a:b'"):
        read_table(b"a:b\n", "t.csv").require(("x", "y"))
