"""Airflow operators around the landing prefix: wait for acquisitions, announce those that were registered.

The sensor compares states and waits for no message, so it also finds what landed while nothing was running.
It waits in the triggerer, which occupies no worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from stormsight_dags.airflow.assets import ACQUISITIONS, ANNOUNCEMENTS
from stormsight_dags.landing.scan import LandingScan, entries_since, registrations
from stormsight_dags.landing.store import open_reader
from stormsight_dags.settings.model import Settings

RENEW_S = 86400.0
"""Seconds after which a run that found nothing gives way to the next one."""

LATEST_EVENTS = 100
"""Events looked through for the last announced entry; a person may have added some without a number."""


class LandingTrigger(BaseTrigger):
    """Look at the landing prefix every ``poll_s`` seconds until there is something new.

    The pause comes before the look: a registration that keeps failing must not make runs spin.

    Args:
        landing: URI or folder of the landing prefix.
        objects: URI or folder of the object store.
        endpoint: S3 endpoint other than AWS.
        poll_s: Seconds between two looks.
        renew_s: Seconds after which it gives up, so that a run does not become older than that.
    """

    def __init__(
        self, landing: str, objects: str, endpoint: str | None, poll_s: float, renew_s: float
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.landing = landing
        self.objects = objects
        self.endpoint = endpoint
        self.poll_s = poll_s
        self.renew_s = renew_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which the triggerer makes its copy."""
        names = ("landing", "objects", "endpoint", "poll_s", "renew_s")
        return f"{__name__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield once, with the new acquisitions. A store that does not answer is asked again."""
        end = time.monotonic() + self.renew_s
        scan: LandingScan | None = None
        found: list[str] = []
        while not found and time.monotonic() < end:
            await asyncio.sleep(self.poll_s)
            try:
                if scan is None:
                    scan = await asyncio.to_thread(self._open)
                found = await asyncio.to_thread(scan.pending)
            except Exception as error:
                self.log.warning("The landing prefix cannot be looked at (%s); trying again", error)
                scan = None
        yield TriggerEvent({"acquisitions": found})  # type: ignore[no-untyped-call]

    def _open(self) -> LandingScan:
        return LandingScan(open_reader(self.landing, self.endpoint), open_reader(self.objects, self.endpoint))


class LandingSensor(BaseSensorOperator):
    """Wait, deferred, until an acquisition has landed that is not registered yet.

    Args:
        settings: The installation's settings: where to look, and how often.
        **kwargs: Arguments of ``BaseSensorOperator``.
    """

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.landing = settings.landing
        self.objects = settings.objects
        self.endpoint = settings.environment.get("AWS_ENDPOINT_URL_S3")
        self.poll_s = settings.orchestration.landing_poll_s
        self.renew_s = RENEW_S

    def execute(self, context: Context) -> None:
        """Hand over to the triggerer."""
        trigger = LandingTrigger(self.landing, self.objects, self.endpoint, self.poll_s, self.renew_s)
        self.defer(trigger=trigger, method_name="landed")

    def landed(self, context: Context, event: dict[str, Any]) -> list[str]:
        """Return the acquisitions in the trigger's event; the registering command looks for itself.

        Raises:
            AirflowSkipException: If nothing has landed for a day.
        """
        if not event["acquisitions"]:
            raise AirflowSkipException("nothing has landed; the next run goes on waiting")
        self.log.info("Landed: %s", ", ".join(event["acquisitions"]))
        return list(event["acquisitions"])


class AnnounceOperator(BaseOperator):
    """Emit one event of the acquisitions asset for each acquisition the ledger has gained.

    The last event holds the number of the last announced ledger entry. So an announcement that got lost with
    its worker is made up for by the next one, and no XCom is trusted.

    Args:
        settings: The installation's settings: where the ledger is.
        **kwargs: Arguments of ``BaseOperator``.
    """

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(inlets=[ACQUISITIONS], outlets=[ANNOUNCEMENTS], **kwargs)
        self.objects = settings.objects
        self.endpoint = settings.environment.get("AWS_ENDPOINT_URL_S3")

    def execute(self, context: Context) -> list[str]:
        """Announce what the ledger has gained.

        Raises:
            AirflowSkipException: If the ledger has gained nothing.
        """
        past = context["inlet_events"][ACQUISITIONS].ascending(False).limit(LATEST_EVENTS)
        entries = [(event.extra or {}).get("entry") for event in past]
        announced = max((entry for entry in entries if isinstance(entry, int)), default=0)
        store = open_reader(self.objects, self.endpoint)
        registered = registrations(entries_since(store, announced))
        if not registered:
            raise AirflowSkipException("the ledger has no new registration")
        events = context["outlet_events"][ANNOUNCEMENTS]
        for entry, acquisition in registered.items():
            self.log.info("Announcing %s (ledger entry %d)", acquisition, entry)
            events.add(ACQUISITIONS, extra={"acquisition": acquisition, "entry": entry})
        return list(registered.values())
