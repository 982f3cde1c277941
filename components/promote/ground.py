"""Test ground of a candidate: how its network is loaded, and what it is scored on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel

from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import get_sensor
from components.lib.nets.bundle import load_bundle
from components.lib.nets.config import Modality
from components.lib.nets.network import SegmentationNetwork
from components.lib.registry.loading import load_version
from components.lib.store.store import Store
from components.lib.tracking.connection import Connection
from components.promote.scores import CleanTestScores, score_clean_test

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


class Network(Protocol):
    """A trained network: the configuration that rebuilds it, and JSON values stored beside its weights."""

    metadata: dict[str, Any]

    @property
    def config(self) -> BaseModel:
        """Configuration that rebuilds the network."""


N = TypeVar("N", bound=Network)


class Ground(ABC, Generic[N]):
    """Test data of a candidate.

    Attributes:
        unit: Units that are counted, in words.
    """

    unit: ClassVar[str]

    @property
    @abstractmethod
    def simulated(self) -> bool:
        """True if any of the data is of the simulated world."""

    @property
    @abstractmethod
    def acquisitions(self) -> list[str]:
        """Acquisitions in the data, sorted."""

    @abstractmethod
    def load(self, folder: Path) -> N:
        """Load a model folder.

        Raises:
            MissingInputError: If the folder or one of its files is absent.
            BadDataError: If it is damaged, or of another kind of model.
        """

    @abstractmethod
    def score(self, net: N, others: Sequence[str] = ()) -> CleanTestScores:
        """Score a network, also on sensors of ``others`` that it does not know."""

    @abstractmethod
    def method(self, net: N) -> str:
        """Return the method that a network was trained by."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what scores depend on beside network and data, as JSON values."""

    @abstractmethod
    def tags(self, net: N) -> dict[str, str]:
        """Return tags of the registered version that say what the network reads."""

    def load_version(self, connection: Connection, version: ModelVersion) -> N:
        """Load a registered version; raises as :func:`components.lib.registry.loading.load_version`."""
        return load_version(connection, version, self.load)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingGround(Ground[SegmentationNetwork]):
    """Clean test tiles of the prepared store.

    Attributes:
        store: The store.
        scoring: Section ``scoring``.
        device: Device of the predictions.
        modality: Layer that the networks read; None takes either.
    """

    unit: ClassVar[str] = "clean test tiles"

    store: Store
    scoring: ScoringSettings
    device: str
    modality: Modality | None = None

    @property
    def simulated(self) -> bool:
        """True if any sensor is simulated."""
        return any(get_sensor(sensor).simulated for sensor in self.store.sensors)

    @property
    def acquisitions(self) -> list[str]:
        """Acquisitions in the store, sorted."""
        return sorted(set(self.store.index["acquisition"]))

    def load(self, folder: Path) -> SegmentationNetwork:
        """Load a model folder; a network that reads another layer or serves another task is refused."""
        return load_bundle(folder, self.device, modality=self.modality, task=self.store.task)

    def score(self, net: SegmentationNetwork, others: Sequence[str] = ()) -> CleanTestScores:
        """Score a network on the clean test tiles of its sensors and of ``others``."""
        return score_clean_test(net, self.store, self.scoring, self.device, others=others)

    def method(self, net: SegmentationNetwork) -> str:
        """Return the method, from the metadata beside the weights.

        They name ``method`` of a distilled model, ``adapt.start_from`` of an adapted one, else the stage's
        address.
        """
        adapt = net.metadata.get("adapt")
        source = adapt if isinstance(adapt, Mapping) else net.metadata
        return str(
            source.get("start_from") or net.metadata.get("method") or net.metadata.get("stage") or "unknown"
        )

    def settings(self) -> dict[str, Any]:
        """Return the section ``scoring``."""
        return self.scoring.model_dump(mode="json")

    def tags(self, net: SegmentationNetwork) -> dict[str, str]:
        """Return modality and sensors."""
        return {"modality": net.config.modality, "sensors": ",".join(net.config.sensors)}
