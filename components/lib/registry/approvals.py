"""Approvals: promotions that wait for a person, and the verdicts on them, a chain per registered model.

The latest request is the one that waits; a newer one takes its place. A verdict is written before the
champion moves, so that of an approval and a rejection at the same time one stands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from components.contract.actor import current_actor
from components.contract.errors import BadDataError, GateRefusedError, SourceUnavailableError
from components.contract.variables import LONGEST_ACTOR
from components.lib.ledger.chain import Chain, Entry, HeadMovedError
from components.lib.objects.sealed import checked

REQUESTED: Literal["requested"] = "requested"
APPROVED: Literal["approved"] = "approved"
REJECTED: Literal["rejected"] = "rejected"

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Request for an approval, or the verdict on one.

    Attributes:
        event: ``requested``, ``approved`` or ``rejected``.
        model: Registered model.
        version: Version that is to become champion.
        decided_against: Champion version that it was judged against, None if there was none.
        decision: SHA-256 of the decision record.
        reason: Reason in words.
        actor: Person, or run and account, that wrote it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    event: Literal["requested", "approved", "rejected"]
    model: str
    version: str
    decided_against: str | None
    decision: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reason: str
    actor: Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)]


class Approvals:
    """Requests and verdicts of one registered model.

    Args:
        chain: Chain that keeps them.
        model: Registered model.
    """

    def __init__(self, chain: Chain, model: str) -> None:
        self._chain = chain
        self._model = model

    def all(self) -> list[tuple[Entry, Approval]]:
        """Return all of them with their entries, oldest first, the chain checked.

        Raises:
            BadDataError: If the chain is broken, or holds something else.
        """
        return [(entry, self._read(entry)) for entry in self._chain.entries()]

    def latest(self) -> Approval | None:
        """Return the latest request or verdict, None if there never was one."""
        found = self.all()
        return found[-1][1] if found else None

    def waiting(self) -> tuple[Entry, Approval] | None:
        """Return the request that waits for a verdict, with its entry; None if none does."""
        found = self.all()
        return found[-1] if found and found[-1][1].event == REQUESTED else None

    def request(self, *, version: str, decided_against: str | None, decision: str, reason: str) -> Approval:
        """Ask for the approval of a decision, once.

        Returns:
            What stands on this decision: the request, or the verdict on it.

        Raises:
            SourceUnavailableError: If others write without end.
        """
        wanted = Approval(
            event=REQUESTED,
            model=self._model,
            version=version,
            decided_against=decided_against,
            decision=decision,
            reason=reason,
            actor=current_actor(),
        )
        for _ in range(_ATTEMPTS):
            known = self.all()
            stands = [approval for _, approval in known if approval.decision == decision]
            if stands:
                return stands[-1]
            try:
                self._chain.append(known[-1][0] if known else None, asdict(wanted))
            except HeadMovedError:
                continue
            return wanted
        raise SourceUnavailableError(
            f"{self._chain.uri}: others were first {_ATTEMPTS} times", next_step="run the command again"
        )

    def decide(self, request: Approval, event: Literal["approved", "rejected"], reason: str) -> Approval:
        """Write the verdict on the request that waits.

        Raises:
            GateRefusedError: If another verdict, or another request, was written meanwhile.
        """
        verdict = Approval(**{**asdict(request), "event": event, "reason": reason, "actor": current_actor()})
        known = self.all()
        try:
            if known and known[-1][1] == request:
                self._chain.append(known[-1][0], asdict(verdict))
                return verdict
        except HeadMovedError:
            pass
        raise GateRefusedError(
            f"{self._model}: version {request.version} no longer waits: somebody else decided, or another "
            "challenger took its place",
            next_step="look at `python -m components.promote history`, then decide again",
        )

    def _read(self, entry: Entry) -> Approval:
        where = f"{self._chain.uri}, entry {entry.seq}"
        approval = checked(entry.body, Approval, name=where)
        if approval.model != self._model:
            raise BadDataError(
                f"{where}: it is about {approval.model}", next_step="restore the chain from a backup"
            )
        return approval
