"""Device that a network predicts on."""

from __future__ import annotations

import torch

from components.contract.errors import ResourceError


def choose_device(name: str, parameter: str) -> str:
    """Return ``cpu`` or ``cuda``.

    Args:
        name: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        parameter: Parameter that says so, for the message.

    Raises:
        ResourceError: If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ResourceError(
            f"{parameter} is cuda, but this machine has no usable GPU",
            next_step=f"set {parameter} to auto or cpu in params.yaml, or run on a machine with a GPU",
        )
    return "cuda" if available and name != "cpu" else "cpu"
