"""Sets of acquisitions that claims took, as views: lists of them would grow with the square of a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import overload

from components.lib.operations.state import Claim, State


class Taken(Sequence[str]):
    """Acquisitions of one claim, sorted by id; they are put together whenever they are looked at.

    Args:
        registered: All acquisitions in the order of registration; the list may grow.
        withdrawn: Those that were withdrawn, in that order; the list may grow.
        claim: The claim, which says how many of each there were.
    """

    __slots__ = ("_before", "_gone", "_registered", "_withdrawn")

    def __init__(self, registered: list[str], withdrawn: list[str], claim: Claim) -> None:
        self._registered, self._before = registered, claim.registered
        self._withdrawn, self._gone = withdrawn, claim.withdrawn

    def _names(self) -> list[str]:
        gone = set(self._withdrawn[: self._gone])
        return sorted(name for name in self._registered[: self._before] if name not in gone)

    def __iter__(self) -> Iterator[str]:
        """Yield them; by index, each would put all together again."""
        return iter(self._names())

    def __len__(self) -> int:
        """Return their number."""
        return self._before - self._gone

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one or some of them."""
        return self._names()[index]

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence has the same acquisitions."""
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        """Return a hash of their number."""
        return hash(len(self))

    def __repr__(self) -> str:
        """Return them as a list is shown."""
        return repr(self._names())


class TakenSets:
    """Sets of the claims of one ledger, which share the names."""

    def __init__(self) -> None:
        self._registered: list[str] = []
        self._withdrawn: list[str] = []

    def update(self, state: State) -> None:
        """Take in what was registered and withdrawn since; a ledger never takes either back."""
        self._registered.extend(islice(state.registered, len(self._registered), None))
        self._withdrawn.extend(islice(state.withdrawn, len(self._withdrawn), None))

    def of(self, claim: Claim) -> Sequence[str]:
        """Return the acquisitions of a claim."""
        if claim.claimed.chosen:
            return tuple(sorted(claim.claimed.acquisitions or ()))
        return Taken(self._registered, self._withdrawn, claim)
