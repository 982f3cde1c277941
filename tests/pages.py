"""Pages as a browser reads them: what they would fetch, where they link to, what their tables hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_FETCHING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href"}
_FOREIGN = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^\s"')]*)""", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _FETCHING or (name == "href" and tag != "a"):
                self.fetched.append(value or "")
            elif name == "href":
                self.links.append(value or "")


def foreign_resources(text: str) -> list[str]:
    """Addresses on other hosts that a browser would fetch for this page; links to follow are none."""
    fetched = [address for address in _Reader(text).fetched if _FOREIGN.match(address.strip())]
    return fetched + _STYLE.findall(text)


def links(text: str) -> list[str]:
    """Addresses that the page links to."""
    return _Reader(text).links
