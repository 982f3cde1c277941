"""Contract of every object store, on a folder and on a real S3 endpoint."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError, SourceUnavailableError
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore, get_many


def test_what_is_written_is_read(store: ObjectStore) -> None:
    store.put("a/b.json", b"one")
    assert store.get("a/b.json") == b"one"
    store.put("a/b.json", b"")
    assert store.get("a/b.json") == b""
    assert b"".join(store.chunks("a/b.json")) == b""
    assert store.exists("a/b.json")
    assert not store.exists("a/b")
    assert not store.exists("a")
    store.delete("a/b.json")
    store.delete("a/b.json")
    assert not store.exists("a/b.json")


def test_an_absent_object_is_told_with_its_place(store: ObjectStore, tmp_path: Path) -> None:
    for read in (
        lambda: store.get("no/such"),
        lambda: list(store.chunks("no/such")),
        lambda: store.download("no/such", tmp_path / "file"),
        lambda: get_many(store, ["no/such", "nor/this"]),
    ):
        with pytest.raises(MissingInputError, match=rf"^{store.uri}/no/such is missing"):
            read()
    assert not (tmp_path / "file").exists()


def test_the_uri_opens_the_same_store(store: ObjectStore) -> None:
    store.put("x", b"1")
    assert store.uri.startswith(("file:///", "s3://"))
    assert open_objects(store.uri).get("x") == b"1"


def test_create_writes_once(store: ObjectStore) -> None:
    assert store.create("ledger/1", b"mine")
    assert not store.create("ledger/1", b"yours")
    assert not store.create("ledger/1", b"mine")
    assert store.get("ledger/1") == b"mine"


def test_of_concurrent_creators_exactly_one_wins(store_uri: str) -> None:
    stores = [open_objects(store_uri) for _ in range(5)]
    for attempt in range(6):
        won: list[int] = []
        barrier = threading.Barrier(len(stores))

        def create(
            number: int,
            *,
            key: str = f"k/{attempt}",
            barrier: threading.Barrier = barrier,
            won: list[int] = won,
        ) -> None:
            barrier.wait()
            if stores[number].create(key, b"%d" % number):
                won.append(number)

        threads = [threading.Thread(target=create, args=(number,)) for number in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert stores[0].get(f"k/{attempt}") == b"%d" % won[0]


def test_a_reader_never_sees_half_an_object(store_uri: str) -> None:
    writer, reader = open_objects(store_uri), open_objects(store_uri)
    contents = {bytes([digit]) * 200_000 for digit in range(48, 52)}
    writer.put("big", min(contents))
    done = threading.Event()

    def write() -> None:
        for _ in range(3):
            for content in contents:
                writer.put("big", content)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert reader.get("big") in contents
    thread.join()


def test_a_listing_is_sorted_and_takes_strings_for_prefixes(store: ObjectStore) -> None:
    for key in ("b/2", "a", "b/10", "b2/x", "b/c/d"):
        store.put(key, key.encode())
    assert [info.key for info in store.list()] == ["a", "b/10", "b/2", "b/c/d", "b2/x"]
    assert [info.key for info in store.list("b")] == ["b/10", "b/2", "b/c/d", "b2/x"]
    assert [info.key for info in store.list("b/")] == ["b/10", "b/2", "b/c/d"]
    assert [info.key for info in store.list("b/1")] == ["b/10"]
    assert store.list("c/") == []
    info = store.list("b/c")[0]
    assert info.size == 5
    assert abs(info.modified - datetime.now(UTC)) < timedelta(hours=1)
    assert list(store.folders()) == ["b", "b2"]
    assert list(store.folders("b/")) == ["c"]
    assert list(store.folders("none/")) == []


def test_many_objects_come_in_the_order_asked_for(store: ObjectStore) -> None:
    for number in range(20):
        store.put(f"n/{number}", b"%d" % number)
    order = [f"n/{number}" for number in (7, 3, 3, 19, 0)]
    assert get_many(store, order) == [b"7", b"3", b"3", b"19", b"0"]
    assert get_many(store, []) == []


def test_files_go_up_and_come_down(store: ObjectStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000  # more than one part
    (tmp_path / "up").write_bytes(content)
    store.upload("work/checkpoint.bin", tmp_path / "up")
    store.download("work/checkpoint.bin", tmp_path / "new" / "down")
    assert (tmp_path / "new" / "down").read_bytes() == content
    right = hashlib.sha256(content).hexdigest()
    store.download("work/checkpoint.bin", tmp_path / "checked", sha256=right)
    assert b"".join(store.chunks("work/checkpoint.bin")) == content
    with pytest.raises(BadDataError, match=rf"checkpoint\.bin has the SHA-256 {right}, 0000"):
        store.download("work/checkpoint.bin", tmp_path / "down", sha256="0" * 64)
    assert not (tmp_path / "down").exists()


HOSTILE = (
    "",
    "/etc/passwd",
    "../outside",
    "a/../../outside",
    "a//b",
    "./a",
    "a/.",
    "a/",
    "a\\b",
    "a\0b",
    "a\nb",
    "x" * 901,
)


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_cannot_leave_the_store(store: ObjectStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    attempts: list[Callable[[], object]] = [
        lambda: store.get(key),
        lambda: list(store.chunks(key)),
        lambda: store.exists(key),
        lambda: store.create(key, b""),
        lambda: store.put(key, b""),
        lambda: store.delete(key),
        lambda: store.upload(key, tmp_path / "file"),
        lambda: store.download(key, tmp_path / "down"),
    ]
    for attempt in attempts:
        with pytest.raises(ParameterError, match="is no object key"):
            attempt()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize("prefix", ["../", "/", "a/../"])
def test_a_prefix_cannot_leave_the_store(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(ParameterError, match="is no object key"):
        store.list(prefix)
    with pytest.raises(ParameterError, match="is no object key"):
        store.folders(prefix)


@pytest.fixture(params=["folder", "s3"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Another store, of each kind."""
    if request.param == "folder":
        return open_objects(str(tmp_path / "source"))
    return open_objects(f"s3://{request.getfixturevalue('bucket')}/source")


