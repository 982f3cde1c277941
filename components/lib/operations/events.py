"""Events of the operations chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from components.contract.errors import BadDataError
from components.contract.failures import FINAL_FOR_SET
from components.contract.hashing import sha256_json
from components.contract.variables import LONGEST_ACTOR

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
AcquisitionId = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]
Run = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
FailureName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,40}$")]


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def body(self) -> dict[str, Any]:
        """Return the event as a chain records it."""
        return self.model_dump(mode="json", by_alias=True)


class Registered(_Event):
    """Event: an acquisition is complete, checked and has a catalogue entry."""

    event: Literal["registered"] = "registered"
    acquisition: AcquisitionId
    catalogue_sha256: Sha256
    marker_sha256: Sha256


class Withdrawn(_Event):
    """Event: an acquisition takes part in no new training."""

    event: Literal["withdrawn"] = "withdrawn"
    acquisition: AcquisitionId
    reason: str = Field(min_length=1, max_length=500)


class Claimed(_Event):
    """Event: a run trains the set of all acquisitions that are pending at this point of the ledger.

    Former code wrote the whole set instead of its hash; such entries stay readable. A set that a person has
    chosen among the pending acquisitions is written whole, and marked.
    """

    event: Literal["claimed"] = "claimed"
    key: Sha256
    run: Run
    acquisitions: dict[AcquisitionId, Sha256] | None = None
    """Catalogue hash by acquisition; None if the set is named by its hash."""
    acquisitions_sha256: Sha256 | None = None
    """SHA-256 of the catalogue hashes by acquisition as canonical JSON."""
    code: Sha256
    params: Sha256
    profile: str | None = None
    forced: bool = False
    """True if it was planned with ``--force``."""
    chosen: bool = False
    """True if a person chose the set: only some of what is pending."""

    @model_validator(mode="after")
    def _names_one_set(self) -> Self:
        if (self.acquisitions is None) == (self.acquisitions_sha256 is None):
            raise ValueError("either acquisitions or acquisitions_sha256 names the set")
        if self.chosen and not self.acquisitions:
            raise ValueError("a chosen set is named by its acquisitions")
        return self

    @property
    def set_sha256(self) -> str:
        """SHA-256 of the set, however the entry names it."""
        return self.acquisitions_sha256 or sha256_json(self.acquisitions)

    def by_hash(self) -> Claimed:
        """Return the event with the set's hash in place of the set; a chosen set stays."""
        if self.chosen:
            return self
        return self.model_copy(update={"acquisitions": None, "acquisitions_sha256": self.set_sha256})

    def body(self) -> dict[str, Any]:
        """Return the event as a chain records it."""
        unused = {"acquisitions" if self.acquisitions is None else "acquisitions_sha256"}
        unused |= set() if self.chosen else {"chosen"}  # as former code wrote it, and can read it
        return {name: value for name, value in super().body().items() if name not in unused}


class Renewed(_Event):
    """Event: the run of a claim is still at work; its lease starts anew.

    Ledgers hold it from the time before runs gave their signs of life beside the ledger.
    """

    event: Literal["renewed"] = "renewed"
    key: Sha256
    run: Run


class Succeeded(_Event):
    """Event: the set is trained and judged."""

    event: Literal["succeeded"] = "succeeded"
    key: Sha256
    run: Run
    record_sha256: Sha256
    promoted: bool
    """True if the gate let the served SAR model through; a refusal is a result too. The run's record has the
    outcome of every model, change among them."""


RELEASE, WITHDRAW = "release", "withdraw"
"""Names in place of a stage where the run did not fail: a person gave its claim up, or took data away."""


class Failed(_Event):
    """Event: the run ended without a result."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    event: Literal["failed"] = "failed"
    key: Sha256
    run: Run
    failure_class: FailureName = Field(alias="class")
    """``bad_data``, ``source_unavailable``, ``evicted``, ..."""
    stage: str = Field(max_length=200)
    message: str = Field(max_length=2000)

    @property
    def final(self) -> bool:
        """Return whether the ledger bars other runs from training the same set with the same code."""
        return self.failure_class in FINAL_FOR_SET

    @property
    def given_up(self) -> bool:
        """Return whether a person ended the claim: what the run still does is to stop."""
        return self.stage in {RELEASE, WITHDRAW}


Event = Registered | Withdrawn | Claimed | Renewed | Succeeded | Failed

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])

_ACTORS: TypeAdapter[str | None] = TypeAdapter(
    Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)] | None
)


def parse_event(body: Mapping[str, Any], where: str) -> Event:
    """Return the event in an entry's body.

    Args:
        body: The entry's body.
        where: Name of the entry in messages.

    Raises:
        BadDataError: If the body is no event.
    """
    # Who wrote it changes nothing about what happened; entries of former code do not say.
    fields = {name: value for name, value in body.items() if name != "actor"}
    try:
        _ACTORS.validate_python(body.get("actor"))
        return _EVENTS.validate_python(fields)
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise BadDataError(
            f"{where} holds no event of the operations: {what}",
            next_step="a newer version of the code wrote it, or something else did: compare the versions",
        ) from error
