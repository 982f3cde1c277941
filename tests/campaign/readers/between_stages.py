"""Tables that one stage leaves for the next: the manifest of download, the quarantine of validate."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa

from components.lib.shards.manifest import MANIFEST
from tests.campaign.mutations import BINARY, TEXT, mutate_bytes
from tests.campaign.readers.stages import Damaged, Fate, StageReader
from tests.campaign.strict_csv import NotStrictError, read_rows
from tests.campaign.world import ACQUISITION, LABELS, SUMMARY, Release

_QUARANTINE = Path("data/validated/p00/quarantine.csv")
_STRANGE = ("removed", "a folder", "a dangling link", "a link to itself", "another file")


class QuarantineTables(StageReader):
    """quarantine.csv before prepare: the tiles that it names stay out, the others are stored."""

    name = "quarantine"
    stages = ("prepare",)
    names = ("quarantine.csv", "no tile is left")

    def write(self, folder: Path, release: Release) -> None:
        """Write what download leaves, and an empty quarantine."""
        super().write(folder, release)
        (folder / _QUARANTINE).parent.mkdir(parents=True)
        (folder / _QUARANTINE).write_text("acquisition,image_id,product,rule,reason\n")

    def damage(self, rng: Random, folder: Path) -> Damaged:
        """Quarantine two tiles of four; damage the table's bytes, a row, or the file."""
        self.write(folder, self.release)
        path = folder / _QUARANTINE
        content = self._table()
        kind = rng.random()
        if kind < 0.15:
            path.write_bytes(content)
            return Damaged(f"quarantine.csv is {_replace(rng, path)}", must=True)
        described, changed = (
            mutate_bytes(rng, content, TEXT) if kind < 0.55 else _row(rng, content, self.image_ids)
        )
        path.write_bytes(changed)
        keys = read_keys(changed)
        known = {(ACQUISITION, image_id) for image_id in self.image_ids}
        if keys is None or not keys <= known or keys == known:
            return Damaged(described, must=True)
        return Damaged(described, {image_id: Fate.OUT for _, image_id in keys}, must=False)

    def _table(self) -> bytes:
        reasons = ('SAR: sar_nan: NaN is 7, allowed is "0"', "labels: two,\nlines")
        rows = [
            (ACQUISITION, self.image_ids[n], "SAR", "r", reason)
            for n, reason in zip((0, 3), reasons, strict=True)
        ]
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([("acquisition", "image_id", "product", "rule", "reason"), *rows])
        return buffer.getvalue().encode()


def read_keys(content: bytes) -> set[tuple[str, str]] | None:
    """Read a quarantine table independently; None if it is none."""
    try:
        rows = read_rows(content)
    except NotStrictError:
        return None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if not {"acquisition", "image_id"} <= set(header) or len(set(header)) < len(header):
        return None
    if any(len(row) != len(header) for row in rows):
        return None
    return {(row[header.index("acquisition")], row[header.index("image_id")]) for row in rows[1:]}


def _row(rng: Random, content: bytes, image_ids: list[str]) -> tuple[str, bytes]:
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    number = rng.choice((1, 2))
    row = rows[number]
    kinds: dict[str, list[list[str]]] = {
        "removed": [],
        "twice": [row, row],
        "without a tile": [[row[0], "", *row[2:]]],
        "without an acquisition": [["", *row[1:]]],
        "of another acquisition": [["other", *row[1:]]],
        "of another tile": [[row[0], image_ids[1], *row[2:]]],
        "of a tile that is not there": [[row[0], f"{row[1]}0", *row[2:]]],
        "with blanks around the tile": [[row[0], f" {row[1]} ", *row[2:]]],
        "in capitals": [[row[0].upper(), *row[1:]]],
        "with a field more": [[*row, "more"]],
        "with a field less": [row[:-1]],
        "of all tiles": [[row[0], image_id, *row[2:]] for image_id in image_ids],
        "with a reason of a million letters": [[*row[:-1], "x" * 1_000_000]],
        "with a reason of ten million letters": [[*row[:-1], "x" * 10_000_000]],
    }
    kind = rng.choice([*kinds, "header renamed", "columns turned", "column twice"])
    if kind == "header renamed":
        rows[0][rng.randrange(2)] = rng.choice(("tile", "", "IMAGE_ID ", "acquisition"))
    elif kind == "columns turned":
        rows = [line[::-1] for line in rows]
    elif kind == "column twice":
        rows = [[*line, line[0]] for line in rows]
    else:
        rows[number : number + 1] = kinds[kind]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=rng.choice(("\n", "\r\n"))).writerows(rows)
    return f"row {number} {kind}", buffer.getvalue().encode()


def _replace(rng: Random, path: Path) -> str:
    """Put something else in the place of a file; return what."""
    kind = rng.choice(_STRANGE)
    content = path.read_bytes()
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "another file":
        path.write_bytes(content[::-1])
    elif kind != "removed":
        path.symlink_to("nowhere" if kind == "a dangling link" else path.name)
    return kind


