"""A trained segmentation network as a folder (:mod:`components.lib.nets.sealed`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from components.contract.errors import ParameterError
from components.lib.nets.config import Modality, NetworkConfig
from components.lib.nets.factory import build_network, network_class
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sealed import SIGNATURE, compares_dates, read_sealed, write_sealed
from components.lib.tasks.names import TaskName


def save_bundle(folder: Path, net: SegmentationNetwork, extra: Mapping[str, Any]) -> None:
    """Write ``net`` to ``folder``, whole or not at all.

    Args:
        folder: Replaced if it exists.
        net: Its ``config`` says what it is and which sensors it knows.
        extra: JSON values kept beside the weights; :func:`load_bundle` returns them as ``metadata``.
    """
    write_sealed(folder, net, net.config, extra)


def load_bundle(
    folder: Path,
    device: str | torch.device = "cpu",
    *,
    modality: Modality | None = None,
    task: TaskName | None = None,
) -> SegmentationNetwork:
    """Read a network back, in evaluation mode, on ``device``.

    Args:
        folder: Folder of the two files.
        device: Device of the network.
        modality: Layer that the network must read; None takes either.
        task: Task that the network must serve, as of the store that it is used with; None takes any.

    Raises:
        MissingInputError: If the folder or one of its files is absent.
        BadDataError: If the signature is malformed, has no seal or another content than was sealed, or names
            an unknown kind of network; if the network reads another layer than ``modality`` or serves another
            task than ``task``; if the weights do not have the signed SHA-256, or do not fit the network that
            the signature describes.
    """
    sealed = read_sealed(folder, _stage_of(folder))
    if compares_dates(sealed.signature["config"]):
        raise sealed.bad("its change network compares two dates; a network of one image belongs here")
    config = sealed.config(NetworkConfig)
    if modality not in {None, config.modality}:
        raise sealed.bad(
            f"its network reads {config.modality} images; one that reads {modality} belongs here"
        )
    if task not in {None, config.task}:
        raise sealed.bad(f"its network predicts {config.task}; one of {task}, as of the store, belongs here")
    try:
        network_class(config.kind)
    except ParameterError as error:
        raise sealed.bad(f"{SIGNATURE} names an unknown network {config.kind!r}") from error
    # Building draws random weights that are overwritten below; a caller's random numbers must not notice.
    with torch.random.fork_rng():
        net = build_network(config.model_copy(update={"encoder_weights": None}))
    sealed.fill(net)
    net.config = config
    net.metadata = sealed.metadata
    return net.to(device).eval()


def _stage_of(folder: Path) -> str:
    """Return the stage that makes models/optical/<kind>, models/sar/<method> or models/adapted."""
    makers = {"optical": "optical", "adapted": "adapt"}
    return makers.get(folder.name) or makers.get(folder.parent.name, "distill")
