"""Where and in which precision to train."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import torch

from components.lib.engine.parameters import TrainingParameters
from components.lib.errors import ResourceError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Precision = Literal["32-true", "bf16-mixed"]


def resolve_device(parameters: TrainingParameters) -> torch.device:
    """The device that ``training.device`` asks for.

    Raises:
        ResourceError: If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if parameters.device == "cuda" and not available:
        raise ResourceError(
            "training.device is cuda, but this machine has no usable GPU",
            next_step="set training.device to auto or cpu in params.yaml, or run on a machine with a GPU",
        )
    return torch.device("cuda" if available and parameters.device != "cpu" else "cpu")


def precision_of(parameters: TrainingParameters, device: torch.device) -> Precision:
    """Fabric's name of the precision that ``training.precision`` means on ``device``."""
    if parameters.precision == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if has_bf16 else "32-true"
    return "bf16-mixed" if parameters.precision == "bf16" else "32-true"


def build_fabric(parameters: TrainingParameters, device: torch.device) -> Fabric:
    """A single-device Fabric with deterministic kernels, where PyTorch has them."""
    # Imported late: it costs seconds, and only training needs it.
    from lightning.fabric import Fabric  # noqa: PLC0415

    if device.type == "cuda":
        # cuBLAS reads this when the context is made; without it deterministic mode cannot hold.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return Fabric(accelerator=device.type, devices=1, precision=precision_of(parameters, device))
