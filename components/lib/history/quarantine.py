"""Quarantined tiles of a training: the lists among its outputs, in a checkout or in DVC's remote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from components.contract.errors import BadDataError
from components.lib.objects.content import FOLDER, folder_files, read_content
from components.lib.objects.protocol import ObjectStore
from components.lib.tables import read_table

LIST = "quarantine.csv"
"""Name of a list (``components/validate/verdict.py``)."""

COLUMNS = ("acquisition", "image_id", "product", "rule", "reason")
"""Columns of a list."""

_FOLDER = "validated"
"""Folder of lists: of all tiles, and of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Quarantined tile, by one rule.

    Attributes:
        acquisition: Catalogue id.
        image_id: The tile; a name from outside.
        product: Product that broke the rule.
        rule: Name of the rule.
        reason: Reason in words.
    """

    acquisition: str
    image_id: str
    product: str
    rule: str
    reason: str


def read_refusals(content: bytes, name: str) -> list[Refusal]:
    """Return the rows of a list.

    Args:
        content: Bytes of the CSV table.
        name: Name of the file, for messages.

    Raises:
        BadDataError: If it is no such list.
    """
    try:
        table = read_table(content, name)
        indices = table.require(COLUMNS)
        rows = [[row.fields[index] for index in indices] for row in table.even_rows()]
    except BadDataError as error:
        raise BadDataError(
            f"{name} is no list of tiles: {error.message}", next_step="run the stage that made it again"
        ) from error
    return [Refusal(**dict(zip(COLUMNS, row, strict=True))) for row in rows]


def listed_md5s(remote: ObjectStore, outs: Mapping[str, str]) -> Iterator[str]:
    """Yield the MD5 of each list among outputs, those in folders too.

    Args:
        remote: DVC's remote.
        outs: MD5 of all outputs of a training by path; a folder's ends in ``.dir``.

    Raises:
        MissingInputError: If the list of a folder's files is gone.
        BadDataError: If it is damaged.
    """
    for path, md5 in outs.items():
        if PurePosixPath(path).name == LIST:
            yield md5
        elif md5.endswith(FOLDER) and _FOLDER in PurePosixPath(path).parts:
            inside = folder_files(remote, md5)
            yield from (found for name, found in inside.items() if PurePosixPath(name).name == LIST)


def stored_refusals(remote: ObjectStore, md5s: Iterable[str]) -> list[Refusal]:
    """Return the rows of all lists, each once: the list of all tiles repeats those of the partitions.

    Raises:
        MissingInputError: If a list is gone.
        BadDataError: If one is damaged.
    """
    name = f"{LIST} in {remote.uri}"
    return list(dict.fromkeys(row for md5 in md5s for row in read_refusals(read_content(remote, md5), name)))
