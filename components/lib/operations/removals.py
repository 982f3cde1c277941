"""Announcements of removals and intents: how housekeeping and runs at work avoid each other without a lock.

Who is about to rely on data or records that nobody may need any more first makes them reachable (by a claim,
a sign of life, or an intent), then waits until no announced removal names them, and only then looks for what
is there. Housekeeping first announces what it is about to remove, then reads what is reachable, and removes
the rest. Whatever the order of these steps, at least one of the two sees the other. It takes a store whose
reads see every write that was answered before, as S3 and disks do.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ConfigDict

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import seal, sha256_json
from components.contract.keys import REMOVALS, intent_key, intents_prefix, removal_key
from components.lib.ledger.chain import utc_now
from components.lib.objects.protocol import ObjectInfo, ObjectStore, get_many
from components.lib.objects.sealed import create_sealed, parse_sealed, read_sealed
from components.lib.operations.liveness import CLOCKS_DIFFER

HOLDS = timedelta(minutes=15)
"""Time for which an announcement holds unless it is taken back; nothing is removed in its second half."""

PAUSE_S = 2.0
"""Seconds between two looks of one who waits."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Content of an announcement or an intent.

    Attributes:
        names: MD5 of data in DVC's remote, keys of trainings, or prefixes of deliveries.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    names: tuple[str, ...]


@contextmanager
def announced(objects: ObjectStore, names: Collection[str]) -> Iterator[Callable[[], bool]]:
    """Announce the removal of ``names`` until the block ends; what is reachable is read inside of it.

    Yields:
        Function that returns whether there is still time to remove one of them.
    """
    key, begun = removal_key(uuid.uuid4().hex), time.monotonic()
    objects.put(key, seal({"names": sorted(names)}))
    try:
        yield lambda: time.monotonic() - begun < HOLDS.total_seconds() / 2
    finally:
        objects.delete(key)


def wait_for_removals(
    objects: ObjectStore,
    names: Collection[str],
    *,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once no announced removal names any of ``names``, which must be reachable by now.

    An announcement whose command was killed is waited for as long as it holds, a damaged one as well.
    """
    wanted = frozenset(names)
    while any(_names_any(objects, info, wanted) for info in _holding(objects, clock())):
        LOG.info("waiting for housekeeping, which is removing what this needs")
        sleep(PAUSE_S)


def remove_expired(objects: ObjectStore, now: datetime) -> None:
    """Remove the announcements of commands that were killed."""
    holding = {info.key for info in _holding(objects, now)}
    for info in objects.list(REMOVALS):
        if info.key not in holding:
            objects.delete(info.key)


def declare_intent(objects: ObjectStore, key: str, stage: str, names: Collection[str]) -> None:
    """Make data reachable before a stage's record names them, and before they are looked for in the remote.

    Args:
        objects: Store of ledger, plans and records.
        key: Key of the training.
        stage: Address of the stage.
        names: MD5 of all outputs, the files of folders included.
    """
    listed = sorted(names)
    create_sealed(objects, intent_key(key, stage, sha256_json(listed)), {"names": listed})


def read_intents(objects: ObjectStore, key: str, known: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the names in a training's intents by their keys, those in ``known`` left out.

    Raises:
        BadDataError: If one is damaged.
    """
    new = [info.key for info in objects.list(intents_prefix(key)) if info.key not in known]
    return {
        name: parse_sealed(content, Names, name=f"{objects.uri}/{name}").names
        for name, content in zip(new, get_many(objects, new), strict=True)
    }


def _holding(objects: ObjectStore, now: datetime) -> list[ObjectInfo]:
    """Return the announcements that hold, by the store's clock and ours."""
    return [info for info in objects.list(REMOVALS) if now - info.modified <= HOLDS + CLOCKS_DIFFER]


def _names_any(objects: ObjectStore, info: ObjectInfo, wanted: frozenset[str]) -> bool:
    try:
        return not wanted.isdisjoint(read_sealed(objects, info.key, Names).names)
    except MissingInputError:  # taken back meanwhile
        return False
    except BadDataError as error:
        LOG.warning("taken for a removal of everything: %s", error.message)
        return True
