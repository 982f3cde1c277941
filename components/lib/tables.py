"""Strict reading of foreign CSV tables: a file is what its header says, or the line that differs is named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from components.contract.errors import BadDataError
from components.lib.foreign import decode_text, one_line

MAX_FIELD = 4 * 2**20
"""Characters of one field; a polygon of 4 MiB has some 100,000 corners."""

_WRITE_CSV = "write it as comma-separated UTF-8 with one header line and as many fields in every row"

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file that it starts in, counted from 1, and its fields."""

    line: int
    fields: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV table.

    Attributes:
        name: File name, for messages.
        header: Names of the columns without blanks around them.
        rows: All rows that are not blank, in file order; they may have another number of fields than the
            header, see :meth:`even_rows`.
    """

    name: str
    header: tuple[str, ...]
    rows: list[Row]

    def find(self, column: str) -> int | None:
        """Return the index of a column, found whatever its case, or None."""
        names = [name.lower() for name in self.header]
        return names.index(column.lower()) if column.lower() in names else None

    def require(self, columns: Iterable[str]) -> list[int]:
        """Return the indices of ``columns``.

        Raises:
            BadDataError: If one is missing.
        """
        found = {column: self.find(column) for column in columns}
        missing = [column for column, index in found.items() if index is None]
        if missing:
            raise BadDataError(
                f"{self.name} has no column {', '.join(missing)}; its header is "
                f"{one_line(','.join(self.header))[:200]!r}",
                next_step=f"give it a header line with {', '.join(found)}",
            )
        return [index for index in found.values() if index is not None]

    def even_rows(self) -> list[Row]:
        """Return all rows.

        Raises:
            BadDataError: If one has another number of fields than the header, naming its line.
        """
        for row in self.rows:
            if len(row.fields) != len(self.header):
                raise self.bad(row, f"{len(row.fields)} fields, header {len(self.header)}")
        return self.rows

    def bad(self, row: Row, what: str, *, next_step: str = _WRITE_CSV) -> BadDataError:
        """Return the error about ``row``."""
        return BadDataError(f"{self.name}, line {row.line}: {what}", next_step=next_step)


def read_table(content: bytes, name: str) -> Table:
    """Read a comma-separated table.

    Args:
        content: The file's bytes: UTF-8, with or without a byte order mark, any line ends.
        name: File name, for messages.

    Raises:
        BadDataError: If it is empty, in another encoding, quoted wrongly, separated by something else, has a
            field of more than 4 MiB or the same column twice.
    """
    text = decode_text(content, name)
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    line = 1
    try:
        for fields in reader:
            if fields:
                rows.append(Row(line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadDataError(
            f"{name}, line {line}: not a readable CSV: {one_line(error)}", next_step=_WRITE_CSV
        ) from error
    if not rows:
        raise BadDataError(f"{name} is not a readable CSV: it is empty", next_step=_WRITE_CSV)
    header = tuple(one_line(field) for field in rows[0].fields)
    separator = next((_SEPARATORS[mark] for mark in _SEPARATORS if mark in rows[0].fields[0]), "")
    if separator and len(header) == 1:
        raise BadDataError(f"{name} is separated by {separator}, not by commas", next_step=_WRITE_CSV)
    lowered = [field.lower() for field in header]
    twice = next((field for field in header if lowered.count(field.lower()) > 1), None)
    if twice is not None:
        raise BadDataError(f"{name} has the column {twice!r} twice", next_step="keep one of them")
    return Table(name, header, rows[1:])
