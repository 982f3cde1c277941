"""The dashboard inside Airflow: the pages that ``python -m components.dashboard --publish`` left.

Airflow's image holds no component, so it cannot make these pages; it hands out the latest that were published
in the object store, from one archive. Airflow does not authenticate mounted applications: every address here
depends on the caller's right to see plugins, and where that cannot be asked, nobody is let in.
"""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import Response

from components.contract.errors import StormsightError
from components.contract.pages import DASHBOARD
from stormsight_dags.landing.store import ObjectReader, open_reader
from stormsight_dags.settings.load import load_settings

PREFIX = "/stormsight"
"""Address below which Airflow mounts the application."""

LARGEST_BYTES = 256 * 2**20
"""Bytes of the pages together, unpacked, at most."""

LOOKED_AFTER_S = 30.0
"""Seconds after which the archive is looked at again."""

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
"""Media types by the ending of an address; nothing else is handed out."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def airflow_guard() -> Callable[..., Any]:
    """Return the dependency that lets in who may see Airflow's plugins; without Airflow, nobody."""
    try:
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView  # noqa: PLC0415
        from airflow.api_fastapi.core_api.security import requires_access_view  # noqa: PLC0415
    except ImportError:
        return deny
    return requires_access_view(AccessView.PLUGINS)


def deny() -> None:
    """Refuse every request.

    Raises:
        HTTPException: Always, with 403.
    """
    raise HTTPException(403, "Airflow's access control could not be imported")


def make_app(guard: Callable[..., Any], open_store: Callable[[], ObjectReader]) -> FastAPI:
    """Return the application.

    Args:
        guard: Dependency of every address, which raises for who may not read.
        open_store: Function that opens the object store.
    """
    app = FastAPI(
        title="Stormsight dashboard",
        dependencies=[Depends(guard)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    published = Published(open_store)

    @app.api_route("/{address:path}", methods=["GET", "HEAD"])
    def page(address: str) -> Response:
        """Answer with a published page or picture."""
        try:
            content = published.files().get(address or "index.html")
        except StormsightError as error:
            return _told(f"{error.message}; next: {error.next_step}", 503)
        media_type = TYPES.get((address or "index.html").rpartition(".")[2])
        if content is None or media_type is None:
            return _told("There is no such page: it may have been published under another address.", 404)
        return Response(content, media_type=media_type, headers=HEADERS)

    return app


class Published:
    """Latest published pages, read again when the archive has changed.

    Args:
        open_store: Function that opens the object store.
        clock: Function that returns seconds.
    """

    def __init__(
        self, open_store: Callable[[], ObjectReader], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_store = open_store
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._version = ""
        self._files: Mapping[str, bytes] = {}

    def files(self) -> Mapping[str, bytes]:
        """Return all files by address; none if nothing was published yet.

        Raises:
            SourceUnavailableError: If the store does not answer.
        """
        with self._lock:
            now = self._clock()
            if self._looked is None or now - self._looked > LOOKED_AFTER_S:
                store = self._open_store()
                versions = [one.version for one in store.listing(DASHBOARD) if one.key == DASHBOARD]
                if versions and versions[0] != self._version:
                    self._files, self._version = unpacked(store.get(DASHBOARD)), versions[0]
                self._looked = now
            return self._files


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive by name, none of one that is damaged or far too large.

    Names are keys of a mapping and never paths, so that none can lead elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            if sum(info.file_size for info in packed.infolist()) > LARGEST_BYTES:
                return {}
            return {info.filename: packed.read(info) for info in packed.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError):
        return {}


def _told(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, media_type="text/plain; charset=utf-8", headers=HEADERS)


def open_objects() -> ObjectReader:
    """Open the object store of the installation.

    Raises:
        ParameterError: If the settings are malformed.
        SourceUnavailableError: If no client can be made.
    """
    settings = load_settings()
    return open_reader(settings.objects, settings.environment.get("AWS_ENDPOINT_URL_S3"))
