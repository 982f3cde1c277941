"""Web application: the latest site behind its guard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from fastapi import FastAPI, Response

from components.dashboard.drawing import Drawer
from components.dashboard.guard import Guard
from components.dashboard.site import Site
from components.dashboard.snapshot import Snapshot

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names by which a server on this machine is called."""


def make_app(
    latest: Callable[[], Snapshot], *, hosts: Iterable[str] = LOOPBACK, token: str | None = None
) -> FastAPI:
    """Return the application.

    Args:
        latest: Function that returns the latest facts.
        hosts: Names and addresses by which it may be called.
        token: Token that readers state; None asks for none.
    """
    # No description of the interface and no validation messages: there are pages alone.
    app = FastAPI(title="Stormsight dashboard", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(Guard(hosts, token))
    sites = _Sites(latest)

    @app.api_route("/{address:path}", methods=["GET", "HEAD"])
    def page(address: str) -> Response:
        """Answer with a page, chart or picture; 404 where there is none."""
        site = sites.latest()
        found = site.resource(address)
        if found is None:
            missing = site.not_found(address)
            return Response(missing.content, 404, media_type=missing.media_type)
        return Response(found.content, media_type=found.media_type)

    return app


class _Sites:
    """Site of the latest facts, made once for each look."""

    def __init__(self, latest: Callable[[], Snapshot]) -> None:
        self._latest = latest
        self._drawer = Drawer()
        self._lock = threading.Lock()
        self._site: Site | None = None

    def latest(self) -> Site:
        snapshot = self._latest()
        with self._lock:
            if self._site is None or self._site.snapshot is not snapshot:
                self._site = Site(snapshot, self._drawer)
            return self._site
