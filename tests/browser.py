"""A headless Chromium that draws pages, driven through its own pipe: no port, no network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 90.0
"""Seconds after which a page that has not reached a state counts as one that never will."""


class Page:
    """One open page.

    Attributes:
        complaints: What the browser logged as an error, such as a part that the page's policy stops.
    """

    def __init__(self, receive: int, send: int) -> None:
        self._receive, self._send = receive, send
        self._number = 0
        self._session: str | None = None
        self._left = b""
        self.complaints: list[str] = []

    def open(self, address: str) -> None:
        """Open an address in a new page, which takes the place of the former one."""
        self._session, self.complaints = None, []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Log", "Runtime", "Page"):
            self._call(f"{domain}.enable")
        self._call("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression gives."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get(
            "value"
        )

    def wait_for(self, expression: str) -> Any:
        """Return the value of an expression as soon as it is truthy."""
        until = time.monotonic() + PATIENCE_S
        while not (found := self.value(expression)):
            assert time.monotonic() < until, f"never: {expression}; the browser says {self.complaints}"
            time.sleep(0.05)
        return found

    def press(self, key: str) -> None:
        """Press and release a key that writes a character."""
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def show_as(self, *, width: int, dark: bool = False) -> None:
        """Give the window a width, CSS pixels, and the page the reader's choice of a light or dark scheme."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )

    def go_to(self, address: str) -> None:
        """Open an address in the same page, as it is shown now, and wait until it is whole."""
        self.complaints = []
        self._call("Page.navigate", url=address)
        self.wait_for(f"document.readyState === 'complete' && location.href === {json.dumps(address)}")

    def screenshot(self) -> bytes:
        """Return what the window shows as a PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _note(self, event: dict[str, Any]) -> None:
        entry = event.get("params", {})
        if event.get("method") == "Log.entryAdded" and entry["entry"]["level"] == "error":
            self.complaints.append(entry["entry"]["text"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(entry["exceptionDetails"]))

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = os.read(self._receive, 1 << 16)
            assert part, "the browser has ended"
            self._left += part
        first, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(first))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser that draws without a graphics card; end it with the block."""
    assert CHROMIUM is not None
    read_by_it, send = os.pipe()
    receive, written_by_it = os.pipe()
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
    ]
    # The browser reads its commands from descriptor 3 and answers on descriptor 4.
    script = f'exec "$@" 3<&{read_by_it} 4>&{written_by_it}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", CHROMIUM, *options],
        pass_fds=(read_by_it, written_by_it),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_by_it)
    os.close(written_by_it)
    try:
        yield Page(receive, send)
    finally:
        process.terminate()
        process.wait()
        os.close(send)
        os.close(receive)
