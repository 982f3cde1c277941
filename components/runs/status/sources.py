"""Sources of the page, each read once for all sections that need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter

from components.contract.keys import CHAMPIONS
from components.lib.objects.opening import landing_from_environment, open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.operations.records import Records, StageRecord
from components.lib.operations.state import Claim, State
from components.lib.registry.ledger import ChampionLedgers
from components.runs.environment import Environment


@dataclass(frozen=True)
class Sources:
    """Stores of one command; what could not be read is tried again by the next section.

    Attributes:
        environment: Settings of the command.
    """

    environment: Environment
    _stages: dict[str, dict[str, StageRecord]] = field(default_factory=dict)

    @cached_property
    def objects(self) -> ObjectStore:
        """Store of ledger, plans and records."""
        return self.environment.objects

    @cached_property
    def remote(self) -> ObjectStore:
        """DVC's remote."""
        return open_objects(self.environment.remote)

    @cached_property
    def landing(self) -> ObjectStore:
        """Store in which acquisitions arrive."""
        return landing_from_environment()

    @cached_property
    def ledgers(self) -> ChampionLedgers:
        """Ledgers of all champions."""
        return ChampionLedgers(self.objects, CHAMPIONS)

    @cached_property
    def state(self) -> State:
        """State of the operations, signs of life included.

        Raises:
            BadDataError: If the ledger is broken.
        """
        return Operations(self.objects).state_with_signs()

    @cached_property
    def newest(self) -> list[Claim]:
        """Claims of all trainings, the newest sign of life first."""
        return sorted(self.state.claims.values(), key=attrgetter("alive"), reverse=True)

    def stages(self, key: str) -> dict[str, StageRecord]:
        """Return the records of a training's finished stages, by stage.

        Raises:
            BadDataError: If one is damaged.
        """
        if key not in self._stages:
            self._stages[key] = Records(self.objects, key).stages()
        return self._stages[key]
