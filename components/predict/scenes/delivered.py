"""Files of a registered delivery's tiles, fetched one by one when their pixels are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field

from components.contract.errors import BadDataError
from components.lib.config.loader import Parameters
from components.lib.disk import require_free_space
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import map_many
from components.lib.objects.sealed import checked
from components.lib.operations.events import Sha256
from components.lib.telling import telling
from components.predict.scenes.inventory import ListedTile
from components.predict.scenes.sources import read_small_file


class _File(Parameters):
    """File of a catalogue entry: its key below the delivery's prefix, bytes and hash."""

    key: str = Field(min_length=1)
    size: int = Field(ge=0)
    sha256: Sha256


class DeliveredTiles:
    """Files of a delivery in the object store, of which those that are needed are fetched.

    Args:
        uri: URI or folder of the delivery's copy.
        entry: Its catalogue entry, which states key, size and hash of every file.
        folder: Folder for what is fetched.

    Raises:
        BadDataError: If the entry does not state its files.
    """

    def __init__(self, uri: str, entry: Mapping[str, Any], folder: Path) -> None:
        self.uri = uri
        self._store = open_objects(uri)
        self._folder = folder
        files = checked(entry.get("objects"), tuple[_File, ...], name=f"the catalogue entry of {uri}")
        self._files = {(PurePosixPath(file.key).name, file.sha256): file for file in files}

    def require(self, tiles: Iterable[ListedTile]) -> None:
        """Check that the entry states all of these tiles with these hashes.

        Raises:
            BadDataError: If it does not: something wrote to the copy after the registration.
        """
        for tile in tiles:
            self._file(tile)

    def fetch(self, tiles: Sequence[ListedTile]) -> None:
        """Fetch the files of tiles, side by side, unless they are here.

        Raises:
            BadDataError: If one has other bytes than were registered.
            MissingInputError: If one is gone.
            ResourceError: If the disk cannot take them.
            SourceUnavailableError: If the object store does not answer.
        """
        wanted = {tile.sha256: tile for tile in tiles if not self._path(tile).is_file()}
        if not wanted:
            return
        total = sum(self._file(tile).size for tile in wanted.values())
        require_free_space(self._folder, total)
        with telling(f"fetch {self.uri}", total, "B", scale=True) as advance:

            def fetch(tile: ListedTile) -> None:
                self._download(tile)
                advance(self._file(tile).size)

            map_many(self._store, fetch, list(wanted.values()))

    def load(self, tile: ListedTile) -> bytes:
        """Return the bytes of a tile, fetched if they are not here; raises as :meth:`fetch`."""
        if not self._path(tile).is_file():
            self._download(tile)
        return read_small_file(self._path(tile), tile.name)

    def _download(self, tile: ListedTile) -> None:
        self._store.download(self._file(tile).key, self._path(tile), sha256=tile.sha256)

    def _path(self, tile: ListedTile) -> Path:
        return self._folder / f"{tile.sha256}.tif"

    def _file(self, tile: ListedTile) -> _File:
        try:
            return self._files[tile.name, tile.sha256]
        except KeyError:
            raise BadDataError(
                f"{tile.name} of {self.uri} is not the file that was registered: it has the hash "
                f"{tile.sha256[:12]}",
                next_step="find out what changed the delivered files; withdraw the acquisition, and land it "
                "again under a new id",
            ) from None
