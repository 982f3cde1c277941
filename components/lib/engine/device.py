"""Device and precision of a training."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from typing import TYPE_CHECKING, Any, Literal

import torch

from components.contract.errors import ResourceError
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.ranks import Ranks, ranks

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.precision import MixedPrecision

Precision = Literal["32-true", "bf16-mixed"]

# Of mallopt(3): nothing is mapped apart (M_MMAP_MAX), the heap never shrinks (M_TRIM_THRESHOLD) and grows in
# steps of 64 MiB (M_TOP_PAD).
_KEEP = ((-4, 0), (-1, 2**31 - 1), (-2, 2**26))


def resolve_device(parameters: TrainingParameters) -> torch.device:
    """Return the device that ``training.device`` asks for; of several processes each has its own GPU.

    Raises:
        ResourceError: If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if parameters.device == "cuda" and not available:
        raise ResourceError(
            "training.device is cuda, but this machine has no usable GPU",
            next_step="set training.device to auto or cpu in params.yaml, or run on a machine with a GPU",
        )
    if not available or parameters.device == "cpu":
        return torch.device("cpu")
    group = ranks()
    return torch.device("cuda") if group.is_single else torch.device("cuda", group.local)


def use_threads(parameters: TrainingParameters) -> None:
    """Let PyTorch compute with ``training.threads`` threads until the process ends, whatever the machine has.

    A stage calls this before anything that it computes: how many threads share a sum decides its last bits.
    """
    if parameters.threads is not None:
        torch.set_num_threads(parameters.threads)


def precision_of(parameters: TrainingParameters, device: torch.device) -> Precision:
    """Fabric's name of the precision that ``training.precision`` means on ``device``."""
    if parameters.precision == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if has_bf16 else "32-true"
    return "bf16-mixed" if parameters.precision == "bf16" else "32-true"


def build_fabric(parameters: TrainingParameters, device: torch.device, group: Ranks | None = None) -> Fabric:
    """Return Fabric for one process and device, connected to the other processes if there are several.

    Raises:
        ResourceError: If this machine has fewer GPUs than processes.
    """
    # Imported late: it costs seconds, and only training needs it.
    from lightning.fabric import Fabric  # noqa: PLC0415
    from lightning.fabric.strategies.ddp import DDPStrategy  # noqa: PLC0415

    if device.type == "cuda":
        # cuBLAS reads this when the context is made; without it deterministic mode cannot hold.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    precision: dict[str, Any] = {"precision": precision_of(parameters, device)}
    if precision["precision"] == "bf16-mixed":
        precision = {"plugins": _autocast(device)}
    if group is None or group.is_single:
        return Fabric(accelerator=device.type, devices=1, **precision)
    if device.type == "cuda" and group.local_world > torch.cuda.device_count():
        raise ResourceError(
            f"{group.local_world} processes, but this machine has {torch.cuda.device_count()} GPU(s)",
            next_step="give torchrun --nproc-per-node the number of GPUs",
        )
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    # Which parameters a step uses may change: stems of the other sensor, a warm-up without the target.
    strategy = DDPStrategy(find_unused_parameters=True, gradient_as_bucket_view=True)
    fabric = Fabric(
        accelerator=device.type,
        devices=group.local_world,
        num_nodes=group.world // group.local_world,
        strategy=strategy,
        **precision,
    )
    fabric.launch()
    return fabric


def _autocast(device: torch.device) -> MixedPrecision:
    """Return mixed precision in bfloat16 that gives a step its batch as it is.

    Fabric's own rounds all floating tensors of a batch to 8 significant bits, the scales of a zoom among
    them; autocast chooses the number format of each operation anyway.
    """
    from lightning.fabric.plugins.precision import MixedPrecision  # noqa: PLC0415 - as Fabric

    class ExactBatch(MixedPrecision):
        def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - as the base class
            return data

    return ExactBatch("bf16-mixed", device.type)


def keep_memory() -> None:
    """Let the C library keep freed memory of this process for the next step, on Linux with glibc.

    Otherwise every large activation is mapped, zeroed page by page and unmapped again in each step. Lasts
    until the process ends; elsewhere this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None).mallopt
        for option, value in _KEEP:
            allocator(option, value)