def test_an_object_is_copied_from_any_store(store: ObjectStore, source: ObjectStore) -> None:
    content = bytes(range(256)) * 8192
    source.put("a/b.tif", content)
    (listed,) = source.list("a/")
    store.copy(source, listed, "copies/b.tif", sha256=hashlib.sha256(content).hexdigest())
    assert store.get("copies/b.tif") == content
    assert source.get("a/b.tif") == content
    source.delete("a/b.tif")
    with pytest.raises(MissingInputError):
        store.copy(source, listed, "copies/c.tif", sha256=hashlib.sha256(content).hexdigest())
    assert not store.exists("copies/c.tif")


def test_what_changed_since_it_was_listed_is_not_copied(store: ObjectStore, source: ObjectStore) -> None:
    source.put("a", b"first")
    (listed,) = source.list()
    source.put("a", b"later")
    with pytest.raises((BadDataError, SourceUnavailableError)):
        store.copy(source, listed, "copy", sha256=hashlib.sha256(b"first").hexdigest())
    assert not store.exists("copy")


def test_a_service_copies_by_itself(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, store = open_objects(f"s3://{bucket}/source"), open_objects(f"s3://{bucket}/store")
    source.put("a", b"content")
    monkeypatch.setattr(type(source), "chunks", None)
    monkeypatch.setattr(type(source), "download", None)
    store.copy(source, source.list()[0], "b", sha256="")
    monkeypatch.undo()


def test_a_version_changes_with_every_write(store: ObjectStore) -> None:
    store.put("a", b"1")
    (before,) = store.list()
    assert store.list() == [before]
    store.put("a", b"2")
    assert store.list()[0].version != before.version
