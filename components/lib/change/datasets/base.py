"""Declarations a data set of pairs consists of: images, labels, splits, facts to be cited.

A data set is a :class:`PairDataset` in a module of this package and an entry of ``PAIR_DATASETS`` in
:mod:`components.lib.change.datasets.registry`. Readers know no folder and no label value of their own.

Facts that could not be confirmed in public documentation are named in ``unconfirmed``; nothing is built on
them but a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from components.lib.change.terms import Kind, Modality, Split

SPLIT_FOLDERS: Mapping[Split, tuple[str, ...]] = MappingProxyType(
    {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
)
"""Names, in lower case, by which folders and split lists are known to belong to a split."""

LIST_FOLDERS = ("list", "lists", "split", "splits", "splitname")
"""Folders in which text files named after the splits list pairs; a list next to the images counts, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """Files of one date: where they lie and how they are named.

    Attributes:
        folders: Names, in lower case, of the folders that hold them; any of them is taken. With
            ``PairDataset.folder_per_pair`` names of the files themselves, without extension.
        ending: End of a file's name before its extension, which is no part of the pair's name.
    """

    folders: tuple[str, ...]
    ending: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPart(ImagePart):
    """Labels of a pair.

    Attributes:
        kind: Kind of change that this label shows; None where it shows all kinds.
    """

    kind: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCoding:
    """Meaning of a label's values.

    Attributes:
        values: Value of ``Pair.label`` by value of the file. Empty for labels of two values, which are
            recognised: 0 and 1, 0 and 255, or black and one other colour (of an RGB or a palette image).
        lossy: True for two-valued labels stored as JPEG, whose values are near 0 and 255.
    """

    values: Mapping[int, int] = field(default_factory=dict)
    lossy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDataset:
    """A data set of pairs as its files are laid out and meant.

    Attributes:
        name: Key in ``PAIR_DATASETS``.
        title: Name in publications.
        before: Images of the first date.
        after: Images of the second date.
        labels: Labels; several are united, and each kind's changed areas are kept as buildings.
        meaning: What the label marks, in words.
        coding: Values of the labels.
        before_modality: Modality of the first date.
        after_modality: Modality of the second date.
        split_lists: Names, in lower case, of text files that list the pairs of a split.
        folder_per_pair: True if each pair has a folder of its own, whose name is the pair's.
        default_split: Split of pairs for which no folder, list or name tells one; None if that is an error.
        scene: Regular expression that finds the scene at the start of a pair's name; empty if each pair is
            a scene of its own.
        black_is_no_data: True if a pixel that is 0 in all bands has no data. In other data sets black is a
            colour, and stored as 1, as 0 means no data in the store.
        gsd_m: Ground pixel size, metres; None where it varies or is unknown.
        pairs: Number of pairs of each official split; empty where there is no official split.
        side_px: Side of an official pair, pixels; None where pairs come in several sizes.
        licence: Terms of use, as published.
        citation: Publication to cite.
        sources: Where the facts are from.
        unconfirmed: Statements above that are from memory or could not be confirmed.
    """

    name: str
    title: str
    before: ImagePart
    after: ImagePart
    labels: tuple[LabelPart, ...]
    meaning: str
    coding: LabelCoding = LabelCoding()
    before_modality: Modality = "optical"
    after_modality: Modality = "optical"
    split_lists: Mapping[Split, tuple[str, ...]] = field(
        default_factory=lambda: {
            split: tuple(f"{name}.txt" for name in names) for split, names in SPLIT_FOLDERS.items()
        }
    )
    folder_per_pair: bool = False
    default_split: Split | None = None
    scene: str = ""
    black_is_no_data: bool = False
    gsd_m: float | None
    pairs: Mapping[Split, int]
    side_px: int | None
    licence: str
    citation: str
    sources: str
    unconfirmed: str = ""

    def scene_of(self, name: str) -> str:
        """Return the scene of a pair."""
        match = re.match(self.scene, name) if self.scene else None
        return match[0] if match else name
