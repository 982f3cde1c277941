"""A trained change network as a folder (:mod:`components.lib.nets.sealed`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from components.contract.errors import ParameterError
from components.lib.change.nets.config import ChangeConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.methods.registry import load_change
from components.lib.nets.sealed import SIGNATURE, compares_dates, read_sealed, write_sealed

STAGE = "change"
"""Stage that makes these models."""


def build_change(config: ChangeConfig) -> ChangeNetwork:
    """Build the network of ``config``, in training mode, on the CPU.

    Random weights come from torch's global generator: seed it first.

    Raises:
        ParameterError: If there is no change method of that kind, or its encoder is unknown, naming it.
    """
    method = load_change(config.kind)
    try:
        network: ChangeNetwork = method.network(config)
    except ParameterError as error:
        # Networks share parts with others, which know neither this method nor where its encoder is set.
        own = f"methods.{config.kind}.encoder: "
        message = error.message.replace("training.encoder: ", own).replace("methods.*.encoder: ", own)
        raise ParameterError(message, next_step=error.next_step) from error
    return network


def save_change(folder: Path, net: ChangeNetwork, extra: Mapping[str, Any]) -> None:
    """Write ``net`` to ``folder``, whole or not at all.

    Args:
        folder: Replaced if it exists.
        net: The network.
        extra: JSON values kept beside the weights; :func:`load_change_bundle` returns them as ``metadata``.
    """
    write_sealed(folder, net, net.config, extra)


def load_change_bundle(folder: Path, device: str | torch.device = "cpu") -> ChangeNetwork:
    """Read a change network back, in evaluation mode, on ``device``.

    Raises:
        MissingInputError: If the folder or one of its files is absent.
        BadDataError: If the signature is malformed, changed, or not that of a change network; if the weights
            do not have the signed SHA-256, or do not fit the network that the signature describes.
    """
    sealed = read_sealed(folder, STAGE)
    if not compares_dates(sealed.signature["config"]):
        raise sealed.bad(
            "its network reads one image; a change network, which compares two dates, belongs here"
        )
    config = sealed.config(ChangeConfig)
    try:
        load_change(config.kind)
    except ParameterError as error:
        raise sealed.bad(f"{SIGNATURE} names an unknown network {config.kind!r}") from error
    # Building draws random weights that are overwritten below; a caller's random numbers must not notice.
    with torch.random.fork_rng():
        net = build_change(config)
    sealed.fill(net)
    net.metadata = sealed.metadata
    return net.to(device).eval()
