"""Files of a data set's pairs: which belong together, in which split, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from components.contract.errors import BadDataError, MissingInputError
from components.lib.change.datasets.base import LIST_FOLDERS, SPLIT_FOLDERS, ImagePart, PairDataset
from components.lib.change.terms import Kind, Split
from components.lib.folders import files_of_folder, read_bounded
from components.lib.foreign import decode_text, one_line

EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Endings of files that are read, in lower case; others are no images of ours."""

MOST_LIST_BYTES = 64 * 2**20

Reason = Literal[
    "name", "partner", "split", "unreadable", "size", "bands", "type", "label", "grid", "order", "pair"
]
"""Kinds of reasons why a pair is left out."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A pair or file that is left out.

    Attributes:
        name: Pair, or path of a file in its data set.
        reason: Kind of reason.
        message: The reason in words.
    """

    name: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Files of one pair, by their paths in the data set.

    Attributes:
        name: Name that is unique in the data set.
        scene: Ground that it shows.
        split: Part of the data set.
        before: Image of the first date.
        after: Image of the second date.
        labels: Labels with the kind of change that each shows.
    """

    name: str
    scene: str
    split: Split
    before: str
    after: str
    labels: tuple[tuple[str, Kind | None], ...]


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """Contents of a data set's folder.

    Attributes:
        files: All its regular files by relative path.
        pairs: Complete pairs by split (train, val, test) and name.
        refused: What was left out.
        warnings: Facts about the data set as a whole that a reader should know.
    """

    files: Mapping[str, Path]
    pairs: list[PairFiles] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """Part of a pair that a file can be: a date's image or a label."""

    name: str
    declared: ImagePart
    kind: Kind | None = None


def find_pairs(root: Path, dataset: PairDataset) -> FoundPairs:
    """Find the pairs of a data set below ``root``.

    The split of a pair is told by a split list if there are any, else by the folders above it, else by the
    start of its name, else by the declaration.

    Raises:
        MissingInputError: If ``root`` is no folder.
        BadDataError: If it holds no image in the data set's layout, or a split list is no text.
    """
    if not root.is_dir():
        raise MissingInputError(
            f"{root} is no folder",
            next_step="give --source, or set pairs.folders, to the folder of the data set",
        )
    refused: list[Refused] = []
    files = files_of_folder(root, lambda key, why: refused.append(Refused(one_line(key), "name", why)))
    found = FoundPairs(files, refused=refused)
    parts = _parts(dataset)
    grouped = _grouped(files, dataset, parts)
    absent = [part for part in parts[:2] if not any(part.name in group for group in grouped.values())]
    if absent:
        raise BadDataError(
            f"{root} holds no image of the data set {dataset.name} in a folder "
            f"{', and none in '.join(' or '.join(part.declared.folders) for part in absent)}",
            next_step="name the folder that holds these folders or the splits, or another data set",
        )
    listed = _split_lists(files, dataset, {name for _, name in grouped})
    places = _Places(dataset, listed)
    _join(found, grouped, places, parts)
    refused.extend(
        Refused(one_line(name), "partner", f"it is in the list of {listed[name]}, and there is no such file")
        for name in sorted(set(listed) - {name for _, name in grouped})
    )
    found.pairs.sort(key=lambda pair: (list(SPLIT_FOLDERS).index(pair.split), pair.name))
    _leave_out_unlabelled(found, dataset)
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    """Rules that tell the split of a pair."""

    dataset: PairDataset
    listed: Mapping[str, Split]

    def split_of(self, folder_split: Split | None, name: str) -> Split | None:
        if self.listed:
            return self.listed.get(name)
        if folder_split is not None:
            return folder_split
        starts = (split for split in SPLIT_FOLDERS if name.lower().startswith((f"{split}_", f"{split}-")))
        return next(starts, self.dataset.default_split)


_Group = dict[str, list[str]]
"""Paths by the part of a pair that they are."""


def _parts(dataset: PairDataset) -> list[_Part]:
    return [
        _Part("before", dataset.before),
        _Part("after", dataset.after),
        *(_Part(f"label {i}", label, label.kind) for i, label in enumerate(dataset.labels)),
    ]


def _grouped(
    files: Mapping[str, Path], dataset: PairDataset, parts: list[_Part]
) -> dict[tuple[Split | None, str], _Group]:
    """Return the paths of each pair, known by the split of its folders (None if they tell none) and name."""
    grouped: dict[tuple[Split | None, str], _Group] = defaultdict(lambda: defaultdict(list))
    for key in files:
        path = PurePosixPath(key)
        if path.suffix.lower() not in EXTENSIONS or len(path.parts) < 2 or _is_hidden(path):
            continue
        own_folder = path.parts[-2]
        told = path.stem if dataset.folder_per_pair else own_folder
        part = next((part for part in parts if told.lower() in part.declared.folders), None)
        if part is None:
            continue
        split = _split_of_folders(path.parts[:-2])
        name = own_folder if dataset.folder_per_pair else path.stem.removesuffix(part.declared.ending)
        grouped[split, name][part.name].append(key)
    return grouped


