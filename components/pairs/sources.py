"""Sources of pairs: a data set's folder, or the simulated world."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from components.contract.errors import ParameterError
from components.lib.change.datasets.base import PairDataset
from components.lib.change.datasets.finding import FoundPairs, PairFiles, Refused, find_pairs, missing_pairs
from components.lib.change.datasets.reading import PairReader
from components.lib.change.datasets.registry import get_pair_dataset
from components.lib.change.pair import Pair
from components.lib.change.store.layout import StoreFacts
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.pairs.parameters import SIMULATED, PairsParameters


class Source(Protocol):
    """Pairs of a data set and what is known about it."""

    facts: StoreFacts
    about: dict[str, Any]
    """Statements of the declaration, for the report."""
    refused: list[Refused]
    """Pairs that were left out; more are added while pairs are read."""

    @property
    def count(self) -> int:
        """Pairs to come, at most."""

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs in the order of the store's rows."""

    def warnings(self) -> list[str]:
        """Return what a reader should know, once all pairs were read."""


@dataclass
class FolderSource:
    """A public data set in a folder.

    Attributes:
        dataset: Its declaration.
        found: Its files.
        reader: Reader of its pairs.
        moved: Scenes that were taken from train for validation.
    """

    dataset: PairDataset
    found: FoundPairs
    reader: PairReader
    facts: StoreFacts
    moved: int = 0
    about: dict[str, Any] = field(init=False)
    refused: list[Refused] = field(init=False)

    def __post_init__(self) -> None:
        declared = self.dataset
        self.about = {
            "title": declared.title,
            "meaning": declared.meaning,
            "licence": declared.licence,
            "citation": declared.citation,
            "sources": declared.sources,
            "unconfirmed": declared.unconfirmed,
            "official_pairs": dict(declared.pairs),
        }
        self.refused = self.found.refused
        self.reader.refused = self.refused

    @property
    def count(self) -> int:
        """Pairs whose files are complete."""
        return len(self.found.pairs)

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs that can be read, by split and name."""
        return self.reader.read_all(self.found.pairs)

    def warnings(self) -> list[str]:
        """Return what is unusual about the data set."""
        told = [*self.found.warnings, *missing_pairs(self.found, self.dataset)]
        if self.moved:
            told.append(f"{self.moved} scenes of train are validation: a split of ours, not an official one")
        if self.reader.unchanged:
            told.append(
                f"{len(self.reader.unchanged)} pairs have the same image at both dates, such as "
                f"{self.reader.unchanged[0]}: was one date copied into both folders?"
            )
        late = len(self.reader.late_before)
        if late:
            told.append(
                f"{late} of {self.reader.dated} dated pairs were taken after before, such as "
                f"{self.reader.late_before[0]}: are the folders of the two dates swapped?"
            )
        return told


@dataclass
class SimulatedSource:
    """The rehearsal world at two dates; every number on it is called simulated."""

    parameters: PairsParameters
    facts: StoreFacts
    about: dict[str, Any]
    refused: list[Refused] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Pairs that are drawn."""
        return self.parameters.simulated.pairs

    def pairs(self) -> Iterator[Pair]:
        """Draw the pairs."""
        from components.simulation.change.pairs import simulated_pairs  # noqa: PLC0415 - real data need no world

        return simulated_pairs(self.parameters.simulated)

    def warnings(self) -> list[str]:
        """Return nothing: the world is what its parameters say."""
        return []


def open_source(name: str, folder: Path | None, parameters: PairsParameters) -> Source:
    """Open a data set.

    Args:
        name: ``simulated``, or a name of ``PAIR_DATASETS``.
        folder: Folder of the data set; None for that of ``parameters``.
        parameters: Section ``pairs``.

    Raises:
        ParameterError: If there is no such data set, no folder of it is known, or one is given for simulated
            pairs.
        MissingInputError: If the folder is none.
        BadDataError: If it holds no image in the data set's layout.
    """
    if name == SIMULATED:
        if folder is not None:
            raise ParameterError(
                f"{folder}: simulated pairs are drawn, not read",
                next_step="leave out --source, or name a data set that lies there",
            )
        about = {
            "title": "simulated pairs of the rehearsal world",
            "meaning": "ground that changed from building to none or from none to building",
            "licence": "none needed: simulated",
            "citation": "docs/decisions/0019-second-date.md",
        }
        facts = _facts(name, parameters, SIMULATED_AIRBORNE.gsd_m, about, simulated=True)
        return SimulatedSource(parameters, facts, about)
    dataset = get_pair_dataset(name)
    place = folder or (Path(parameters.folders[name]) if name in parameters.folders else None)
    if place is None:
        raise ParameterError(
            f"no folder of the data set {name} is known", next_step="give --source, or set pairs.folders"
        )
    found = find_pairs(place, dataset)
    moved = set_aside(found, parameters.val_share)
    reader = PairReader(found.files, dataset, parameters.value_range)
    terms = {"licence": dataset.licence, "citation": dataset.citation}
    facts = _facts(name, parameters, dataset.gsd_m, terms, simulated=False)
    return FolderSource(dataset, found, reader, facts, moved)


def set_aside(found: FoundPairs, share: float) -> int:
    """Make some training scenes validation if there is no validation pair; return their number.

    Scenes are taken in the order of a hash of their names, at least one and never all of them.
    """
    train = [pair for pair in found.pairs if pair.split == "train"]
    scenes = sorted({pair.scene for pair in train}, key=_order)
    if share == 0 or len(scenes) < 2 or any(pair.split == "val" for pair in found.pairs):
        return 0
    chosen = set(scenes[: min(max(1, round(share * len(scenes))), len(scenes) - 1)])
    found.pairs[:] = _sorted_by_split(
        [
            replace(pair, split="val") if pair.split == "train" and pair.scene in chosen else pair
            for pair in found.pairs
        ]
    )
    return len(chosen)


def _sorted_by_split(pairs: Sequence[PairFiles]) -> list[PairFiles]:
    return sorted(pairs, key=lambda pair: (("train", "val", "test").index(pair.split), pair.name))


def _order(scene: str) -> bytes:
    return hashlib.sha256(scene.encode()).digest()


def _facts(
    name: str, parameters: PairsParameters, gsd_m: float | None, about: dict[str, str], *, simulated: bool
) -> StoreFacts:
    return StoreFacts(
        data_set=name,
        tile_px=parameters.tile_side(name),
        gsd_m=gsd_m,
        simulated=simulated,
        licence=about["licence"],
        citation=about["citation"],
    )
