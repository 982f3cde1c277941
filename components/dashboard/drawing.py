"""Vega-Lite drawn to SVG here, once for each specification; nothing is fetched."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from components.contract.hashing import sha256_json

VERSION = "6.4"
"""Version of Vega-Lite that draws; the one of altair's specifications is checked by a test."""


class Drawer:
    """Drawer of charts, which keeps the latest ones; safe to use from several threads.

    A chart takes 0.15 s, the first of a process 1.7 s.

    Args:
        kept: Number of charts that are kept.
    """

    def __init__(self, kept: int = 500) -> None:
        self._kept = kept
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def draw(self, spec: Mapping[str, Any]) -> bytes:
        """Return a Vega-Lite specification as SVG."""
        name = sha256_json(dict(spec))
        with self._lock:
            if name in self._drawn:
                self._drawn.move_to_end(name)
                return self._drawn[name]
            import vl_convert  # noqa: PLC0415 - half a second that a page without charts does without

            svg = vl_convert.vegalite_to_svg(dict(spec), vl_version=VERSION, allowed_base_urls=[])
            self._drawn[name] = svg.encode()
            while len(self._drawn) > self._kept:
                self._drawn.popitem(last=False)
            return self._drawn[name]
