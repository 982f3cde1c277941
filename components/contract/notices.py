"""Notices to people: in the log always, to a webhook where ``STORMSIGHT_NOTICE_URL`` names one.

A webhook gets one JSON object: the notice, and ``text`` for people, which Slack, Mattermost and their like
show. An address that ends in ``/api/v2/alerts`` gets what Alertmanager takes. The webhook's URL often carries
a token, so it is never written anywhere.
"""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from components.contract.failures import Severity
from components.contract.redaction import redact

log = logging.getLogger(__name__)

NOTICE_URL = "STORMSIGHT_NOTICE_URL"
TIMEOUT_S = 10.0

PAUSES_S = (1.0, 4.0)
"""Pauses before the second, third, ... attempt to post a notice."""

ALERTMANAGER = "/api/v2/alerts"
"""End of the path of Alertmanager's address."""

BARRED, AWAITS_APPROVAL = "barred", "awaits approval"
"""Events of commands that end with "nothing to do", and that people are told of all the same."""

Notice = dict[str, str]

_LABELS = ("event", "severity", "dag", "run", "task", "stage", "class")
"""Fields of a notice by which Alertmanager groups and routes; the others explain."""


def send(notice: Notice) -> bool:
    """Log the notice and post it as JSON, redacted; an error of the webhook is logged and changes nothing.

    A webhook that does not answer, or that answers with a fault of its own or "too many requests", is asked
    again after each of ``PAUSES_S``.

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
    content = json.dumps(payload(notice, url)).encode()
    for pause in (*PAUSES_S, None):
        problem, passing = _post(url, content)
        if problem is None:
            return True
        if pause is None or not passing:
            log.error("The notice was not posted: %s", problem)
            return False
        time.sleep(pause)
    return False


def payload(notice: Notice, url: str) -> Any:  # noqa: ANN401 - JSON
    """Return what a webhook at ``url`` takes, as JSON values."""
    text = text_of(notice)
    if not urlsplit(url).path.endswith(ALERTMANAGER):
        return {**notice, "text": text}
    labels = {name: notice[name] for name in _LABELS if notice.get(name)}
    rest = {name: value for name, value in notice.items() if value and name not in {*labels, "log"}}
    alert = {"labels": {"alertname": "stormsight", **labels}, "annotations": {"summary": text, **rest}}
    return [{**alert, "generatorURL": notice["log"]}] if notice.get("log") else [alert]


def text_of(notice: Notice) -> str:
    """Return the notice in a few lines for people."""
    where = " ".join(filter(None, (notice.get("dag"), notice.get("run"), notice.get("stage"))))
    head = f"[{notice.get('severity', 'unknown')}] {notice.get('event', 'notice')}"
    kind = f" ({notice['class']})" if notice.get("class") else ""
    by = f" by {notice['actor']}" if notice.get("actor") else ""
    lines = [f"{head}{kind}{by}{f': {where}' if where else ''}", notice.get("message", "")]
    step = notice.get("next_step", "")
    lines += [f"next step: {step}"] if step and step != "none" else []
    lines += [f"log: {notice['log']}"] if notice.get("log") else []
    return "\n".join(filter(None, lines))


def _post(url: str, content: bytes) -> tuple[str | None, bool]:
    """Post once; return what went wrong, None if nothing did, and whether it may pass."""
    request = urllib.request.Request(  # noqa: S310 - its scheme was checked
        url, data=content, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return None, False
    except urllib.error.HTTPError as error:
        busy = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == HTTPStatus.TOO_MANY_REQUESTS
        return f"the webhook answers {error.code}", busy
    except Exception as error:
        # The text of the error may hold the URL.
        return type(error).__name__, isinstance(error, OSError)


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
