"""Object store that refuses what an account's grants do not allow, as a bucket's policy would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from components.contract.errors import SourceUnavailableError
from components.contract.rights import Store, Verb, allows
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore


class GuardedObjects:
    """Store ``inner`` as ``account`` sees it.

    Attributes:
        used: Everything that was asked for: verb and key, or prefix.
        refused: What of it the account may not do.
    """

    def __init__(self, inner: ObjectStore, account: str, store: Store = "objects") -> None:
        self._inner = inner
        self._account = account
        self._store = store
        self.used: set[tuple[Verb, str]] = set()
        self.refused: set[tuple[Verb, str]] = set()

    @property
    def uri(self) -> str:
        return self._inner.uri

    @property
    def endpoint(self) -> str:
        return self._inner.endpoint

    @property
    def readers(self) -> int:
        return self._inner.readers

    def get(self, key: str) -> bytes:
        self._ask("read", key)
        return self._inner.get(key)

    def chunks(self, key: str) -> Iterator[bytes]:
        self._ask("read", key)
        return self._inner.chunks(key)

    def exists(self, key: str) -> bool:
        self._ask("read", key)
        return self._inner.exists(key)

    def create(self, key: str, content: bytes) -> bool:
        self._ask("create", key)
        return self._inner.create(key, content)

    def put(self, key: str, content: bytes) -> None:
        self._ask("write", key)
        self._inner.put(key, content)

    def list(self, prefix: str = "") -> Objects:
        self._ask("list", prefix)
        return self._inner.list(prefix)

    def folders(self, prefix: str = "") -> Sequence[str]:
        self._ask("list", prefix)
        return self._inner.folders(prefix)

    def delete(self, key: str) -> None:
        self._ask("delete", key)
        self._inner.delete(key)

    def upload(self, key: str, path: Path) -> None:
        self._ask("write", key)
        self._inner.upload(key, path)

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        self._ask("read", key)
        self._inner.download(key, path, sha256=sha256)

    def copy(self, source: ObjectStore, listed: ObjectInfo, key: str, *, sha256: str) -> None:
        self._ask("write", key)
        self._inner.copy(source, listed, key, sha256=sha256)

    def _ask(self, verb: Verb, key: str) -> None:
        self.used.add((verb, key))
        if not allows(self._account, self._store, verb, key):
            self.refused.add((verb, key))
            raise SourceUnavailableError(
                f"AccessDenied: {self._account} may not {verb} {self._store} {key!r}",
                next_step="components/contract/rights.py",
            )
