"""Files of a release, known by their paths alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from components.contract.errors import BadDataError
from components.download.catalogue import CatalogueEntry
from components.lib.datasets.base import Dataset
from components.lib.datasets.sensors import dataset_of

_SAFE_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$")


@dataclass(frozen=True, slots=True)
class ReleasePath:
    """A file that belongs to the release.

    Attributes:
        name: Bare file name.
        product: Name of the product, as the data set declares it.
        folder: The product's folder in the release.
        strip: Overflight that the tile was cut from; empty for summary files.
        tile: Tile number; -1 for summary files.
    """

    name: str
    product: str
    folder: str
    strip: str = ""
    tile: int = -1

    @property
    def member(self) -> str:
        """Name inside the shard: the product's folder and the file name, whatever the source's layout."""
        return f"{self.folder}/{self.name}"


def classify(path: str, dataset: Dataset) -> ReleasePath | None:
    """Describe ``path``; ``None`` for anything that is not part of the release (folders, stray files)."""
    name = PurePosixPath(path).name
    product = dataset.product_of(path)
    if _SAFE_NAME.match(name) is None or product is None:
        return None
    folder = dataset.folder(product)
    if product == dataset.summaries.product:
        return ReleasePath(name, product, folder)
    tile = dataset.parse(name)
    return ReleasePath(name, product, folder, tile.strip, tile.tile)


def wanted(entry: CatalogueEntry, path: str) -> ReleasePath | None:
    """Describe ``path`` if the entry asks for it: below its prefix, of its products, listed if closed."""
    if not path.startswith(entry.prefix) or (entry.closed and path not in entry.by_key):
        return None
    found = classify(path, dataset_of(entry.sensor))
    return found if found is not None and found.product in entry.products else None


def check_complete(entry: CatalogueEntry, files: Iterable[ReleasePath]) -> str | None:
    """Return why ``files`` are not the whole acquisition (a missing product, too few tiles), or ``None``."""
    found = list(files)
    present = {file.product for file in found}
    missing = [product for product in entry.products if product not in present]
    if missing:
        return f"no {', '.join(missing)} file below {entry.prefix or 'its root'}"
    if entry.closed and len(found) < len(entry.objects):
        return f"{len(found)} of {len(entry.objects)} files"
    sar = dataset_of(entry.sensor).sar.name
    tiles = {(file.strip, file.tile) for file in found if file.product == sar}
    if entry.tiles is not None and len(tiles) < entry.tiles:
        return f"{len(tiles)} of {entry.tiles} tiles"
    return None


def completing(entry: CatalogueEntry, otherwise: str) -> str:
    """Return the advice for a source that is incomplete.

    Args:
        entry: The catalogue entry.
        otherwise: Advice for an entry that says where a release is, and not which files it has.
    """
    if not entry.closed:
        return otherwise
    return (
        f"an object of {entry.source} was removed or has expired: restore it from a backup or an older "
        f"version, or withdraw the acquisition (`python -m components.acquisitions withdraw "
        f"{entry.id} --reason ...`)"
    )


class UniqueNames:
    """Refuses a second file of the same name: joins by name would pick either.

    Raises:
        BadDataError: From :meth:`add`, naming both paths.
    """

    def __init__(self, acquisition: str) -> None:
        self._acquisition = acquisition
        self._seen: dict[str, str] = {}

    def add(self, name: str, path: str) -> None:
        """Record that ``path`` carries ``name``."""
        if name in self._seen:
            raise BadDataError(
                f"{self._acquisition}: {name} comes twice, as {self._seen[name]} and {path}",
                next_step="set the entry's prefix to the folder of one of them",
            )
        self._seen[name] = path
