"""Object store in memory whose every operation is a step, and actors that take steps in a chosen order.

Only one actor runs at a time; which one goes on is decided before each operation of the store. An actor may
be killed before an operation, or after it: its effect stays, its answer is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from components.lib.objects.protocol import ObjectInfo, Objects, check_key, missing

START = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """Exception that ends an actor in mid-step; nothing of ours may catch it."""


class Memory:
    """Object store in a dictionary. ``step`` is called around each operation."""

    uri = "memory://store"
    endpoint = ""
    readers = 1

    def __init__(self, step: Callable[[], Callable[[], None]] = lambda: lambda: None) -> None:
        self.objects: dict[str, bytes] = {}
        self._step = step

    def get(self, key: str) -> bytes:
        after = self._step()
        content = self.objects.get(check_key(key))
        after()
        if content is None:
            raise missing(self, key)
        return content

    def chunks(self, key: str) -> Iterator[bytes]:
        yield self.get(key)

    def exists(self, key: str) -> bool:
        after = self._step()
        found = key in self.objects
        after()
        return found

    def create(self, key: str, content: bytes) -> bool:
        after = self._step()
        free = check_key(key) not in self.objects
        if free:
            self.objects[key] = content
        after()
        return free

    def put(self, key: str, content: bytes) -> None:
        after = self._step()
        self.objects[check_key(key)] = content
        after()

    def list(self, prefix: str = "") -> Objects:
        after = self._step()
        found = [
            ObjectInfo(key, len(self.objects[key]), START, "1")
            for key in sorted(self.objects)
            if key.startswith(prefix)
        ]
        after()
        return found

    def folders(self, prefix: str = "") -> Sequence[str]:
        rests = [info.key.removeprefix(prefix) for info in self.list(prefix)]
        return sorted({rest.partition("/")[0] for rest in rests if "/" in rest})

    def delete(self, key: str) -> None:
        after = self._step()
        self.objects.pop(check_key(key), None)
        after()

    def upload(self, key: str, path: Path) -> None:
        raise NotImplementedError

    def copy(self, source: object, listed: object, key: str, *, sha256: str) -> None:
        raise NotImplementedError

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        raise NotImplementedError


@dataclass
class World:
    """Store, clock and dice of one example.

    Attributes:
        random: Decides who goes on, how long a step takes and who is killed.
        lease: Of claims.
        kill_share: Probability that an operation is an actor's last.
        long_share: Probability that an operation takes up to twice the lease.
    """

    random: Random
    lease: timedelta
    kill_share: float = 0.0
    long_share: float = 0.0
    now: datetime = START
    steps: int = 0
    _waiting: dict[str, threading.Semaphore] = field(default_factory=dict)
    _main: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stepping: bool = False

    def __post_init__(self) -> None:
        self.store = Memory(self._step)

    def clock(self) -> datetime:
        return self.now

    def run(self, actors: dict[str, Callable[[], None]]) -> list[Exception]:
        """Run all actors to their ends, interleaved; return what they failed with."""
        failures: list[Exception] = []
        threads = []
        self._waiting = {name: threading.Semaphore(0) for name in actors}

        def main(name: str, actor: Callable[[], None]) -> None:
            self._waiting[name].acquire()
            try:
                actor()
            except Killed:
                pass
            except Exception as error:
                failures.append(error)
            finally:
                del self._waiting[name]
                self._main.release()

        for name, actor in actors.items():
            threads.append(threading.Thread(target=main, args=(name, actor), name=name, daemon=True))
            threads[-1].start()
        self._stepping = True
        while self._waiting:
            self._waiting[self.random.choice(list(self._waiting))].release()
            self._main.acquire()
        self._stepping = False
        for thread in threads:
            thread.join()
        return failures

    def _step(self) -> Callable[[], None]:
        self.steps += 1
        if not self._stepping:
            return lambda: None
        mine = self._waiting[threading.current_thread().name]
        self._main.release()
        mine.acquire()
        long = self.random.random() < self.long_share
        self.now += self.lease * (2 * self.random.random() if long else 0.01 * self.random.random())
        dies = self.random.random() < self.kill_share
        if dies and self.random.random() < 0.5:
            raise Killed
        return self._die if dies else lambda: None

    def _die(self) -> None:
        raise Killed
