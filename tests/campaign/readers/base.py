"""Shape of a reader's part of the campaign."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.campaign.verdicts import Judgement


class Reader(ABC):
    """Draws hostile inputs for one reader of the product and judges what it does with them.

    Args:
        folder: Scratch folder of this reader; valid inputs and undisturbed results are kept there.
    """

    name: ClassVar[str]
    """Name on the command line and in the table."""

    at_once: ClassVar[int] = 1
    """Inputs that one process judges together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.set_up()

    def set_up(self) -> None:  # noqa: B027 - most readers need nothing
        """Make valid inputs and load modules, once."""

    @abstractmethod
    def judge(self, seeds: Sequence[int]) -> list[Judgement]:
        """Judge the inputs that ``seeds`` draw, in their order; at most ``at_once`` of them."""

    def fresh(self, name: str) -> Path:
        """Return an empty folder below the scratch folder."""
        folder = self.folder / name
        if folder.exists():
            make_writable(folder)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder


class SingleReader(Reader):
    """Reader that judges each input by itself."""

    def judge(self, seeds: Sequence[int]) -> list[Judgement]:
        """Judge one input after the other."""
        return [self.judge_one(seed) for seed in seeds]

    @abstractmethod
    def judge_one(self, seed: int) -> Judgement:
        """Judge the input that ``seed`` draws."""


def make_writable(folder: Path) -> None:
    """Give all folders below ``folder`` back their owner's rights, so that they can be removed."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
