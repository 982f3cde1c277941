"""Sealed plan of a run, which all of its stages work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.contract.keys import catalogue_key, plan_key
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed, read_sealed
from components.lib.operations.events import AcquisitionId, Claimed, Sha256


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Acquisition that is registered.

    Attributes:
        id: Id in the catalogue.
        sha256: SHA-256 of the bytes of its catalogue entry.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: AcquisitionId
    sha256: Sha256

    @property
    def object_key(self) -> str:
        """Key of its catalogue entry."""
        return catalogue_key(self.id)

    def entry(self, objects: ObjectStore) -> bytes:
        """Return its catalogue entry: JSON, and so YAML, for ``components/download/catalogue/<id>.yaml``.

        Raises:
            MissingInputError: If it is gone.
            BadDataError: If it is not the one that was registered.
        """
        content = objects.get(self.object_key)
        if sha256_bytes(content) != self.sha256:
            raise BadDataError(
                f"{objects.uri}/{self.object_key} is not the entry that was registered",
                next_step="restore the object from an older version of it",
            )
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Acquisitions, code and parameters that a run trains with.

    Attributes:
        run: Key-safe name of the run.
        key: Key of the training; results are kept under it, whichever run makes them.
        acquisitions: Acquisitions, sorted by id.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters.
        profile: Profile of params.yaml.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: str
    key: Sha256
    acquisitions: tuple[Acquisition, ...]
    code: Sha256
    params: Sha256
    profile: str | None

    @classmethod
    def of(cls, claimed: Claimed, acquisitions: Mapping[str, str]) -> RunPlan:
        """Return the plan of a claim.

        Args:
            claimed: The claim.
            acquisitions: Its set: SHA-256 of the catalogue entry by acquisition.
        """
        return cls(
            run=claimed.run,
            key=claimed.key,
            acquisitions=tuple(Acquisition(*item) for item in sorted(acquisitions.items())),
            code=claimed.code,
            params=claimed.params,
            profile=claimed.profile,
        )

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {**asdict(self), "acquisitions": [asdict(item) for item in self.acquisitions]}

    def write(self, objects: ObjectStore) -> None:
        """Seal it below ``runs/<run>``, once.

        Raises:
            BadDataError: If the run has another plan already.
        """
        key = plan_key(self.run)
        if not create_sealed(objects, key, self.record()) and read_plan(objects, self.run) != self:
            raise BadDataError(
                f"{objects.uri}/{key} is another plan than the one that the ledger records",
                next_step="start a run of another name",
            )


def read_plan(objects: ObjectStore, run: str) -> RunPlan:
    """Read and verify a run's plan.

    Raises:
        MissingInputError: If the run was never planned.
        BadDataError: If the plan is damaged, or another run's.
    """
    try:
        plan = read_sealed(objects, plan_key(run), RunPlan)
    except MissingInputError as error:
        raise MissingInputError(
            f"run {run} was never planned, or its records were pruned: {error.message}",
            next_step=f"correct --run, or plan it: `python -m components.runs plan --run {run}`",
        ) from error
    if plan.run != run:
        raise BadDataError(
            f"{objects.uri}/{plan_key(run)} is the plan of run {plan.run}",
            next_step="find out who wrote to the object store, and start a new run",
        )
    return plan