class Manifests(StageReader):
    """manifest.parquet before validate: a tile is stored as undisturbed or not at all."""

    name = "manifest"
    names = ("manifest", "data/raw", "tile", "acquisition", "sensor", "shard", "quarantine.csv", "summary")

    def damage(self, rng: Random, folder: Path) -> Damaged:
        """Damage the manifest's bytes, its columns, a cell, its rows, or the file."""
        self.write(folder, self.release)
        path = folder / "data/raw/p00" / MANIFEST
        kind = rng.choice(("bytes", "bytes", "cell", "cell", "cell", "columns", "rows", "file"))
        if kind == "bytes":
            described, content = mutate_bytes(rng, path.read_bytes(), BINARY)
            path.write_bytes(content)
            return Damaged(described, usual=Fate.EITHER)
        if kind == "file":
            return Damaged(f"manifest.parquet is {_replace(rng, path)}", must=True)
        table = pd.read_parquet(path)
        if kind == "columns":
            return _columns(rng, table, path)
        return _rows(rng, table, path) if kind == "rows" else self._cell(rng, table, path)

    def _cell(self, rng: Random, table: pd.DataFrame, path: Path) -> Damaged:
        column = rng.choice(list(table.columns))
        number = rng.randrange(len(table))
        row = table.iloc[number]
        value = _odd(rng, column, row[column])
        described = f"{column} of {row['name']} is {value!r}"[:120]
        same = str(value) == str(row[column]) or column == "source"
        changed = table[column].astype(object)
        changed.iloc[number] = value
        _write(table.assign(**{column: changed}), path)
        if value is None:
            return Damaged(described, must=True)
        if row["product"] == SUMMARY or column in ("acquisition", "sensor"):
            return Damaged(described, usual=Fate.SAME if same else Fate.EITHER)
        # Without its file of labels a tile takes those of the summary CSV.
        fate = Fate.PIXELS if row["product"] == LABELS else Fate.EITHER
        return Damaged(described, {} if same else {f"{row['strip']}_tile_{row['tile']}": fate})


def _odd(rng: Random, column: str, value: Any) -> Any:
    if column in ("tile", "size", "offset"):
        return rng.choice((None, 0, -1, int(value) + 1, int(value) - 1, 2**31 - 1, 2**62, "7", 0.5))
    text = str(value)
    return rng.choice(
        (
            *(None, "", " ", f"{text} ", text.upper(), text[:-1], "../" * 3 + "x", "/etc/passwd", "\0"),
            *("x" * 70_000, "\n", "é\u202e", "simulated-spaceborne", "Buildings", "nan", 7),
        )
    )


def _columns(rng: Random, table: pd.DataFrame, path: Path) -> Damaged:
    column = rng.choice(list(table.columns))
    kind = rng.choice(("removed", "renamed", "as text", "as bytes", "of lists", "more", "turned round"))
    if kind == "removed":
        table = table.drop(columns=column)
    elif kind == "renamed":
        table = table.rename(columns={column: column.upper()})
    elif kind == "as text":
        table[column] = table[column].astype(str)
    elif kind == "as bytes":
        table[column] = [str(value).encode() for value in table[column]]
    elif kind == "of lists":
        table[column] = [[value] for value in table[column]]
    elif kind == "more":
        table["more"] = 1
    else:
        table = table[list(table.columns)[::-1]]
    table.to_parquet(path, index=False)
    must = True if kind in ("removed", "renamed", "of lists") else None
    return Damaged(f"column {column} {kind}", must=must)


def _rows(rng: Random, table: pd.DataFrame, path: Path) -> Damaged:
    """Remove, repeat, exchange or reorder rows."""
    number = rng.randrange(len(table))
    row = table.iloc[[number]]
    name = str(row["name"].iloc[0])
    other = table.iloc[[rng.randrange(len(table))]]
    kind = rng.choice(("removed", "twice", "none left", "turned round", "with the place of another"))
    if kind == "removed":
        table = table.drop(index=table.index[number])
    elif kind == "twice":
        table = pd.concat([table, row])
    elif kind == "none left":
        table = table.iloc[:0]
    elif kind == "turned round":
        table = table.iloc[::-1]
    else:
        place = ["shard", "offset", "size", "sha256"]
        table.loc[table.index[number], place] = other[place].iloc[0].to_list()
        name = f"{name}, {other['name'].iloc[0]}"
    _write(table, path)
    if kind in ("none left", "turned round"):
        return Damaged(f"rows {kind}", must=kind == "none left" or None)
    mine = f"{row['strip'].iloc[0]}_tile_{row['tile'].iloc[0]}"
    whole = row["product"].iloc[0] == SUMMARY
    # Without its labels, or with those of another tile, a tile keeps its images and is without buildings.
    return Damaged(f"row of {name} {kind}", {mine: Fate.PIXELS}, usual=Fate.PIXELS if whole else Fate.SAME)


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write a table whose cells may not fit its columns."""
    try:
        table.to_parquet(path, index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        table.map(lambda cell: None if cell is None else str(cell)).to_parquet(path, index=False)
