"""Reference of a champion: statistics of the tiles that it was trained on, kept beside its files.

It lies where the model's bundle lies (:mod:`components.lib.catalogue.bundles`), below the hash of its
model.json, and is created once: ``drift.parquet``, and then ``drift.json``, sealed, with the table's hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from components.contract.drift import DRIFT_NOTE, DRIFT_TABLE
from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.contract.hashing import sha256_bytes
from components.contract.keys import CHAMPIONS, model_bundle_prefix
from components.lib.drift.tiles import MOST_BYTES, TileStatistics, decoded, encoded
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed, read_sealed
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, champion_of, pinned_files

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceNote:
    """Sealed note about a reference.

    Attributes:
        kind: Always ``drift reference``.
        model: Registered model.
        table_sha256: SHA-256 of ``drift.parquet``.
        acquisitions: Acquisitions in it, sorted.
        tiles: Number of tiles.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    kind: Literal["drift reference"] = "drift reference"
    model: str
    table_sha256: Sha256
    acquisitions: tuple[str, ...]
    tiles: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Statistics that acquisitions are compared with.

    Attributes:
        tiles: The statistics.
        sha256: SHA-256 of their parquet file.
        model: Registered model that was trained on the tiles; None of a file.
        version: Its version; None of a file.
    """

    tiles: TileStatistics
    sha256: str
    model: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Champion:
    """Champion of a registered model: its version, and the prefix of its files in the object store."""

    model: str
    version: str
    prefix: str


def find_champion(objects: ObjectStore, model: str) -> Champion:
    """Return the champion of a model, as its ledger has it.

    Raises:
        MissingInputError: If the model has none.
        BadDataError: If the ledger is broken, or written by code that did not note the files.
    """
    ledgers = ChampionLedgers(objects, CHAMPIONS)
    entries = ledgers.of(model).entries()
    version = champion_of(entries)
    if version is None:
        others = ", ".join(_with_champion(objects, ledgers))
        named = f"; name another model that has one ({others})" if others else ""
        raise MissingInputError(
            f"{model} has no champion",
            next_step="where the gate refused it, reports/promote/decision.txt has its reasons"
            f"{named}; or compare with a file: `python -m components.drift reference --out FILE`, "
            "then `compare --reference FILE`",
        )
    return champion_at(model, version, entries)


def _with_champion(objects: ObjectStore, ledgers: ChampionLedgers) -> list[str]:
    """Return the models that have a champion; one whose ledger cannot be read is left out."""
    found: list[str] = []
    with suppress(StormsightError):
        for model in objects.folders(f"{CHAMPIONS}/"):
            with suppress(StormsightError):
                if champion_of(ledgers.of(model).entries()) is not None:
                    found.append(model)
    return found


def champion_at(model: str, version: str, entries: Sequence[ChampionEntry]) -> Champion:
    """Return a version that is, or was, the champion of a model, by the entries of its ledger.

    Raises:
        BadDataError: If they were written by code that did not note the files.
    """
    signature = pinned_files(entries, version).get("model.json")
    if signature is None:
        raise BadDataError(
            f"{model} version {version}: the ledger does not name its files",
            next_step="give the reference as a file, with --reference",
        )
    return Champion(model, version, model_bundle_prefix(model, signature))


def keep_reference(objects: ObjectStore, champion: Champion, tiles: TileStatistics) -> ReferenceNote:
    """Keep the reference of a champion; one that is there already must be the same.

    The first table stands: where its note is missing, as another process ended before it wrote one or is
    about to, the note is made of the table that is there.

    Args:
        objects: Store of the model's files.
        champion: The champion.
        tiles: Statistics of the tiles that it was trained on.

    Raises:
        ParameterError: If there is no tile.
        BadDataError: If it has another one, or the tiles' table could not be read again.
    """
    if tiles.table.empty:
        raise ParameterError(
            f"no tile is left for the reference of {champion.model} version {champion.version}",
            next_step="give the features of the tiles that it was trained on",
        )
    content = encoded(tiles)
    try:
        note = _read_note(objects, champion)
    except MissingInputError:
        note = _write(objects, champion, content, tiles)
    if note.table_sha256 != sha256_bytes(content):
        raise BadDataError(
            f"{champion.model} version {champion.version} has another reference already",
            next_step="a reference is made once, from the tiles of the training; keep it",
        )
    objects.create(f"{champion.prefix}{DRIFT_TABLE}", content)  # it may have been lost
    read_reference(objects, champion)
    return note


def _write(objects: ObjectStore, champion: Champion, content: bytes, tiles: TileStatistics) -> ReferenceNote:
    """Write table and note, or the note alone of a table that is there; return the note that stands."""
    key = f"{champion.prefix}{DRIFT_TABLE}"
    if not objects.create(key, content):
        content = _read_table(objects, key)
        try:
            tiles = decoded(content, f"{objects.uri}/{key}")
        except BadDataError as error:
            raise BadDataError(error.message, next_step="remove it, then make the reference again") from error
    note = ReferenceNote(
        model=champion.model,
        table_sha256=sha256_bytes(content),
        acquisitions=tuple(sorted(set(tiles.table["acquisition"]))),
        tiles=len(tiles.table),
    )
    create_sealed(objects, f"{champion.prefix}{DRIFT_NOTE}", asdict(note))
    return _read_note(objects, champion)


def _read_note(objects: ObjectStore, champion: Champion) -> ReferenceNote:
    return read_sealed(objects, f"{champion.prefix}{DRIFT_NOTE}", ReferenceNote)


def read_reference(objects: ObjectStore, champion: Champion) -> Reference:
    """Return the reference of a champion.

    Raises:
        MissingInputError: If it has none.
        BadDataError: If it is damaged, or no table of statistics.
    """
    key = f"{champion.prefix}{DRIFT_TABLE}"
    try:
        note = _read_note(objects, champion)
        content = _read_table(objects, key)
    except MissingInputError as error:
        raise MissingInputError(
            f"{champion.model} version {champion.version} has no reference",
            next_step=f"make it with `python -m components.drift reference --model {champion.model}`",
        ) from error
    name = f"{objects.uri}/{key}"
    if sha256_bytes(content) != note.table_sha256:
        raise BadDataError(
            f"{name} is not the table whose SHA-256 is noted", next_step="restore it from a backup"
        )
    return Reference(
        tiles=decoded(content, name),
        sha256=note.table_sha256,
        model=champion.model,
        version=champion.version,
    )


def _read_table(objects: ObjectStore, key: str) -> bytes:
    """Return a table; of one that is too large a part, which has another hash and is no table."""
    content = bytearray()
    for chunk in objects.chunks(key):
        content += chunk
        if len(content) > MOST_BYTES:
            break
    return bytes(content)