def _is_hidden(path: PurePosixPath) -> bool:
    """Return True for what desktops and editors leave beside files: ``._a.png``, ``.cache``, ``__MACOSX``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _split_of_folders(folders: tuple[str, ...]) -> Split | None:
    for folder in reversed(folders):
        for split, names in SPLIT_FOLDERS.items():
            if folder.lower() in names:
                return split
    return None


def _split_lists(files: Mapping[str, Path], dataset: PairDataset, known: set[str]) -> dict[str, Split]:
    """Return the split of each pair that a list names; lists are text with a file or pair in each line."""
    listed: dict[str, Split] = {}
    for key, path in files.items():
        pure = PurePosixPath(key)
        split = next((s for s, names in dataset.split_lists.items() if pure.name.lower() in names), None)
        if split is None or (len(pure.parts) > 1 and pure.parts[-2].lower() not in LIST_FOLDERS):
            continue
        content = read_bounded(path, key, MOST_LIST_BYTES, next_step="is it a list of pairs?")
        for line in decode_text(content, key).splitlines():
            entry = PurePosixPath(line.strip().replace("\\", "/")).name
            name = entry if entry in known else PurePosixPath(entry).stem
            if not name:
                continue
            if listed.setdefault(name, split) != split:
                raise BadDataError(
                    f"{key} lists {one_line(name)}, which is in the list of {listed[name]}, too",
                    next_step="let every pair be in one list",
                )
    return listed


def _join(
    found: FoundPairs,
    grouped: Mapping[tuple[Split | None, str], _Group],
    places: _Places,
    parts: list[_Part],
) -> None:
    """Add complete pairs and those that are refused to ``found``."""
    by_split: dict[tuple[Split, str], _Group] = {}
    for (folder_split, stem), group in grouped.items():
        split = places.split_of(folder_split, stem)
        if split is None:
            found.refused.append(
                Refused(
                    stem, "split", "no list, folder or name tells its split; use folders train, val and test"
                )
            )
            continue
        merged = by_split.setdefault((split, stem), defaultdict(list))
        for part, keys in group.items():
            merged[part] += keys
    for (split, stem), group in by_split.items():
        name = stem if stem.lower().startswith(split) else f"{split}_{stem}"
        problem = _problem(group, parts, len(places.dataset.labels))
        if problem:
            found.refused.append(Refused(name, "partner", problem))
            continue
        found.pairs.append(
            PairFiles(
                name=name,
                scene=places.dataset.scene_of(name),
                split=split,
                before=group["before"][0],
                after=group["after"][0],
                labels=tuple((group[part.name][0], part.kind) for part in parts[2:] if part.name in group),
            )
        )


def _problem(group: _Group, parts: list[_Part], labels: int) -> str:
    """Return why files do not make up a pair; empty if they do, or if all labels are missing."""
    double = next((keys for keys in group.values() if len(keys) > 1), None)
    if double is not None:
        return f"two files for the same image: {', '.join(double[:4])}"
    missing = [part for part in parts if part.name not in group]
    if len(missing) == labels and all(part.name.startswith("label") for part in missing):
        return ""
    if missing:
        there = next(group[part.name][0] for part in parts if part.name in group)
        return f"{there} has no partner in {' and '.join(part.declared.folders[0] for part in missing)}"
    return ""


def _leave_out_unlabelled(found: FoundPairs, dataset: PairDataset) -> None:
    """Refuse pairs without a label; of a split that has none at all, tell it once."""
    for split in SPLIT_FOLDERS:
        own = [pair for pair in found.pairs if pair.split == split]
        bare = [pair for pair in own if not pair.labels]
        if own and len(bare) == len(own):
            found.warnings.append(f"split {split} has {len(own)} pairs and no label: it is left out")
        else:
            found.refused.extend(
                Refused(
                    pair.name,
                    "partner",
                    f"{pair.before} has no partner in {dataset.labels[0].folders[0]}",
                )
                for pair in bare
            )
    found.pairs[:] = [pair for pair in found.pairs if pair.labels]


def missing_pairs(found: FoundPairs, dataset: PairDataset) -> Iterator[str]:
    """Yield messages about splits that are empty, or have another number of pairs than the official one."""
    for split in SPLIT_FOLDERS:
        count, official = sum(pair.split == split for pair in found.pairs), dataset.pairs.get(split)
        if count == 0 and (official or not dataset.pairs):
            yield f"split {split} has no pair"
        elif official and count != official:
            yield f"split {split} has {count} pairs, the official one {official}"
        elif count and dataset.pairs and official is None:
            yield f"split {split} has {count} pairs; there is no official one of that name"
