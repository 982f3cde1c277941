"""Self-test of a store: does it create an object only once?

Ledgers, plans and records rest on ``PutObject`` with ``If-None-Match: *``. A service that ignores the header
answers every creation with success, and loses entries without a word. So commands that append to a ledger try
it first, on an object of its own that stays where it is: one request where all is well.
"""

from __future__ import annotations

from components.contract.errors import ParameterError
from components.contract.keys import PROBE
from components.lib.objects.protocol import ObjectStore

_CONTENT = b"the second creation of this object must fail\n"

_proven: set[tuple[str, str]] = set()
"""Endpoint and URI of the stores that this process has tried."""


class UnconditionalStoreError(ParameterError):
    """Refusal of a store without conditional writes: it cannot hold a ledger."""


def require_conditional_writes(store: ObjectStore) -> None:
    """Try whether a store creates an object only once; tried once per endpoint and process.

    Folders need no trial: the file system makes a hard link only if there is no file of that name.

    Raises:
        UnconditionalStoreError: If it does not.
        SourceUnavailableError: If it does not answer.
    """
    place = (store.endpoint, store.uri)
    if not store.endpoint or place in _proven:
        return
    # False says at once that the store honours the header; True may mean that the object was not there yet.
    if store.create(PROBE, _CONTENT) and store.create(PROBE, _CONTENT):
        raise unconditional(store, "it wrote an object over one that was there, in spite of If-None-Match")
    _proven.add(place)


def unconditional(store: ObjectStore, why: str) -> UnconditionalStoreError:
    """Return the refusal of a store."""
    return UnconditionalStoreError(
        f"object store {store.uri} at {store.endpoint} cannot hold a ledger: {why}",
        next_step="use a service that honours If-None-Match on PutObject (docs/operate/rights.md names some) "
        "or a newer version of this one; what was written through it before may have lost ledger entries",
    )
