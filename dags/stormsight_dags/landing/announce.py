"""Tell the other DAGs what the ledger has registered."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from stormsight_dags.assets import ACQUISITIONS, ANNOUNCEMENTS
from stormsight_dags.landing.watch import entries_since, registrations
from stormsight_dags.settings import Settings
from stormsight_dags.store import open_store

LATEST_EVENTS = 100
"""Events looked through for the last announced entry; a person may have added some without a number."""


class AnnounceOperator(BaseOperator):
    """Emits one event of the acquisitions asset for each acquisition the ledger has gained.

    The last event knows up to which ledger entry was announced. So an announcement that got lost with its
    worker is made up for by the next one, and no XCom is trusted.

    Args:
        settings: Where the ledger is.
        **kwargs: Of the operator.
    """

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(inlets=[ACQUISITIONS], outlets=[ANNOUNCEMENTS], **kwargs)
        self.objects = settings.objects
        self.endpoint = settings.environment.get("AWS_ENDPOINT_URL_S3")

    def execute(self, context: Context) -> list[str]:
        """Announce.

        Raises:
            AirflowSkipException: If the ledger has gained nothing.
        """
        past = context["inlet_events"][ACQUISITIONS].ascending(False).limit(LATEST_EVENTS)
        entries = [(event.extra or {}).get("entry") for event in past]
        announced = max((entry for entry in entries if isinstance(entry, int)), default=0)
        store = open_store(self.objects, self.endpoint)
        registered = registrations(entries_since(store, announced))
        if not registered:
            raise AirflowSkipException("the ledger has registered nothing new")
        events = context["outlet_events"][ANNOUNCEMENTS]
        for entry, acquisition in registered.items():
            self.log.info("Announcing %s (ledger entry %d)", acquisition, entry)
            events.add(ACQUISITIONS, extra={"acquisition": acquisition, "entry": entry})
        return list(registered.values())
