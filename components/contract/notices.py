"""Notices to people: in the log always, to a webhook where ``STORMSIGHT_NOTICE_URL`` names one.

The webhook's URL often carries a token, so it is never written anywhere.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request

from components.contract.failures import Severity
from components.contract.redaction import redact

log = logging.getLogger(__name__)

NOTICE_URL = "STORMSIGHT_NOTICE_URL"
TIMEOUT_S = 10.0

BARRED, AWAITS_APPROVAL = "barred", "awaits approval"
"""Events of commands that end with "nothing to do", and that people are told of all the same."""

Notice = dict[str, str]


def send(notice: Notice) -> bool:
    """Log the notice and post it as JSON, redacted; an error of the webhook is logged and changes nothing.

    Returns:
        ``True`` if a webhook accepted it.
    """
    notice = {name: redact(text) for name, text in notice.items()}
    level = logging.INFO if notice.get("severity") == Severity.INFO else logging.ERROR
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
        "severity": Severity.INFO.value,
        "actor": actor,
        "message": message,
        "next_step": next_step,
    }
