"""Static export: the whole site as files that any browser opens, or as one archive in the object store."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.hashing import files_below
from components.contract.pages import DASHBOARD
from components.dashboard.site import Site
from components.lib.files import atomic_directory, require_replaceable, write_text
from components.lib.objects.protocol import ObjectStore

MARK = "export.txt"
"""File with the names of all others, by which a folder is known as an export of ours."""


def export_site(site: Site, folder: Path) -> int:
    """Write every page, chart and picture into ``folder``.

    Args:
        site: The site.
        folder: New, empty, or an earlier export, which is replaced.

    Returns:
        Number of files.

    Raises:
        ParameterError: If the folder holds something else, beside an earlier export as well.
        ResourceError: If the disk is full or the folder cannot be written.
    """
    _require_own(folder)
    names: list[str] = []
    with atomic_directory(folder) as new:
        for address, content in _files(site):
            path = new / address
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            names.append(address)
        write_text(new / MARK, "".join(f"{name}\n" for name in sorted(names)))
    return len(names)


def publish_site(site: Site, objects: ObjectStore) -> int:
    """Write every page, chart and picture as one archive, in place of the one before.

    Args:
        site: The site.
        objects: Store of ledgers and records.

    Returns:
        Number of files.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    buffer, files = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for address, content in _files(site):
            # Without the time of writing: the same pages are the same bytes.
            archive.writestr(zipfile.ZipInfo(address), content, zipfile.ZIP_DEFLATED)
            files += 1
    objects.put(DASHBOARD, buffer.getvalue())
    return files


def _files(site: Site) -> Iterator[tuple[str, bytes]]:
    for address in site.addresses():
        resource = site.resource(address)
        assert resource is not None, address
        yield address, resource.content


def _require_own(folder: Path) -> None:
    require_replaceable(folder, MARK, "an export of the dashboard")
    if not (folder / MARK).is_file():
        return
    own = {MARK, *(folder / MARK).read_text(encoding="utf-8", errors="replace").splitlines()}
    foreign = [path for path in files_below(folder) if path.relative_to(folder).as_posix() not in own]
    if foreign:
        raise ParameterError(
            f"{folder} holds {foreign[0].name}, which is no part of an export",
            next_step="move it away, or name a new or an empty folder",
        )
