"""Kills of the stages and services that handle data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

from components.lib.objects.opening import open_objects
from tests.acquisitions.releases import land, release, strip_of_day
from tests.campaign.processes import command, run_forked
from tests.campaign.readers.kills import Killed, content
from tests.campaign.verdicts import Ended
from tests.campaign.world import landed, read_release, run_stages, write_parameters
from tests.download.release import ARGUMENTS, entry, tarball, write_world
from tests.download.release import release as delivery


class KilledValidate(Killed):
    """``validate`` on 12 tiles."""

    name = "kill-validate"

    def make_inputs(self, folder: Path) -> None:
        """Write shards and parameters."""
        read_release(landed(self.folder.parent)).write(folder / "data/raw/p00")
        write_parameters(folder / "params.yaml")

    def work(self) -> None:
        """Validate."""
        command("components.validate")()

    def result(self, folder: Path) -> Any:
        """Everything but the data docs, which hold the time."""
        return content(folder, without=("reports/validate/docs",))


class KilledPrepare(Killed):
    """``prepare`` on 12 tiles."""

    name = "kill-prepare"

    def make_inputs(self, folder: Path) -> None:
        """Write shards and parameters; validate them."""
        read_release(landed(self.folder.parent)).write(folder / "data/raw/p00")
        write_parameters(folder / "params.yaml")
        _, ended = run_stages(folder, ("validate",))
        assert ended.code == 0, ended.stderr

    def work(self) -> None:
        """Prepare."""
        command("components.prepare")()

    def result(self, folder: Path) -> Any:
        """The store and its metrics."""
        return content(folder)


class KilledDownload(Killed):
    """``download`` of loose files and of a tarball."""

    name = "kill-download"

    def make_inputs(self, folder: Path) -> None:
        """Write a mirror, a tarball and their catalogue entries."""
        files = delivery(tiles=8, sar_bytes=200_000)
        for path, data in files.items():
            (folder / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "mirror" / path).write_bytes(data)
        more = delivery(tiles=6, sar_bytes=200_000, seed=1)
        (folder / "t.tar.gz").write_bytes(tarball(more))
        loose, packed = entry("file://mirror"), entry("file://t.tar.gz", id="packed")
        write_world(folder, [loose, packed])

    def work(self) -> None:
        """Download both."""
        command("components.download", *ARGUMENTS)()

    def result(self, folder: Path) -> Any:
        """Files that later stages read."""
        return content(folder / "raw")


class KilledRegister(Killed):
    """``acquisitions register`` of two landings."""

    name = "kill-register"
    variables: ClassVar[dict[str, str | None]] = {
        "STORMSIGHT_LANDING": "landing",
        "STORMSIGHT_OBJECTS": "objects",
    }

    def make_inputs(self, folder: Path) -> None:
        """Land two tiny acquisitions."""
        for day, name in enumerate(("first", "second"), start=1):
            land(open_objects(str(folder / "landing")), name, release(3, day, strip_of_day(day)))

    def work(self) -> None:
        """Register; nothing new is success, too: an earlier attempt may have got as far."""
        try:
            command("components.acquisitions", "register")()
        except SystemExit as leave:
            raise SystemExit(0 if leave.code == 99 else leave.code) from None

    def result(self, folder: Path) -> Any:
        """Registrations, the words of the ledger's verification, and the catalogue."""
        listed = run_forked(
            command("components.acquisitions", "list", "--json"), folder, variables=self.variables
        )
        verified = run_forked(command("components.housekeeping", "verify"), folder, variables=self.variables)
        return [listed.stdout, verified.code, sorted(content(folder / "objects" / "catalogue").items())]


class KilledWithdraw(KilledRegister):
    """``acquisitions withdraw``: one entry of a ledger."""

    name = "kill-ledger"

    def make_inputs(self, folder: Path) -> None:
        """Land and register."""
        super().make_inputs(folder)
        ended = run_forked(command("components.acquisitions", "register"), folder, variables=self.variables)
        assert ended.code == 0, ended.stderr

    def work(self) -> None:
        """Withdraw one acquisition."""
        command("components.acquisitions", "withdraw", "first", "--reason", "a test")()


class KilledLand(Killed):
    """``acquisitions land`` of a folder."""

    name = "kill-land"
    variables: ClassVar[dict[str, str | None]] = {
        "STORMSIGHT_LANDING": "landing",
        "STORMSIGHT_OBJECTS": "objects",
    }

    def make_inputs(self, folder: Path) -> None:
        """Copy the simulated release."""
        shutil.copytree(landed(self.folder.parent).parents[1], folder / "release")
        (folder / "release" / "COMPLETE.json").unlink()

    def work(self) -> None:
        """Land it; that it has landed before is success: an earlier attempt got as far."""
        words = ("--title", "t", "--licence", "none needed", "--credit", "nobody")
        try:
            command("components.acquisitions", "land", "--id", "x", "--folder", "release", *words)()
        except SystemExit as leave:
            done = leave.code == 78 and Path("landing/x/COMPLETE.json").exists()
            raise SystemExit(0 if done else leave.code) from None

    def wrong(self, ended: Ended) -> str | None:
        """A refusal because it has landed is no flaw."""
        return None if ended.code == 0 else super().wrong(ended)

    def result(self, folder: Path) -> Any:
        """All that landed."""
        return content(folder / "landing" / "x")
