"""Pages of a run: reports and plots, fetched out of DVC's remote into a folder."""

from __future__ import annotations

import logging
import webbrowser
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from components.contract.documents import nearest
from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import RUNS, is_key
from components.lib.files import atomic_directory, require_replaceable, write_json
from components.lib.objects.content import FOLDER, download_content, folder_files
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.plan import RunPlan, read_plan
from components.lib.operations.records import Records, StageRecord
from components.runs.environment import Environment

LOG = logging.getLogger(__name__)

REPORTS = "reports"
"""Folder of a workspace that stages leave their pages in."""

SUFFIXES = frozenset({".html", ".css", ".txt", ".json", ".csv", ".md", ".svg", ".png"})
"""Ends of the files that are pages, or that pages are read with; tables of all tiles are not."""

MARK = ".pages.json"
"""File that marks a folder as written here, so that it may be replaced."""


def fetch_pages(environment: Environment, run: str, folder: Path) -> list[Path]:
    """Fetch the pages of a run into ``folder``, whole or not at all.

    Args:
        environment: Settings of the command.
        run: Key-safe name of the run.
        folder: Folder to make; one that this command made before is replaced.

    Returns:
        The index pages; of a run that made no page, its other files.

    Raises:
        ParameterError: If ``folder`` holds anything else.
        MissingInputError: If there is no such run, no stage of it has left pages yet, or they were pruned.
        BadDataError: If a record or a page is damaged.
        SourceUnavailableError: If a store does not answer.
        ResourceError: If the folder cannot be written.
    """
    require_replaceable(folder, MARK, "fetched pages")
    plan = _known_plan(environment.objects, run)
    remote = open_objects(environment.remote)
    records = Records(environment.objects, plan.key).stages()
    with _pruned_pages(run, remote):
        pages = page_outputs(remote, outputs(records.values()))
    if not pages:
        raise _not_finished(run, records)
    with _pruned_pages(run, remote), atomic_directory(folder) as temporary:
        _download(remote, pages, temporary)
        write_json(temporary / MARK, {"run": run, "key": plan.key, "pages": pages})
    indices = [path for path in pages if PurePosixPath(path).name == "index.html"]
    return [folder / path for path in sorted(indices or pages)]


def open_page(page: Path) -> None:
    """Open a page in a browser; where none can be started, the log says so."""
    if not webbrowser.open(page.absolute().as_uri()):
        LOG.warning("no browser could be started: open %s", page)


def outputs(records: Iterable[StageRecord]) -> dict[str, str]:
    """Return the MD5 of all outputs of recorded stages by path; a folder's ends in ``.dir``."""
    return {
        out["path"]: out["md5"]
        for record in records
        for out in record.lock.get("outs", [])
        if isinstance(out.get("md5"), str)
    }


def page_outputs(remote: ObjectStore, outs: Mapping[str, str]) -> dict[str, str]:
    """Return the MD5 of the pages among outputs by path, the files of folders that hold a page included.

    Raises:
        MissingInputError: If the list of a folder's files is gone.
        BadDataError: If it is damaged, or a path leaves the folder.
    """
    found: dict[str, str] = {}
    for path, md5 in outs.items():
        if not is_key(path):
            raise BadDataError(
                f"a record names the output {path!r}", next_step="find out who wrote to the object store"
            )
        if PurePosixPath(path).parts[0] != REPORTS:
            continue
        if not md5.endswith(FOLDER):
            found[path] = md5
            continue
        inside = folder_files(remote, md5)
        if any(PurePosixPath(name).suffix == ".html" for name in inside):
            found |= {f"{path}/{name}": content for name, content in inside.items()}
    return {path: md5 for path, md5 in found.items() if PurePosixPath(path).suffix in SUFFIXES}


def _download(remote: ObjectStore, pages: Mapping[str, str], folder: Path) -> None:
    def fetch(page: tuple[str, str]) -> None:
        path = folder / page[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        download_content(remote, page[1], path)

    with ThreadPoolExecutor(max(1, remote.readers)) as pool:
        list(pool.map(fetch, pages.items()))


@contextmanager
def _pruned_pages(run: str, remote: ObjectStore) -> Iterator[None]:
    """Say that what a run's records name, and the remote lacks, was pruned."""
    try:
        yield
    except MissingInputError as error:
        raise MissingInputError(
            f"run {run}: its pages are gone from {remote.uri} ({error.message})",
            next_step="they were pruned: a new run of the same set makes them anew, or restore the objects "
            "from a backup",
        ) from error


def _known_plan(objects: ObjectStore, run: str) -> RunPlan:
    try:
        return read_plan(objects, run)
    except MissingInputError as error:
        known = objects.folders(RUNS)
        raise MissingInputError(
            f"{objects.uri} knows no run {run!r}{nearest(run, known)}",
            next_step=f"use one of {', '.join(known[-5:])}" if known else "no run was planned there yet",
        ) from error


def _not_finished(run: str, records: Mapping[str, StageRecord]) -> MissingInputError:
    return MissingInputError(
        f"run {run} is not finished: no stage has left pages (done: {', '.join(records) or 'none'})",
        next_step="see how it stands with `python -m components.runs status`, and try again later",
    )
