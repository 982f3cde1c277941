"""One command to run and its requirements: the value that travels from ``dvc.yaml`` to a pod or a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from components.contract.documents import nearest, refuse_unknown
from components.contract.errors import ParameterError

ImageName = Literal["data", "train"]
"""Images that hold the components: ``data`` has no torch, ``train`` has all of ``data`` and torch."""

GATE = "gate"
"""Retry class (``meta.retry``) of stages that decide about a model and change a registry outside of their
outputs: their results are never taken from a run cache, nor put there for others."""

Account = Literal["data", "train", "map", "ledger", "housekeeping"]
"""Accounts of pods; their rights are :data:`components.contract.rights.RIGHTS`."""


@dataclass(frozen=True)
class Requirements:
    """Requirements of a command on the machine that runs it; ``meta`` of a stage in ``dvc.yaml``.

    Attributes:
        image: Image that runs it.
        cpu: Cores.
        memory: Memory as a Kubernetes quantity (``4Gi``).
        gpu: Number of GPUs.
        retry: Retry class, a key of ``orchestration.retries``; ``None``: infrastructure's retries only.
    """

    image: ImageName = "data"
    cpu: float = 1.0
    memory: str = "1Gi"
    gpu: int = 0
    retry: str | None = None

    @classmethod
    def from_meta(cls, meta: object, where: str) -> Requirements:
        """Read ``meta``, in which every key has to be written.

        Args:
            meta: The value in ``dvc.yaml``.
            where: Name of the stage in messages.

        Raises:
            ParameterError: If a key is missing or unknown, the image is unknown, or a number is none.
        """
        values: Mapping[str, object] = meta if isinstance(meta, Mapping) else {}
        keys = [field.name for field in fields(cls)]
        refuse_unknown(values, keys, f"{where} meta")
        for key in keys:
            if key not in values:
                raise ParameterError(
                    f"{where}: meta lacks {key!r}",
                    next_step=f"add {key} to meta: of the stage in dvc.yaml (all: {', '.join(keys)})",
                )
        try:
            return cls(
                image=_image(values["image"], where),
                cpu=float(str(values["cpu"])),
                memory=str(values["memory"]),
                gpu=int(str(values["gpu"])),
                retry=str(values["retry"]),
            )
        except ValueError as error:
            raise ParameterError(f"{where} meta: {error}", next_step="cpu and gpu are numbers") from error


@dataclass(frozen=True)
class Work:
    """One command for one pod or one process.

    Attributes:
        command: Program and arguments; may hold the orchestrator's templates.
        requirements: Image, resources and retry class.
        stage: Address of the graph's stage; ``None`` for a command that is no stage.
        account: Account of its pod where it is another than :attr:`pod_account` finds.
    """

    command: tuple[str, ...]
    requirements: Requirements = Requirements()
    stage: str | None = None
    account: Account | None = None

    @property
    def pod_account(self) -> Account:
        """Account of its pod: what decides about a model or a claim writes ledgers, the rest is a stage."""
        if self.account is not None:
            return self.account
        return "ledger" if self.requirements.retry == GATE else self.requirements.image


def _image(name: object, where: str) -> ImageName:
    known: tuple[ImageName, ...] = get_args(ImageName)
    for image in known:
        if image == name:
            return image
    raise ParameterError(
        f"{where} meta: unknown image {name!r}{nearest(str(name), known)}",
        next_step=f"write image: {', or image: '.join(known)}",
    )
