"""Hostile and damaged tarballs: nothing leaves the folder, nothing is followed, nothing explodes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import random
import tarfile
from collections.abc import Callable

import pytest

from components.contract.errors import BadDataError
from components.download.archive import HashingReader, stream_members
from components.download.catalogue import Limits

LIMITS = Limits(files=50, unpacked_gib=0.01)


def pack(*infos: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, content in infos:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def regular(name: str, content: bytes = b"content") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def special(kind: bytes, name: str = "train/x.tif", link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def unpack(data: bytes, limits: Limits = LIMITS) -> dict[str, bytes]:
    handle = io.BytesIO(data)
    members = stream_members(handle, "t.tar", limits, reader=HashingReader(handle))
    return {member.path: b"".join(member.chunks) for member in members}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_plain_and_zipped_archives_of_every_dialect(zipped: bool, form: int) -> None:
    long = "train/" + "d" * 90 + "/" + "n" * 60 + ".tif"
    data = pack(
        special(tarfile.DIRTYPE, "./train/"), regular("./train/a.tif", b"x" * 3000), regular(long), form=form
    )
    assert unpack(gzip.compress(data) if zipped else data) == {
        "train/a.tif": b"x" * 3000,
        long: b"content",
    }


def test_content_that_is_not_read_is_skipped() -> None:
    handle = io.BytesIO(pack(regular("a", b"x" * 5000), regular("b")))
    paths = [m.path for m in stream_members(handle, "t", LIMITS, reader=HashingReader(handle))]
    assert paths == ["a", "b"]


@pytest.mark.parametrize("tail", [b"", bytes(100_000)])
def test_the_checksum_covers_the_whole_file(tail: bytes) -> None:
    data = gzip.compress(pack(regular("a"))) + tail
    reader = HashingReader(io.BytesIO(data))
    handle = io.BytesIO(data)
    reader = HashingReader(handle)
    list(stream_members(handle, "t", LIMITS, reader=reader))
    assert reader.md5.hexdigest() == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert reader.sha256.hexdigest() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (regular("../evil.tif"), "leaves the folder"),
        (regular("train/../../evil.tif"), "leaves the folder"),
        (regular("/etc/cron.d/evil"), "leaves the folder"),
        (regular("train\\..\\evil.tif"), "leaves the folder"),
        (special(tarfile.SYMTYPE, link="/etc/passwd"), "is a link to '/etc/passwd'"),
        (special(tarfile.SYMTYPE, link="a.tif"), "is a link to 'a.tif'"),
        (special(tarfile.LNKTYPE, link="../../etc/passwd"), "is a link"),
        (special(tarfile.CHRTYPE), "is a device"),
        (special(tarfile.BLKTYPE), "is a device"),
        (special(tarfile.FIFOTYPE), "is a device or another special file"),
    ],
)
def test_hostile_members_are_refused_by_name(member: tuple[tarfile.TarInfo, bytes], what: str) -> None:
    with pytest.raises(BadDataError, match=rf"t\.tar: member .*{what}"):
        unpack(pack(regular("train/ok.tif"), member))


def test_sparse_members_are_refused() -> None:
    info, content = regular("train/x.tif", b"1\n0\n1\n" + bytes(506))
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "train/x.tif",
        "GNU.sparse.realsize": str(1 << 40),
    }
    with pytest.raises(BadDataError, match="is a sparse file"):
        unpack(pack((info, content)))


def test_a_zip_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(pack(regular("train/x.tif", bytes(12 << 20))))
    assert len(bomb) < 50_000
    with pytest.raises(BadDataError, match=r"unpacks to more than 0\.01 GiB"):
        unpack(bomb)


def test_too_many_members_stop_at_the_limit() -> None:
    with pytest.raises(BadDataError, match="more than 50 members"):
        unpack(pack(*(regular(f"train/{i}") for i in range(51))))


def test_a_member_that_claims_more_than_there_is() -> None:
    info, _ = regular("train/x.tif")
    info.size = 1 << 40
    with pytest.raises(BadDataError, match=r"ends inside train/x\.tif"):
        unpack(info.tobuf(tarfile.GNU_FORMAT) + bytes(5000))


def test_a_giant_extension_header_is_not_read_into_memory() -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 6 << 30
    with pytest.raises(BadDataError, match="an extension header of 6442450944 bytes"):
        unpack(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))


def test_a_chain_of_long_names_does_not_exhaust_the_stack() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    link = info.tobuf(tarfile.GNU_FORMAT) + b"a\0" + bytes(510)
    with pytest.raises(BadDataError, match="truncated or damaged"):
        unpack(link * 3000)


CLEAN = pack(regular("train/a.tif", b"a" * 2000), regular("train/b.tif", b"b" * 2000))


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def spoil_second_header(data: bytes) -> bytes:
    # Header and padded content of the first member take 512 + 2048 bytes.
    return data[:2560] + b"\xff" * 512 + data[3072:]


def cut_at_a_header(data: bytes) -> bytes:
    return data[:2560]


def cut_inside_a_header(data: bytes) -> bytes:
    return data[:2700]


@pytest.mark.parametrize(
    "damage",
    [
        cut_at_a_header,
        cut_inside_a_header,
        spoil_second_header,
        lambda data: data[:1000],
        lambda data: b"",
        lambda data: b"\x1f",
        lambda data: b"not a tar" * 1000,
        lambda data: cut(gzip.compress(data, 0)),
        lambda data: gzip.compress(data)[:-6],
        lambda data: gzip.compress(data)[:60] + b"\0\0\0\0" + gzip.compress(data)[64:],
        lambda data: b"\x1f\x8b" + bytes(500),
    ],
)
def test_damage_is_reported_and_never_taken_for_the_end(damage: Callable[[bytes], bytes]) -> None:
    assert len(unpack(CLEAN)) == 2
    with pytest.raises(BadDataError, match=r"t\.tar: .*(truncated or damaged|ends inside)"):
        unpack(damage(CLEAN))


ZIPPED = gzip.compress(
    pack(regular("train/a.tif", bytes(range(256)) * 40), regular("train/b.tif", b"b" * 900))
)


@pytest.mark.parametrize("share", [i / 12 for i in range(12)])
def test_an_archive_cut_anywhere_is_refused_by_name(share: float) -> None:
    with pytest.raises(BadDataError, match=r"t\.tar"):
        unpack(ZIPPED[: int(len(ZIPPED) * share)])


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_escape_the_refusal(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(ZIPPED if seed % 2 else CLEAN)
    for _ in range(8):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with contextlib.suppress(BadDataError):
        unpack(bytes(data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [(lzma.compress(CLEAN), "xz"), (bz2.compress(CLEAN), "bzip2"), (b"PK\x03\x04" + bytes(900), "zip")],
)
def test_other_archives_are_called_by_their_name(data: bytes, kind: str) -> None:
    with pytest.raises(BadDataError, match=rf"t\.tar: is {kind}, not tar"):
        unpack(data)
