"""Removal of objects in batches, each announced and compared with what is reachable then."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

from components.contract.errors import SourceUnavailableError
from components.lib.objects.protocol import ObjectInfo, ObjectStore, map_many
from components.lib.operations.removals import announced

BATCH = 1000
"""Objects of one announcement: a stage that needs one of them waits until the batch is removed."""


@dataclass(frozen=True, slots=True)
class Freed:
    """Objects of one kind that were removed.

    Attributes:
        kind: Kind of the objects, in words.
        objects: Number of objects.
        size: Bytes together.
    """

    kind: str
    objects: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        """Return the sum of both, under the kind of the first."""
        return Freed(self.kind, self.objects + other.objects, self.size + other.size)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removal of one kind of objects from a store.

    Attributes:
        kind: Kind of the objects, in words.
        store: Store that holds them.
        announcements: Store of ledger and records, which runs at work look at.
        name: Function that returns the name by which runs ask for an object.
        reachable: Function that reads, once the removal is announced, which names are needed after all.
        dry_run: True removes nothing and counts only.
    """

    kind: str
    store: ObjectStore
    announcements: ObjectStore
    name: Callable[[ObjectInfo], str]
    reachable: Callable[[], Container[str]]
    dry_run: bool

    def remove(self, infos: Sequence[ObjectInfo]) -> Freed:
        """Remove objects, batch by batch in their order, but those that are reachable.

        Raises:
            SourceUnavailableError: If the store is too slow for a batch in time; the rest stays.
        """
        freed = Freed(self.kind)
        for batch in _batches(infos):
            freed += self._count(batch) if self.dry_run else self._remove(batch)
        return freed

    def _remove(self, batch: Sequence[ObjectInfo]) -> Freed:
        with announced(self.announcements, {self.name(info) for info in batch}) as in_time:
            needed = self.reachable()
            going = [info for info in batch if self.name(info) not in needed]

            def delete(info: ObjectInfo) -> bool:
                if in_time():
                    self.store.delete(info.key)
                    return True
                return False

            gone = map_many(self.store, delete, going)
        done = [info for info, is_gone in zip(going, gone, strict=True) if is_gone]
        if len(done) < len(going):
            raise SourceUnavailableError(
                f"{self.store.uri}: {len(done)} of {len(going)} objects were removed in the time announced",
                next_step="find out why the store is slow; the next pruning goes on",
            )
        return self._count(done)

    def _count(self, infos: Sequence[ObjectInfo]) -> Freed:
        return Freed(self.kind, len(infos), sum(info.size for info in infos))


def _batches(infos: Sequence[ObjectInfo]) -> Iterator[Sequence[ObjectInfo]]:
    for start in range(0, len(infos), BATCH):
        yield infos[start : start + BATCH]
