"""Requests for a retraining: a chain beside the operations ledger. None of them starts or promotes anything.

They are read by people, and by whatever schedules trainings; the operations ledger decides what is trained,
and the gate what is promoted, both without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from components.contract.actor import current_actor
from components.contract.errors import BadDataError, ParameterError, SourceUnavailableError
from components.contract.keys import REQUESTS
from components.contract.variables import LONGEST_ACTOR
from components.lib.ledger.chain import Chain, Entry, HeadMovedError, utc_now
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingRequest:
    """Request for a retraining, because an acquisition differs from what the champion was trained on.

    Attributes:
        event: Always ``requested``.
        acquisition: The acquisition.
        model: Registered model.
        version: Version of its champion.
        reference_sha256: SHA-256 of the table that the acquisition was compared with.
        p_value: P-value of the acquisition as a whole.
        shifted: Statistics that differ, the most significant first.
        actor: Person, or run and account, that asked.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    event: Literal["requested"] = "requested"
    acquisition: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]
    model: str
    version: str
    reference_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    p_value: Annotated[float, Field(gt=0, le=1)]
    shifted: tuple[str, ...]
    actor: Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)]


class RetrainingRequests:
    """All requests of an object store.

    Args:
        objects: The store.
        clock: Function that returns the time of new entries.
    """

    def __init__(self, objects: ObjectStore, clock: Callable[[], datetime] = utc_now) -> None:
        self._chain = Chain(objects, REQUESTS, clock)
        self._known: list[Entry] = []

    def all(self) -> list[tuple[Entry, RetrainingRequest]]:
        """Return all of them with their entries, oldest first, the chain checked; what was read is known.

        Raises:
            BadDataError: If the chain is broken, or holds something else.
        """
        known, self._known = self._known, []  # after a failure all is read again
        entries = self._chain.entries(known)
        found = [
            (entry, checked(entry.body, RetrainingRequest, name=f"{self._chain.uri}, entry {entry.seq}"))
            for entry in entries
        ]
        self._known = entries
        return found

    def request(
        self,
        *,
        acquisition: str,
        model: str,
        version: str,
        reference_sha256: str,
        p_value: float,
        shifted: tuple[str, ...],
    ) -> tuple[Entry, RetrainingRequest]:
        """Ask for a retraining, once for an acquisition and a champion.

        Returns:
            The request that stands, with its entry: this one, or the one that was there.

        Raises:
            ParameterError: If no reader would take the request: the acquisition has no id as registered ones
                have, say. In the chain it would make all of them unreadable.
            SourceUnavailableError: If others write without end.
        """
        wanted = RetrainingRequest(
            acquisition=acquisition,
            model=model,
            version=version,
            reference_sha256=reference_sha256,
            p_value=p_value,
            shifted=shifted,
            actor=current_actor(),
        )
        try:
            checked(asdict(wanted), RetrainingRequest, name=f"the request for {acquisition[:80]!r}")
        except BadDataError as error:
            raise ParameterError(
                error.message, next_step="name a registered acquisition, or compare with --reference FILE"
            ) from error
        for _ in range(_ATTEMPTS):
            known = self.all()
            for entry, request in known:
                if (request.acquisition, request.model, request.version) == (acquisition, model, version):
                    return entry, request
            try:
                return self._chain.append(known[-1][0] if known else None, asdict(wanted)), wanted
            except HeadMovedError:
                continue
        raise SourceUnavailableError(
            f"{self._chain.uri}: others were first {_ATTEMPTS} times", next_step="run the command again"
        )
