"""The wait for acquisitions, in the triggerer: it occupies no worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from stormsight_dags.landing.watch import Watch
from stormsight_dags.settings import Settings
from stormsight_dags.store import open_store

RENEW_S = 86400.0
"""Seconds after which a run that waits in vain gives way to the next one."""


class LandingTrigger(BaseTrigger):
    """Looks at the landing prefix every ``poll_s`` seconds until there is something new.

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
        """How the triggerer makes its copy."""
        names = ("landing", "objects", "endpoint", "poll_s", "renew_s")
        return f"{__name__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield once, with the new acquisitions. A store that does not answer is asked again."""
        end = time.monotonic() + self.renew_s
        watch: Watch | None = None
        found: list[str] = []
        while not found and time.monotonic() < end:
            await asyncio.sleep(self.poll_s)
            try:
                if watch is None:
                    watch = await asyncio.to_thread(self._open)
                found = await asyncio.to_thread(watch.look)
            except Exception as error:
                self.log.warning("The landing prefix cannot be looked at (%s); trying again", error)
                watch = None
        yield TriggerEvent({"acquisitions": found})  # type: ignore[no-untyped-call]

    def _open(self) -> Watch:
        return Watch(open_store(self.landing, self.endpoint), open_store(self.objects, self.endpoint))


class LandingSensor(BaseSensorOperator):
    """Waits, deferred, until an acquisition has landed that is not registered yet.

    Args:
        settings: Where to look, and how often.
        **kwargs: Of the sensor.
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
        """What the trigger saw; the registering command looks for itself.

        Raises:
            AirflowSkipException: If nothing has landed for a day.
        """
        if not event["acquisitions"]:
            raise AirflowSkipException("nothing has landed; the next run goes on waiting")
        self.log.info("Landed: %s", ", ".join(event["acquisitions"]))
        return list(event["acquisitions"])
