"""Who may read: hosts by which the server is called, and a token that a reader states."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from components.contract.errors import ParameterError
from components.dashboard.templating import POLICY

SHORTEST_TOKEN = 16
"""Characters of a token at least."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::\d*)?")

Next = Callable[[Request], Awaitable[Response]]


class Guard:
    """Guard before all addresses.

    A page of another site can make a reader's browser ask this server under the other site's name (DNS
    rebinding): requests for a host that is not known are refused. So is a request without the token, if there
    is one: as the password of HTTP Basic, with any user name, or as a bearer token.

    Args:
        hosts: Names and addresses by which the server may be called, without ports.
        token: Token; None asks for none.
    """

    def __init__(self, hosts: Iterable[str], token: str | None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Answer a request, or refuse it before any page is made."""
        response = self._refusal(request) or await call_next(request)
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    def _refusal(self, request: Request) -> Response | None:
        stated = request.headers.getlist("host")
        if len(stated) != 1 or host_of(stated[0]) not in self._hosts:
            return PlainTextResponse("This server is not called by that name.\n", 421)
        if self._token is not None and not _states(request.headers.get("authorization", ""), self._token):
            asks = {"WWW-Authenticate": 'Basic realm="stormsight dashboard", charset="UTF-8"'}
            return PlainTextResponse("State the token as password.\n", 401, headers=asks)
        return None


def host_of(stated: str) -> str:
    """Return the host of a ``Host`` header in lower case, without its port.

    >>> host_of("LOCALHOST:8050"), host_of("[::1]:8050"), host_of("[::1].a.example")
    ('localhost', '::1', '')
    """
    found = _HOST.fullmatch(stated.lower())
    return "" if found is None else found[1] or found[2]


def is_loopback(host: str) -> bool:
    """Return whether only processes of this machine reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_guarded(host: str, token: str | None) -> None:
    """Check that pages are served to this machine alone, or to who states a token.

    Raises:
        ParameterError: If others could read without one, or the token is too short or cannot be typed.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ParameterError(
            f"the dashboard's token is no line of {SHORTEST_TOKEN} printable ASCII characters or more",
            next_step="make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    if token is None and not is_loopback(host):
        raise ParameterError(
            f"--host {host} lets other machines read, and no token is set",
            next_step="name a file with --token-file, or set STORMSIGHT_DASHBOARD_TOKEN",
        )


def _states(authorization: str, token: str) -> bool:
    scheme, _, credentials = authorization.partition(" ")
    stated = credentials.strip()
    if scheme.lower() == "basic":
        try:
            stated = base64.b64decode(stated, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(stated.encode(), token.encode())
