"""Keys of the deployment file and of section ``orchestration``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from components.contract.errors import ParameterError
from components.contract.graph.load import load_graph
from components.contract.graph.model import Graph


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ByImage(Section):
    """One value for each image that holds the components."""

    data: str
    train: str


class ServiceAccounts(Section):
    """Service accounts of pods, by the accounts of ``components.contract.work``."""

    data: str = "stormsight-data"
    train: str = "stormsight-train"
    map: str = "stormsight-map"
    ledger: str = "stormsight-ledger"
    housekeeping: str = "stormsight-housekeeping"


class AccountSecrets(Section):
    """Names of the Secrets whose keys a pod gets as variables, by account; no two accounts need share one."""

    data: list[str] = []
    train: list[str] = []
    map: list[str] = []
    ledger: list[str] = []
    housekeeping: list[str] = []


class Gpu(Section):
    """GPU resource, and where pods that ask for it are placed."""

    resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    runtime_class: str | None = None


class Scratch(Section):
    """Writable volume of a pod, an ``emptyDir``."""

    size: str = "20Gi"


class Affinity(Section):
    """Placement of all pods beside ``gpu.node_selector``, as Kubernetes has it."""

    nodeAffinity: dict[str, Any] = {}  # noqa: N815 - Kubernetes' own names
    podAffinity: dict[str, Any] = {}  # noqa: N815
    podAntiAffinity: dict[str, Any] = {}  # noqa: N815


def _not_ours(key: str) -> str:
    """Refuse labels and annotations by which pods are found again, or by which policies select them."""
    if key.startswith(("stormsight/", "app.kubernetes.io/")):
        raise ValueError(f"{key} is set by the DAGs: use a prefix of your own")
    return key


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"

ObjectName = Annotated[str, StringConstraints(pattern=rf"^{_DOMAIN}$")]
MetadataKey = Annotated[
    str, StringConstraints(pattern=rf"^(?:{_DOMAIN}/)?{_NAME}$"), AfterValidator(_not_ours)
]
LabelValue = Annotated[str, StringConstraints(pattern=rf"^(?:{_NAME})?$")]


class Kubernetes(Section):
    """Cluster that pods run on; times in seconds, sizes as Kubernetes quantities, images by digest.

    ``labels`` and ``annotations`` are added to every pod: for queues (Kueue), cost reports, injectors.
    """

    namespace: str = "stormsight"
    images: ByImage
    image_pull_secrets: list[ObjectName] = []
    labels: dict[MetadataKey, LabelValue] = {}
    annotations: dict[MetadataKey, str] = {}
    affinity: Affinity | None = None
    secrets: AccountSecrets = AccountSecrets()
    service_accounts: ServiceAccounts = ServiceAccounts()
    max_cpu: float | None = None
    max_memory: str | None = None
    gpu: Gpu = Gpu()
    priority_classes: ByImage | None = None
    scratch: Scratch = Scratch()
    shm: str = "8Gi"
    startup_timeout_s: int = Field(default=1800, gt=0)
    schedule_timeout_s: int = Field(default=3600, gt=0)
    termination_grace_s: int = Field(default=300, ge=0)
    volumes: list[dict[str, Any]] = []
    volume_mounts: list[dict[str, Any]] = []
    env: dict[str, str] = {}
    host_aliases: list[dict[str, Any]] = []


class MapPod(Section):
    """Requirements of a pod that maps blocks: cores, memory as a Kubernetes quantity, number of GPUs."""

    cpu: float = Field(gt=0)
    memory: str
    gpu: int = Field(ge=0)


class Orchestration(Section):
    """Section ``orchestration`` of ``params.yaml``, which explains each key."""

    retrain_schedule: str | None
    map_schedule: str | None
    map_groups: int = Field(ge=1, le=64)
    map_pod: MapPod
    redrive_schedule: str | None
    redrives: dict[str, int]
    landing_poll_s: float = Field(gt=0)
    landing_bad_looks: int = Field(ge=1)
    deadline_h: float = Field(gt=0)
    pod_limit_h: float = Field(gt=0)
    stall_min: float | None = Field(gt=0)
    lease_h: float = Field(gt=0)
    abandoned_h: float = Field(gt=0)
    keep_runs: int = Field(ge=0)
    keep_gb: float | None = Field(ge=0)
    keep_cache_days: float = Field(ge=0)
    keep_deliveries_days: float = Field(ge=2)
    orphan_pod_h: float = Field(gt=0)
    infrastructure_retries: dict[str, int | str]
    retries: dict[str, dict[str, int | str]]
    retry_delay_s: float = Field(ge=0)

    @field_validator("pod_limit_h")
    @classmethod
    def _behind_the_alert(cls, limit: float, info: ValidationInfo) -> float:
        """Refuse a limit that comes before its alert."""
        if limit <= info.data.get("deadline_h", 0.0):
            raise ValueError(f"it is {limit:g}, and must be more than deadline_h")
        return limit

    @field_validator("orphan_pod_h")
    @classmethod
    def _before_the_limit(cls, age: float, info: ValidationInfo) -> float:
        """Refuse a reaper that comes after every pod's own end."""
        if age >= info.data.get("pod_limit_h", age + 1):
            raise ValueError(f"it is {age:g}, and must be less than pod_limit_h")
        return age


class Deployment(Section):
    """Deployment file. Paths may be folders or ``s3://`` URIs; null gives a folder below ``var/``."""

    mode: Literal["kubernetes", "local"] = "local"
    profile: str | None = None
    objects: str | None = None
    landing: str | None = None
    remote: str | None = None
    environment: dict[str, str] = {}
    kubernetes: Kubernetes | None = None


class Settings(Section):
    """Settings of the DAGs, resolved from the deployment file and ``params.yaml``."""

    mode: Literal["kubernetes", "local"]
    profile: str | None
    objects: str
    landing: str
    remote: str
    environment: dict[str, str]
    kubernetes: Kubernetes | None
    orchestration: Orchestration
    source: Path

    @property
    def cluster(self) -> Kubernetes:
        """Section ``kubernetes``, which is there in kubernetes mode.

        Raises:
            ParameterError: In local mode.
        """
        if self.kubernetes is None:
            raise ParameterError("mode is local: there is no cluster", next_step="set mode: kubernetes")
        return self.kubernetes

    def command_environment(self) -> dict[str, str]:
        """Return the environment of every command in both modes; no secrets."""
        places = {
            "STORMSIGHT_OBJECTS": self.objects,
            "STORMSIGHT_LANDING": self.landing,
            "STORMSIGHT_REMOTE": self.remote,
        }
        profile = {"STORMSIGHT_PROFILE": self.profile} if self.profile else {}
        return {**places, **profile, **self.environment}

    def graph(self) -> Graph:
        """Return the graph of this installation's ``dvc.yaml``, with its profile."""
        return load_graph(self.source / "dvc.yaml", self.source / "params.yaml", self.profile)
