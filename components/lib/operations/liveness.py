"""Signs of life of runs at work: one small object for each run, beside the ledger.

They are no entries of the ledger, so that a pod that only works on a stage needs no right to write there. A
sign can delay a takeover; it never decides who holds a claim.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import AwareDatetime, ConfigDict

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import seal
from components.contract.keys import RUNS, alive_key
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import read_sealed
from components.lib.operations.state import State

CLOCKS_DIFFER = timedelta(minutes=5)
"""Most that the clocks of two machines may differ."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sign:
    """Content of ``runs/<run>/alive.json``: the time at which it was written, with its zone."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    time: AwareDatetime


def give_sign(objects: ObjectStore, run: str, time: datetime) -> None:
    """Note that ``run`` is at work at ``time``."""
    objects.put(alive_key(run), seal({"time": time.isoformat()}))


def with_signs(state: State, objects: ObjectStore, now: datetime, keys: Iterable[str]) -> State:
    """Return the state, claims that have not succeeded with the last signs of life of their runs.

    A damaged sign counts as none, and so does one from the future, which would never grow old.

    Args:
        state: State of the ledger.
        objects: Store of the signs.
        now: Present time.
        keys: Trainings whose signs are read, one request each; unknown ones are left out.
    """
    claims = dict(state.claims)
    for key in keys:
        claim = state.claims.get(key)
        sign = None if claim is None or claim.succeeded else _last_sign(objects, claim.run)
        if claim is not None and sign is not None and sign <= now + CLOCKS_DIFFER:
            claims[key] = replace(claim, alive=max(claim.alive, sign))
    return replace(state, claims=claims)


def signed_keys(state: State, objects: ObjectStore) -> list[str]:
    """Return the trainings that have not succeeded and whose runs left a sign of life, in one listing.

    Signs of runs that housekeeping has pruned are gone, so these are few, however many claims never ended.
    """
    left = {info.key for info in objects.list(RUNS)}
    return [
        key for key, claim in state.claims.items() if not claim.succeeded and alive_key(claim.run) in left
    ]


def _last_sign(objects: ObjectStore, run: str) -> datetime | None:
    try:
        return read_sealed(objects, alive_key(run), _Sign).time
    except MissingInputError:
        return None
    except BadDataError as error:
        LOG.warning("sign of life ignored: %s", error.message)
        return None
