"""Tarballs and catalogue entries, through the download command."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from tests.campaign.mutations import BINARY, TEXT, mutate_bytes, mutate_value
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, judged
from tests.download.release import ARGUMENTS, PREFIX, entry, release, tarball, write_world


class Archives(SingleReader):
    """Tar and tar.gz files: what arrives must be what Python's tarfile finds in the same bytes."""

    name = "tar"

    def set_up(self) -> None:
        """Pack a tiny release; load what the command imports."""
        self.files = release(tiles=2, sar_bytes=3000)
        ended = self._download(self.fresh("sound"), tarball(self.files), "t.tar.gz", preload)
        assert ended.code == 0, ended.stderr

    def judge_one(self, seed: int) -> Judgement:
        """Download one archive."""
        rng = Random(seed)
        zipped = rng.random() < 0.6
        if rng.random() < 0.55:
            described, content = mutate_bytes(rng, tarball(self.files, zipped), BINARY)
        else:
            described, content = _structural(rng, self.files)
            content = gzip.compress(content, 1) if zipped else content
        folder = self.fresh("case")
        ended = self._download(folder, content, "t.tar.gz" if zipped else "t.tar", run_forked)
        return judged(
            self.name,
            seed,
            f"{'tar.gz' if zipped else 'tar'}: {described}",
            ended,
            names=("t.tar", "tiny"),
            accepted=self._accepted(folder, content) if ended.code == 0 else None,
            left=_left(folder, ended),
        )

    def _download(self, folder: Path, content: bytes, name: str, run: Callable[..., Ended]) -> Ended:
        (folder / name).write_bytes(content)
        write_world(folder, [entry(f"file://{folder / name}", limits={"files": 500, "unpacked_gib": 0.01})])
        return run(command("components.download", *ARGUMENTS), folder)

    def _accepted(self, folder: Path, content: bytes) -> str | None:
        found = arrived(folder / "raw")
        if found == {path.rsplit("/", 1)[-1]: data for path, data in self.files.items()}:
            return None
        try:
            right = _unpacked(content)
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            return f"accepted, though tarfile says {type(error).__name__}: {error}"
        if found != right:
            return f"{len(found)} files arrived, tarfile finds {len(right)} or other content"
        return None


class Catalogue(SingleReader):
    """Catalogue entries in YAML; the release they name is sound and small."""

    name = "catalogue"

    def set_up(self) -> None:
        """Put the release into a folder; load what the command imports."""
        self.mirror = self.fresh("mirror")
        for path, content in release(tiles=2, sar_bytes=3000).items():
            (self.mirror / path).parent.mkdir(parents=True, exist_ok=True)
            (self.mirror / path).write_bytes(content)
        self.entry = entry(f"file://{self.mirror}", tiles=2)
        folder = self.fresh("sound")
        write_world(folder, [self.entry])
        ended = preload(command("components.download", *ARGUMENTS), folder)
        assert ended.code == 0, ended.stderr
        self.right = arrived(folder / "raw")

    def judge_one(self, seed: int) -> Judgement:
        """Download by one entry."""
        rng = Random(seed)
        folder = self.fresh("case")
        write_world(folder, [self.entry])
        path = folder / "catalogue" / "tiny.yaml"
        document: dict[str, Any] = self.entry.model_dump(mode="json", exclude_none=True)
        changed: Any = document
        if rng.random() < 0.6:
            described, changed = mutate_value(rng, document)
            path.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8", errors="replace")
        else:
            described, content = mutate_bytes(rng, yaml.safe_dump(document).encode(), TEXT)
            path.write_bytes(content)
        ended = run_forked(command("components.download", *ARGUMENTS), folder)
        accepted = None
        if ended.code == 0 and not set(arrived(folder / "raw")) <= set(self.right):
            accepted = "fetched what the release does not hold"
        names = ("tiny", "catalogue", "params.yaml")
        return judged(
            self.name, seed, described, ended, names=names, accepted=accepted, left=_left(folder, ended)
        )


def arrived(raw: Path) -> dict[str, bytes]:
    """Return the files of ``data/raw`` by name."""
    with ShardReader(raw / "p00") as reader:
        return {str(row.name): reader.read(row) for row in read_manifest(raw / "p00").itertuples()}


