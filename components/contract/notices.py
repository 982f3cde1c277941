"""Notices to people: in the log always, to a webhook where ``STORMSIGHT_NOTICE_URL`` names one.

The webhook's URL often carries a token, so it is never written anywhere.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request

from components.contract.redaction import redact

log = logging.getLogger(__name__)

NOTICE_URL = "STORMSIGHT_NOTICE_URL"
TIMEOUT_S = 10.0

INFO = "info"
"""Severity of a notice about an ordinary result."""

Notice = dict[str, str]


def send(notice: Notice) -> bool:
    """Log the notice and post it as JSON; an error of the webhook is logged and changes nothing.

    Returns:
        ``True`` if a webhook accepted it.
    """
    level = logging.INFO if notice.get("severity") == INFO else logging.ERROR
    log.log(level, "NOTICE %s", json.dumps(notice, ensure_ascii=False))
    url = os.environ.get(NOTICE_URL, "")
    if not url:
        return False
    if not url.startswith(("https://", "http://")):
        log.error("The notice was not posted: %s holds no http(s) URL", NOTICE_URL)
        return False
    request = urllib.request.Request(  # noqa: S310 - its scheme was just checked
        url, data=json.dumps(notice).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return True
    except Exception as error:
        # The text of the error may hold the URL.
        log.error("The notice was not posted: %s", type(error).__name__)
        return False


def champion_notice(event: str, message: str, *, actor: str, next_step: str = "none") -> Notice:
    """Return the notice about a change of a champion, or about one that waits.

    Args:
        event: ``promoted``, ``rolled back``, ``awaits approval``, ``approved``, ``rejected``, ...
        message: Models and versions in words.
        actor: Person, or run and account, that did it.
        next_step: Action for the reader.
    """
    return {
        "event": event,
        "severity": INFO,
        "actor": redact(actor),
        "message": redact(message),
        "next_step": next_step,
    }
