"""Stages, and the edges between them that follow from paths."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from components.contract.errors import ParameterError
from components.contract.work import Requirements


class Parameter(NamedTuple):
    """A parameter a stage depends on; an empty ``key`` stands for the whole file."""

    path: str
    key: str


@dataclass(frozen=True)
class Stage:
    """One stage, resolved: the commands that DVC runs, its paths, and its requirements.

    Attributes:
        address: The name DVC knows it by, ``name`` or ``name@key``.
        cmd: Its command lines, in order.
        deps: Paths it reads, relative to ``dvc.yaml``.
        outs: Paths it writes (outs, metrics and plots), relative to ``dvc.yaml``.
        params: The parameters it depends on.
        requirements: Image, resources and retry class (``meta``).
        desc: One line about it.
    """

    address: str
    cmd: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[Parameter, ...]
    requirements: Requirements
    desc: str = ""


@dataclass(frozen=True)
class Graph:
    """The stages of one ``dvc.yaml``, checked: no path is written twice, and there is no cycle."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        _refuse_overlaps(self.stages)
        self.order()

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __getitem__(self, address: str) -> Stage:
        return next(stage for stage in self.stages if stage.address == address)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every stage's address, in the order of ``dvc.yaml``."""
        return tuple(stage.address for stage in self.stages)

    @cached_property
    def edges(self) -> frozenset[tuple[str, str]]:
        """Pairs (upstream, downstream): the second reads what the first writes.

        As in DVC, a dependency meets an output if either path contains the other: a stage may read a file
        inside another's output folder, or a folder in which several stages leave their outputs.
        """
        # By path, not by pairs of stages: there are some two hundred with 64 partitions.
        outs = {out: stage.address for stage in self.stages for out in stage.outs}
        below: dict[str, set[str]] = {}
        for out, address in outs.items():
            for folder in _folders(out):
                below.setdefault(folder, set()).add(address)
        return frozenset(
            (writer, reader.address)
            for reader in self.stages
            for read in {*reader.deps, *(parameter.path for parameter in reader.params)}
            for writer in below.get(read, set()) | {outs[path] for path in _folders(read) if path in outs}
        )

    def order(self) -> tuple[str, ...]:
        """Addresses so that each comes after everything it reads from.

        Raises:
            ParameterError: If stages wait for each other.
        """
        sorter = TopologicalSorter({address: self.upstream(address) for address in self.addresses})
        try:
            return tuple(sorter.static_order())
        except CycleError as error:
            ring = " -> ".join(reversed(error.args[1]))
            raise ParameterError(
                f"dvc.yaml: stages wait for each other: {ring}",
                next_step="remove one of these dependencies from dvc.yaml",
            ) from error

    def upstream(self, address: str) -> tuple[str, ...]:
        """Stages whose outputs ``address`` reads."""
        return tuple(a for a in self.addresses if (a, address) in self.edges)

    def downstream(self, address: str) -> tuple[str, ...]:
        """Stages that read the outputs of ``address``."""
        return tuple(a for a in self.addresses if (address, a) in self.edges)

    @property
    def roots(self) -> tuple[str, ...]:
        """Stages that read no other stage's output."""
        return tuple(a for a in self.addresses if not self.upstream(a))

    @property
    def leaves(self) -> tuple[str, ...]:
        """Stages whose outputs no other stage reads."""
        return tuple(a for a in self.addresses if not self.downstream(a))


def normalise(path: str, wdir: str = "") -> str:
    """Return ``path`` of a stage with working directory ``wdir`` relative to ``dvc.yaml``; URLs stay."""
    if "://" in path:
        return path
    return posixpath.normpath(posixpath.join(wdir, path))


def _folders(path: str) -> Iterator[str]:
    """Yield ``path`` itself and every folder above it."""
    yield path
    while (parent := posixpath.dirname(path)) not in ("", path):
        yield (path := parent)
    yield "."


def contains(folder: str, path: str) -> bool:
    """Return ``True`` if ``path`` is ``folder`` itself or lies below it."""
    return folder in (path, ".") or path.startswith(f"{folder}/")


def _refuse_overlaps(stages: tuple[Stage, ...]) -> None:
    """Raise where two stages write one path, as DVC does: the result would depend on their order."""
    outs = [(out, stage.address) for stage in stages for out in stage.outs]
    for index, (out, address) in enumerate(outs):
        for other, owner in outs[:index]:
            if contains(out, other) or contains(other, out):
                raise ParameterError(
                    f"dvc.yaml: stage {address!r} writes {out}, which overlaps {other} of stage {owner!r}",
                    next_step="give each output a path of its own",
                )