def _left(folder: Path, ended: Ended) -> str | None:
    allowed = {
        "t.tar",
        "t.tar.gz",
        "params.yaml",
        "catalogue",
        "staging",
        *(["raw"] if ended.code == 0 else []),
    }
    more = sorted(path.name for path in folder.iterdir() if path.name not in allowed)
    outside = [path.name for path in folder.parent.iterdir() if "evil" in path.name]
    return f"left {more + outside}" if more or outside else None


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Return the release's files in an archive, as Python reads it."""
    data = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=2) as tar:
        for info in tar:
            if (
                not (info.isreg() or info.isdir())
                or info.name.startswith("/")
                or ".." in info.name.split("/")
            ):
                raise ValueError(f"a member {info.name!r} of type {info.type!r}")
            path = info.name.removeprefix("./")
            if info.isreg() and path.startswith(PREFIX) and SPACENET6.product_of(path) in _WANTED:
                handle = tar.extractfile(info)
                assert handle is not None
                found[path.rsplit("/", 1)[-1]] = handle.read()
    return found


_WANTED = ("SAR-Intensity", "PS-RGB", "Buildings", "Summary")


def _structural(  # noqa: C901 - a list of kinds
    rng: Random, files: dict[str, bytes]
) -> tuple[str, bytes]:
    """Pack the release with a member that is odd."""
    kind = rng.choice(
        (
            "escape",
            "link",
            "device",
            "pax",
            "twice",
            "many",
            "bomb",
            "order",
            "dialect",
            "empty",
            "name",
            "size",
        )
    )
    buffer = io.BytesIO()
    form = rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    described = kind
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as tar:
        items = list(files.items())
        if kind == "order":
            rng.shuffle(items)
        for path, content in items if kind != "empty" else []:
            _add(tar, path, content)
        some = items[0][0]
        if kind == "escape":
            described = rng.choice(("../evil", "/evil", f"{PREFIX}../../../evil", "..\\evil", "a/../../evil"))
            _add(tar, described, b"evil")
        elif kind == "link":
            info = tarfile.TarInfo(rng.choice((f"{PREFIX}evil", some)))
            info.type, info.linkname = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), "../../evil"
            described = f"a link of type {info.type!r} at {info.name}"
            tar.addfile(info)
        elif kind == "device":
            info = tarfile.TarInfo(f"{PREFIX}evil")
            info.type = rng.choice(
                (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"Z")
            )
            described = f"a member of type {info.type!r}"
            tar.addfile(info)
        elif kind == "pax":
            key, value = rng.choice(
                (
                    ("path", "../evil"),
                    ("size", "99999999999"),
                    ("size", "-1"),
                    ("GNU.sparse.map", "0,1"),
                    ("path", "x" * 100_000),
                    ("mtime", "nan"),
                    ("hdrcharset", "BINARY"),
                )
            )
            info = tarfile.TarInfo(f"{PREFIX}evil")
            info.pax_headers = {key: value}
            described = f"a PAX header {key}={value[:20]}"
            tar.addfile(info)
        elif kind == "twice":
            _add(tar, some, rng.choice((files[some], b"another content")))
        elif kind == "many":
            for number in range(600):
                _add(tar, f"{PREFIX}{number}", b"")
        elif kind == "bomb":
            _add(tar, f"{PREFIX}zeros", bytes(12 << 20))
        elif kind == "name":
            described = rng.choice(
                ("\x01\x02", "a" * 90, "\udcff", "new\nline", " ", ".", PREFIX.rstrip("/"), "é.tif")
            )
            _add(tar, f"{PREFIX}SAR-Intensity/{described}" if len(described) < 50 else described, b"evil")
            described = f"a name {described[:20]!r}"
        elif kind == "size":
            info = tarfile.TarInfo(f"{PREFIX}short")
            info.size = rng.choice((10**6, 2**33, 2**62))
            described = f"a member of {info.size} bytes that are not there"
            if form == tarfile.USTAR_FORMAT:
                info.size = 10**6
            tar.addfile(info)
    data = buffer.getvalue()
    return described, data


def _add(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    info = tarfile.TarInfo(path)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
