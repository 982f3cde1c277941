"""Cost of the catalogue of maps: adding one map, and making all documents anew, at 100 to 10,000 maps.

    PYTHONPATH=. .venv/bin/python tests/benchmarks/bench_catalogue.py [--maps 100 1000 10000] [--months 24]

Store in memory; seconds, requests and bytes (read and written) are those of one call by a fresh process. The
last column is the largest document. ``--months 1`` is the worst case: all scenes are of one month.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from components.contract.keys import CATALOG, COLLECTION, map_item_key, map_prefix
from components.lib.catalogue.documents import encode, sealed
from components.lib.catalogue.maps import Catalogue
from tests.benchmarks.bench_ledger import Sorted
from tests.lib.catalogue.maps import made_map

FILES = 5
"""Files of a map beside its item."""


class Counted(Sorted):
    """Store in memory that counts requests and bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = self.bytes = 0

    def get(self, key: str) -> bytes:
        content = super().get(key)
        self._count(len(content))
        return content

    def chunks(self, key: str) -> Iterator[bytes]:
        yield self.get(key)

    def exists(self, key: str) -> bool:
        self._count()
        return super().exists(key)

    def create(self, key: str, content: bytes) -> bool:
        self._count(len(content))
        return super().create(key, content)

    def put(self, key: str, content: bytes) -> None:
        self._count(len(content))
        super().put(key, content)

    def upload(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def folders(self, prefix: str = "") -> list[str]:
        found = dict.fromkeys(info.key.removeprefix(prefix).split("/")[0] for info in self.list(prefix))
        for _ in range(1 + len(found) // 1000):
            self._count()
        return list(found)

    def _count(self, size: int = 0) -> None:
        self.requests += 1
        self.bytes += size


def filled(store: Counted, maps: int, months: int, folder: Path) -> None:
    """Put the items and files of maps into the store, as mappers leave them."""
    for number in range(maps):
        month = f"{2024 + number % months // 12}-{1 + number % months % 12:02d}"
        item, _ = made_map(folder, f"scene-{number:06d}", month=month)
        name = f"map-{number:06d}"
        item["properties"]["stormsight:acquisition"] = f"acquisition-{number:06d}"
        store.objects[map_item_key(name)] = encode(sealed({**item, "id": name}))
        for file in range(FILES):
            store.objects[f"{map_prefix(name)}0123456789abcdef/{file}"] = b""


def measured(store: Counted, call: Callable[[], object]) -> str:
    """Return seconds, requests and MB of a call."""
    store.requests = store.bytes = 0
    begin = time.perf_counter()
    call()
    seconds = time.perf_counter() - begin
    return f"{seconds:.2f} | {store.requests:,} | {store.bytes / 1e6:.2f}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--maps", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--months", type=int, default=24)
    options = parser.parse_args()
    print("| maps | call | s | requests | MB | largest document, MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for maps in options.maps:
            store = Counted()
            filled(store, maps, options.months, folder / "filled")
            whole = measured(store, lambda store=store: Catalogue(store).rebuild(whole=True))  # type: ignore[misc]
            item, files = made_map(folder / "one", "one-more", month="2024-01")

            def add(store: Counted = store) -> None:
                catalogue = Catalogue(store)
                assert catalogue.add_map(item, files, "one-more")  # noqa: B023 - called at once
                catalogue.rebuild()

            one = measured(store, add)
            again = measured(store, lambda store=store: Catalogue(store).rebuild())  # type: ignore[misc]
            latest = measured(store, lambda store=store: Catalogue(store).latest())  # type: ignore[misc]
            documents = (len(c) for k, c in store.objects.items() if k.endswith((CATALOG, COLLECTION)))
            largest = f"{max(documents) / 1e6:.2f}"
            rows = {"all anew": whole, "add one": one, "nothing new": again, "latest of all": latest}
            for call, figures in rows.items():
                print(f"| {maps:,} | {call} | {figures} | {largest} |")


if __name__ == "__main__":
    main()
