"""Ends of a stage without its work: what the process of a stage leaves, whichever way it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from components.contract.errors import ChampionChangedError, StormsightError
from components.contract.hashing import sha256_json
from components.contract.keys import CHAMPIONS, DECISION
from components.lib.files import write_json
from components.lib.objects.opening import objects_from_environment
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionLedgers, head_of
from components.lib.registry.served import SAR_MODEL
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.decisions import SavedDecisions
from components.promote.promotion import carry_out
from components.runs.checkpoints import FOLDER
from components.runs.worker import RESULT
from components.runs.workspace import STATE, write_lock
from tests.lib.registry.models import register_version

Process = Callable[[Path, str, Mapping[str, str]], int]
"""Process of a stage: workspace, address and environment to exit code. An error is one of its command."""


def finishes(workspace: Path, address: str, environment: Mapping[str, str]) -> int:
    """Leave what a finished stage leaves."""
    del environment
    return _leave(workspace, address, {})


def ends(exit_code: int, *, checkpoint: str | None = None) -> Process:
    """Return a process that ends with a code, after it wrote a checkpoint."""

    def process(workspace: Path, address: str, environment: Mapping[str, str]) -> int:
        del address, environment
        if checkpoint is not None:
            (workspace / FOLDER).mkdir(parents=True)
            (workspace / FOLDER / "last.pt").write_text(checkpoint)
        return exit_code

    return process


def goes_on_from(checkpoint: str) -> Process:
    """Return a process that finishes, and needs the checkpoint of the attempt before."""

    def process(workspace: Path, address: str, environment: Mapping[str, str]) -> int:
        assert (workspace / FOLDER / "last.pt").read_text() == checkpoint
        return finishes(workspace, address, environment)

    return process


def fails(error: StormsightError) -> Process:
    """Return a process whose command fails."""

    def process(workspace: Path, address: str, environment: Mapping[str, str]) -> int:
        raise error

    return process


@dataclass
class Gate:
    """Stage ``promote`` for models of known quality; registry, ledger and saved decisions are the real ones.

    Attributes:
        folder: Folder for the models' files.
        qualities: Quality by version.
    """

    folder: Path
    qualities: dict[str, float] = field(default_factory=dict)

    @property
    def registry(self) -> ChampionRegistry:
        ledgers = ChampionLedgers(objects_from_environment(), CHAMPIONS)
        return ChampionRegistry(connect(TrackingParameters()), ledgers, SAR_MODEL)

    def judging(self, quality: float, *, meanwhile: Callable[[], None] = lambda: None) -> Process:
        """Return a process that judges a challenger; ``meanwhile`` happens before its decision counts."""

        def process(workspace: Path, address: str, environment: Mapping[str, str]) -> int:
            with patch.dict(os.environ, environment):
                part = self._judge(quality, meanwhile)
            document = {"simulated": True, "models": {SAR_MODEL: part}}
            return _leave(workspace, address, {DECISION: document})

        return process

    def _judge(self, quality: float, meanwhile: Callable[[], None]) -> dict[str, Any]:
        registry = self.registry
        saved = SavedDecisions({}, {SAR_MODEL: registry}, Path("unread"))
        decision = saved.load_or_save(lambda _: self._decide(registry, quality))[SAR_MODEL]
        digest = sha256_json(decision)
        meanwhile()
        try:
            if decision["outcome"] == "promoted":
                carry_out(registry, decision, digest)
            else:
                registry.require_champion(decision["champion_version"], version=decision["version"])
        except ChampionChangedError:
            saved.keep_only({})
            raise
        return {
            "outcome": decision["outcome"],
            "reasons": decision["reasons"],
            "decision": decision,
            "decision_sha256": digest,
        }

    def _decide(self, registry: ChampionRegistry, quality: float) -> dict[str, Any]:
        champion = registry.current()
        version = register_version(registry.connection, self.folder, f"quality {quality}")
        self.qualities[version] = quality
        gain = quality - (0.0 if champion is None else self.qualities[champion])
        words = f"the gain over version {champion} is {gain:+.2f}"
        return {
            "model": SAR_MODEL,
            "method": "concord",
            "metric": "iou",
            "challenger": {"value": quality},
            "simulated": True,
            "outcome": "promoted" if gain > 0 else "refused",
            "reasons": [words],
            "version": version,
            "champion_version": champion,
            "ledger_head": head_of(registry.ledger.entries()),
        }


@dataclass
class Script:
    """Ends of the stages by address, attempt after attempt; one that is not named finishes."""

    ends: dict[str, list[Process]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def supervise(
        self,
        workspace: Path,
        address: str,
        *,
        environment: Mapping[str, str],
        report: Path,
        on_tick: Callable[[], None],
        **_: object,
    ) -> int:
        """Stand in for ``components.runs.supervision.supervise``."""
        self.ran.append(address)
        on_tick()
        left = self.ends.get(address)
        process = left.pop(0) if left else finishes
        try:
            return process(workspace, address, environment)
        except StormsightError as error:
            report.write_text(json.dumps({"message": error.message, "next_step": error.next_step}))
            return error.exit_code


def _leave(workspace: Path, address: str, metrics: Mapping[str, Any]) -> int:
    write_json(workspace / STATE / RESULT, {"restored": False, "metrics": metrics, "seconds": {"run": 1.0}})
    write_lock(workspace, {address: {"cmd": "none"}})
    return 0
