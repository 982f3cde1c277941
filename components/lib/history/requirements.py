"""Resources and order of the present graph's stages: what a finished stage is counted with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import StormsightError
from components.contract.graph.load import load_graph
from components.contract.work import Requirements

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Stages:
    """Requirements by address and by name, and the addresses upstream of each stage."""

    requirements: Mapping[str, Requirements]
    upstream: Mapping[str, tuple[str, ...]]


class GraphRequirements:
    """Requirements of the stages of ``dvc.yaml``, loaded once for each profile.

    Args:
        source: Folder of ``dvc.yaml`` and ``params.yaml``; None for no graph at all.
    """

    def __init__(self, source: Path | None) -> None:
        self._source = source
        self._loaded: dict[str | None, _Stages] = {}

    def of(self, stage: str, profile: str | None) -> Requirements | None:
        """Return what the graph asks for; None if it has no such stage or cannot be loaded.

        The parts of a stage share their requirements, so a part that the graph lacks, such as one of an
        acquisition that was registered later, has those of the others.

        Args:
            stage: Address of the stage, such as ``distill@concord``.
            profile: Profile of params.yaml that the training had; None for the file's own.
        """
        found = self._stages(profile).requirements
        return found.get(stage) or found.get(stage.partition("@")[0])

    def upstream(self, stage: str, profile: str | None) -> tuple[str, ...] | None:
        """Return the stages that a stage reads from; None if the graph has no such stage."""
        return self._stages(profile).upstream.get(stage)

    def names(self, profile: str | None) -> tuple[str, ...]:
        """Return the names of all stages, parts left out, sorted."""
        return tuple(sorted({address.partition("@")[0] for address in self._stages(profile).upstream}))

    def _stages(self, profile: str | None) -> _Stages:
        if profile not in self._loaded:
            self._loaded[profile] = self._load(profile)
        return self._loaded[profile]

    def _load(self, profile: str | None) -> _Stages:
        if self._source is None:
            return _Stages({}, {})
        try:
            graph = load_graph(self._source / "dvc.yaml", self._source / "params.yaml", profile)
        except StormsightError as error:  # durations stand without it
            LOG.warning("the resources of stages are unknown: %s", error.message)
            return _Stages({}, {})
        by_name = {stage.address.partition("@")[0]: stage.requirements for stage in graph}
        upstream: dict[str, list[str]] = {address: [] for address in graph.addresses}
        for before, after in sorted(graph.edges):
            upstream[after].append(before)
        return _Stages(
            by_name | {stage.address: stage.requirements for stage in graph},
            {address: tuple(before) for address, before in upstream.items()},
        )
