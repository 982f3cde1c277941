"""Signs of life of a run whose stage waits for a node: nothing runs in its pod yet that could give one.

Without them a run that waits longer than its lease (``lease_h``) would lose its claim to another one, though
its pod is in the queue. A sign can delay a takeover; it never decides who holds a claim.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from components.contract.errors import SourceUnavailableError
from components.contract.hashing import seal
from components.contract.keys import alive_key, run_name
from stormsight_dags.landing.store import open_writer
from stormsight_dags.settings.model import Settings

SIGNS = 4
"""Signs within one lease."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunAtWork:
    """Run that gives signs of life, as an operator hands it to its trigger.

    Attributes:
        run: Airflow's id of the run.
        objects: URI or folder of the object store.
        endpoint: S3 endpoint other than AWS.
        every_s: Seconds between two signs.
    """

    run: str
    objects: str
    endpoint: str | None
    every_s: float

    @classmethod
    def of(cls, run: str, settings: Settings) -> RunAtWork:
        """Return the run with what the settings say of the store and the lease."""
        return cls(
            run,
            settings.objects,
            settings.environment.get("AWS_ENDPOINT_URL_S3"),
            settings.orchestration.lease_h * 3600 / SIGNS,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, from which the constructor makes it again."""
        return asdict(self)


class SignsOfLife:
    """Signs of life of a run, as often as its lease needs them.

    Args:
        run: The run; None where there is none to speak for.
    """

    def __init__(self, run: RunAtWork | None) -> None:
        self._run = run
        self._due = 0.0

    def give_when_due(self) -> None:
        """Give a sign if it is time to. Blocks; a store that does not answer costs nothing but this sign."""
        if self._run is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._run.every_s
        content = seal({"time": datetime.now(UTC).isoformat()})
        try:
            open_writer(self._run.objects, self._run.endpoint).put(
                alive_key(run_name(self._run.run)), content
            )
        except SourceUnavailableError as error:
            log.warning("No sign of life of run %s: %s", self._run.run, error.message)
