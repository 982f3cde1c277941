"""Environment variables, and disks that are full or cannot be written."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

from components.lib.objects.opening import open_objects
from tests.acquisitions.releases import land, release, strip_of_day
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, Outcome, judged
from tests.campaign.world import landed, read_release, write_parameters

NOTHING_TO_DO = 99

_PATHS = (
    "",
    "/dev/null",
    "/proc/nope",
    "nope/deeper",
    "a" * 300,
    "b/" * 3000,
    "/etc/passwd",
    "new\nline",
    "params.yaml",
    "~",
    "s3://",
    "ftp://x/y",
    "file://relative",
    "http://127.0.0.1:9",
    "s3:///x",
    "s3://UPPER_case/x",
)

_VARIABLES: dict[str, tuple[str, ...]] = {
    "STORMSIGHT_LOG": ("LOUD", "", "10", "debug", "INFO,DEBUG", "é", "a" * 5000, "NOTSET", " info "),
    "STORMSIGHT_LANDING": _PATHS,
    "STORMSIGHT_OBJECTS": _PATHS,
    "STORMSIGHT_REPORT": _PATHS,
    "AWS_ENDPOINT_URL_S3": (
        "nonsense", "http://", "http://127.0.0.1:9", "http://[::1", "127.0.0.1:9", "http://host:port", "é",
        "",
    ),
    "AWS_PROFILE": ("nobody", "", "é", "a b"),
    "AWS_DEFAULT_REGION": ("nowhere", "", "é", "us east 1"),
    "AWS_CONFIG_FILE": ("/dev/null", "params.yaml", "/nope"),
    "TMPDIR": ("/nope", "", "params.yaml"),
    "HOME": ("/nope", "", "relative"),
    "TZ": ("Nowhere/Nothing", "", ":x"),
    "LC_ALL": ("C", "xx_YY.UTF-8", "POSIX"),
    "PYTHONUTF8": ("0",),
    "COLUMNS": ("0", "-1", "many"),
    "OMP_NUM_THREADS": ("0", "-1", "many", "100000"),
    "NO_COLOR": ("1",),
    "GDAL_DATA": ("/nope",),
    "PROJ_DATA": ("/nope",),
}  # fmt: skip

_HARMLESS = ("TMPDIR", "HOME", "TZ", "LC_ALL", "PYTHONUTF8", "COLUMNS", "OMP_NUM_THREADS", "NO_COLOR")

_COMMANDS: dict[str, tuple[str, ...]] = {
    "list": ("components.acquisitions", "list"),
    "register": ("components.acquisitions", "register"),
    "withdraw": ("components.acquisitions", "withdraw", "good", "--reason", "a test"),
    "verify": ("components.housekeeping", "verify"),
    "plan": ("components.runs", "gate", "--run", "r1"),
}


_BOTH = ("STORMSIGHT_OBJECTS", "STORMSIGHT_LANDING")
_USES = {"list": _BOTH, "register": _BOTH} | dict.fromkeys(("withdraw", "verify", "plan"), _BOTH[:1])
"""Folders that each command reads."""


class Environment(SingleReader):
    """Odd environment variables, one at a time, around the services' commands."""

    name = "environment"

    def set_up(self) -> None:
        """Register a tiny acquisition; keep what each command says undisturbed."""
        self.sound = self.fresh("sound")
        land(open_objects(str(self.sound / "landing")), "good", release(1, 1, strip_of_day(1)))
        write_parameters(self.sound / "params.yaml")
        self.right: dict[str, str] = {}
        ended = preload(command(*_COMMANDS["register"]), self.sound, variables=self._variables())
        assert ended.code == 0, ended.stderr
        for name in ("list", "verify"):
            ended = preload(command(*_COMMANDS[name]), self.sound, variables=self._variables())
            assert ended.code == 0, ended.stderr
            self.right[name] = ended.stdout

    def judge_one(self, seed: int) -> Judgement:
        """Run one command with one odd variable."""
        rng = Random(seed)
        folder = self.fresh("case")
        for name in ("landing", "objects"):
            shutil.copytree(self.sound / name, folder / name)
        shutil.copy(self.sound / "params.yaml", folder)
        name = rng.choice(list(_COMMANDS))
        variable = rng.choice(list(_VARIABLES))
        value = rng.choice(_VARIABLES[variable])
        uses_s3 = variable.startswith("AWS_")
        variables = self._variables()
        if uses_s3:
            variables["STORMSIGHT_OBJECTS"] = "s3://bucket/x"
            variables |= {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a"}
            variables |= {
                "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_MAX_ATTEMPTS": "1",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        variables[variable] = value
        ended = run_forked(command(*_COMMANDS[name]), folder, variables=variables, limit_s=30)
        described = f"{name} with {variable}={value[:40]!r}"
        if ended.code == NOTHING_TO_DO and "Traceback" not in ended.stderr:
            return Judgement(self.name, seed, described, Outcome.ACCEPTED, "nothing to do", ended.seconds)
        accepted = None
        if variable in _HARMLESS and name in self.right and ended.stdout != self.right[name]:
            accepted = "says something else"
        elif variable in _USES[name] and value in (
            "/etc/passwd",
            "params.yaml",
            "/dev/null",
        ):
            accepted = f"{variable} names a file, and no word of it"
        names = (variable, value[:20] or variable, "objects", "landing", "bucket", "r1", "AWS")
        return judged(self.name, seed, described, ended, names=names, accepted=accepted)

    def _variables(self) -> dict[str, str | None]:
        return {
            "STORMSIGHT_LANDING": "landing",
            "STORMSIGHT_OBJECTS": "objects",
            "STORMSIGHT_PROFILE": "smoke",
        }


_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_PRIVATE, _MS_REC = 1, 32, 1 << 18, 1 << 14

_STAGES: dict[str, str] = {
    "validate": "components.validate --raw raw --features out/features --validated out/validated "
    "--reports out/reports",
    "prepare": "components.prepare --raw raw --validated validated --out out/prepared "
    "--metrics out/metrics/metrics.json",
    "download": "components.download --output out/raw --staging out/staging --catalogue catalogue",
    "register": "components.acquisitions register",
}
"""Commands whose outputs go below ``out``."""


class Disk(SingleReader):
    """Outputs on a disk that is too small or cannot be written: exit 71, nothing partial, no debris."""

    name = "disk"

    def set_up(self) -> None:
        """Make the inputs of every command; keep the hashes of undisturbed outputs."""
        base = landed(self.folder.parent)
        self.sound = self.fresh("sound")
        read_release(base).write(self.sound / "raw/p00")
        write_parameters(self.sound / "params.yaml", acquisitions=["chaos"])
        (self.sound / "catalogue").mkdir()
        entry = (
            "id: chaos\ntitle: A release (simulated)\nsensor: simulated-airborne\nsimulated: true\n"
            f"source: file://{base.parents[1]}\nprefix: train/AOI_11_Rotterdam/\n"
            "licence: {name: none needed, credit: simulated by this repository}\n"
            "products: [SAR-Intensity, PS-RGB, Buildings, Summary]\n"
        )
        (self.sound / "catalogue" / "chaos.yaml").write_text(entry, encoding="utf-8")
        land(open_objects(str(self.sound / "landing")), "good", release(1, 1, strip_of_day(1)))
        self.right: dict[str, dict[str, str]] = {}
        self.bytes: dict[str, int] = {}
        for name in ("validate", "prepare", "download", "register"):
            ended = self._run(name, self.sound, preload, None)
            assert ended.code == 0, ended.stderr
            out = self.sound / "out"
            self.right[name] = hashes(out)
            self.bytes[name] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            if name == "validate":
                shutil.copytree(out / "validated", self.sound / "validated")
            shutil.rmtree(out)

    def judge_one(self, seed: int) -> Judgement:
        """Run one command on one disk."""
        rng = Random(seed)
        name = rng.choice(list(_STAGES))
        kind = rng.choice(("small", "small", "small", "read-only", "files"))
        size = rng.choice((4096, int(self.bytes[name] * rng.random()), self.bytes[name]))
        folder = self.fresh("case")
        for path in self.sound.iterdir():
            (folder / path.name).symlink_to(path)
        (folder / "out").mkdir()
        ended = self._run(name, folder, run_forked, (kind, max(4096, size)))
        described = f"{name}: {kind} disk" + ("" if kind == "read-only" else f", {size} bytes")
        listing = folder / "listing.json"
        found = json.loads(listing.read_text()) if listing.exists() else hashes(folder / "out")
        wrong = self._left(name, ended, found)
        result = judged(
            self.name, seed, described, ended, names=("out", "disk", "space"), accepted=wrong, left=wrong
        )
        if result.outcome is Outcome.REFUSED and ended.code != 71:
            return Judgement(
                self.name, seed, described, Outcome.BREACH, f"exit {ended.code} instead of 71", ended.seconds
            )
        return result

    def _run(self, name: str, folder: Path, run: Callable[..., Ended], disk: tuple[str, int] | None) -> Ended:
        work = command(*_STAGES[name].split())
        limit = disk[1] if disk is not None and disk[0] == "files" else None
        listed = work if disk is None or disk[0] == "files" else _mounted(work, *disk)
        variables = {"STORMSIGHT_LANDING": "landing", "STORMSIGHT_OBJECTS": "out/objects"}
        return run(listed, folder, variables=variables, file_bytes=limit, limit_s=60)

    def _left(self, name: str, ended: Ended, found: dict[str, str]) -> str | None:
        """Return what of the outputs is neither absent nor as undisturbed, or is debris."""
        right = self.right[name]
        for path, digest in found.items():
            parts = Path(path).parts
            if parts[0] == "staging":  # what has arrived is kept for the next run
                continue
            if any(part.startswith(".") and part not in (".lock",) for part in parts) and ".tmp" not in path:
                return f"left {path}"
            if path not in right:
                return f"left {path}"
            if digest != right[path] and not path.startswith(("objects/", "reports/docs")):
                return f"left a part of {path}"
        if ended.code == 0 and set(found) - {p for p in found if p.startswith("staging")} < {
            p for p in right if not p.startswith(("staging", "objects"))
        }:
            return "succeeded without all of its outputs"
        return None


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below ``folder``."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _mounted(work: Callable[[], None], kind: str, size: int) -> Callable[[], None]:
    """Return ``work`` with a disk of its own at ``out``; its files are listed in ``listing.json`` at the end.

    The mount lives in a namespace of the child's and ends with it.
    """

    def mounted() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        user, group = os.getuid(), os.getgid()
        if libc.unshare(_CLONE_NEWNS) != 0:
            _checked(libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        _checked(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
        _checked(libc.mount(b"tmpfs", b"out", b"tmpfs", 0, f"size={size}".encode()))
        if kind == "read-only":
            _checked(libc.mount(None, b"out", None, _MS_REMOUNT | _MS_RDONLY, None))
        here = Path.cwd()
        try:
            work()
        finally:
            (here / "listing.json").write_text(json.dumps(hashes(here / "out")))

    return mounted


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "no mounts here")
