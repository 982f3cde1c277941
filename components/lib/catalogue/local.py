"""Catalogue of a folder of maps on a disk: one document that links to the item of each."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import BadDataError
from components.contract.keys import CATALOG, ITEM
from components.lib.catalogue.documents import LARGEST_ITEM, catalog, encode, link, read_item
from components.lib.files import atomic_file


def catalogue_folder(out: Path) -> int:
    """Write ``catalog.json`` into a folder that holds a folder for each map; return the number of maps.

    It is made anew from the items that there are. A folder without an item, or with one that is none, is left
    out: a map that is not finished has no item.

    Args:
        out: Folder of the maps' folders.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
    links = [link("root", CATALOG, of=CATALOG)]
    for path in sorted(out.glob(f"*/{ITEM}")):
        title = _title(path)
        if title is not None:
            links.append(link("item", path.relative_to(out).as_posix(), of=CATALOG, title=title))
    count = len(links) - 1
    with atomic_file(out / CATALOG) as temporary:
        temporary.write_bytes(encode(catalog("stormsight", f"{count} maps of buildings.", links)))
    return count


def _title(path: Path) -> str | None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_ITEM:
        return None
    try:
        item = read_item(path.read_bytes(), name=str(path))
    except BadDataError:
        return None
    return str(item["properties"].get("title") or item.get("id"))
