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

from components.contract.documents import shown
from components.contract.errors import StormsightError, first_line
from components.contract.failures import FailureKind, kind_of_exit
from components.contract.redaction import redact
from stormsight_dags.airflow.assets import ACQUISITIONS, ANNOUNCEMENTS
from stormsight_dags.airflow.retry_policy import retry_arguments
from stormsight_dags.budgets import load_budget
from stormsight_dags.failures import Failure, exception_for
from stormsight_dags.landing.scan import LandingScan, entries_since, registrations
from stormsight_dags.landing.store import open_reader
from stormsight_dags.settings.model import Settings

RENEW_S = 86400.0
"""Seconds after which a run that found nothing gives way to the next one."""

LATEST_EVENTS = 100
"""Events looked through for the last announced entry; a person may have added some without a number."""


class LandingTrigger(BaseTrigger):
    """Look at the landing prefix every ``poll_s`` seconds until there is something new.

    The pause comes before the look: a registration that keeps failing must not make runs spin. A look that
    fails is repeated; ``bad_looks`` of them in a row are a failure.

    Args:
        landing: URI or folder of the landing prefix.
        objects: URI or folder of the object store.
        endpoint: S3 endpoint other than AWS.
        poll_s: Seconds between two looks.
        renew_s: Seconds after which a look that finds nothing is the last one: a run becomes no older.
        bad_looks: Number of looks that must fail in a row for the trigger to fail.
    """

    def __init__(
        self,
        landing: str,
        objects: str,
        endpoint: str | None,
        *,
        poll_s: float,
        renew_s: float,
        bad_looks: int,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.landing = landing
        self.objects = objects
        self.endpoint = endpoint
        self.poll_s = poll_s
        self.renew_s = renew_s
        self.bad_looks = bad_looks

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which the triggerer makes its copy."""
        names = ("landing", "objects", "endpoint", "poll_s", "renew_s", "bad_looks")
        return f"{__name__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield once: the new acquisitions (none after ``renew_s``), or the failure of the last look."""
        end = time.monotonic() + self.renew_s
        scan: LandingScan | None = None
        failures: list[dict[str, str]] = []
        while True:
            await asyncio.sleep(self.poll_s)
            try:
                if scan is None:
                    scan = await asyncio.to_thread(self._open)
                found = await asyncio.to_thread(scan.pending)
            except Exception as error:  # whatever it is, it is told: a trigger that dies says nothing
                scan = None
                failures.append(_described(error))
                self.log.warning("Look %d failed in a row: %s", len(failures), failures[-1]["message"])
                if len(failures) >= self.bad_looks:
                    event: dict[str, Any] = {"failure": failures[-1], "looks": len(failures)}
                    break
            else:
                failures.clear()
                # Only a good look may end a run that found nothing.
                if found or time.monotonic() >= end:
                    event = {"acquisitions": [_text(name) for name in found]}
                    break
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _open(self) -> LandingScan:
        return LandingScan(open_reader(self.landing, self.endpoint), open_reader(self.objects, self.endpoint))


def _described(error: Exception) -> dict[str, str]:
    """Return what a failed look says, as an event can hold it."""
    if isinstance(error, StormsightError):
        kind = kind_of_exit(error.exit_code)
        return {"kind": kind.value, "message": error.message, "next_step": error.next_step}
    message = redact(f"{type(error).__name__}: {first_line(error)}")
    return {"kind": FailureKind.CODE_ERROR.value, "message": message, "next_step": ""}


def _text(name: str) -> str:
    """Return a folder's name, which anybody may have chosen, as text that every database and log takes."""
    return name if name.isascii() and name.isprintable() else shown(name)


class LandingSensor(BaseSensorOperator):
    """Wait, deferred, until an acquisition has landed that is not registered yet.

    A store that cannot be looked at is asked again by the trigger, so the task itself is not repeated for it.

    Args:
        settings: The installation's settings: where to look, and how often.
        **kwargs: Arguments of ``BaseSensorOperator``.
    """

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        budget = load_budget(settings.orchestration.model_dump(), None)
        super().__init__(**{**retry_arguments(budget), **kwargs})
        self.landing = settings.landing
        self.objects = settings.objects
        self.endpoint = settings.environment.get("AWS_ENDPOINT_URL_S3")
        self.poll_s = settings.orchestration.landing_poll_s
        self.bad_looks = settings.orchestration.landing_bad_looks
        self.renew_s = RENEW_S

    def execute(self, context: Context) -> None:
        """Hand over to the triggerer."""
        trigger = LandingTrigger(
            self.landing,
            self.objects,
            self.endpoint,
            poll_s=self.poll_s,
            renew_s=self.renew_s,
            bad_looks=self.bad_looks,
        )
        self.defer(trigger=trigger, method_name="landed")

    def landed(self, context: Context, event: dict[str, Any]) -> list[str]:
        """Return the acquisitions in the trigger's event; the registering command looks for itself.

        Raises:
            StageFailure: If the stores could not be looked at, as the subclass of the failure's class.
            AirflowSkipException: If nothing has landed for a day.
        """
        if failure := event.get("failure"):
            raise exception_for(
                Failure(
                    FailureKind(failure["kind"]),
                    self.task_id,
                    f"{event['looks']} looks in a row failed",
                    message=failure["message"],
                    next_step=failure["next_step"],
                )
            )
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
