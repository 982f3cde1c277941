"""A trained network as a folder: weights in safetensors, and a signature that is checked before loading.

The signature, ``model.json``, states the weights' SHA-256, and carries a seal over all of itself: a changed
configuration or another model's weights are refused. It shows damage and mix-ups, not forgery: the registry
pins both files by hashes of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from components.contract.errors import BadDataError, ParameterError
from components.contract.hashing import sha256_bytes, sha256_file, sha256_json
from components.lib.files import atomic_directory, require_input, write_json
from components.lib.nets.config import Modality, NetworkConfig
from components.lib.nets.factory import build_network, network_class
from components.lib.nets.network import SegmentationNetwork

WEIGHTS = "weights.safetensors"
SIGNATURE = "model.json"
SEAL = "seal"
"""Field of the signature: SHA-256 of all other fields, the weights' hash among them."""

FORMAT = 2
"""Version of the signature; 1 had no seal."""


def save_bundle(folder: Path, net: SegmentationNetwork, extra: Mapping[str, Any]) -> None:
    """Write ``net`` to ``folder``, whole or not at all.

    Args:
        folder: Replaced if it exists.
        net: Its ``config`` says what it is and which sensors it knows.
        extra: JSON values kept beside the weights; :func:`load_bundle` returns them as ``metadata``.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    with atomic_directory(folder) as temporary:
        save_file(state, temporary / WEIGHTS)
        signature = {
            "format": FORMAT,
            "config": net.config.model_dump(mode="json"),
            "parameters": sum(p.numel() for p in net.parameters()),
            "weights_sha256": sha256_file(temporary / WEIGHTS),
            "metadata": dict(extra),
        }
        # Through JSON and back: what is sealed is what will be read.
        plain = json.loads(json.dumps(signature, allow_nan=False))
        write_json(temporary / SIGNATURE, {**plain, SEAL: seal_of(plain)})


def seal_of(signature: Mapping[str, Any]) -> str:
    """Return the seal of a signature, whether it has one already or not.

    Raises:
        ValueError: If it holds NaN or infinity.
    """
    return sha256_json({name: value for name, value in signature.items() if name != SEAL})


def load_bundle(
    folder: Path, device: str | torch.device = "cpu", *, modality: Modality | None = None
) -> SegmentationNetwork:
    """Read a network back, in evaluation mode, on ``device``.

    Args:
        folder: Folder of the two files.
        device: Device of the network.
        modality: Layer that the network must read; None takes either.

    Raises:
        MissingInputError: If the folder or one of its files is absent.
        BadDataError: If the signature is malformed, has no seal or another content than was sealed, or names
            an unknown kind of network; if the network reads another layer than ``modality``; if the weights
            do not have the signed SHA-256, or do not fit the network that the signature describes.
    """
    signature_file = require_input(folder / SIGNATURE, made_by=_stage_of(folder))
    weights_file = require_input(folder / WEIGHTS, made_by=_stage_of(folder))
    for path in (signature_file, weights_file):
        if not path.is_file():
            raise _bad(folder, f"{path.name} is no file")
    content = weights_file.read_bytes()
    signature, config = _read_signature(signature_file)
    if modality not in {None, config.modality}:
        raise _bad(
            folder, f"its network reads {config.modality} images; one that reads {modality} belongs here"
        )
    # The bytes that were hashed are the bytes that are loaded: nothing can slip in between.
    if sha256_bytes(content) != signature["weights_sha256"]:
        raise _bad(folder, f"{WEIGHTS} does not have the SHA-256 that {SIGNATURE} states")
    try:
        network_class(config.kind)
    except ParameterError as error:
        raise _bad(folder, f"{SIGNATURE} names an unknown network {config.kind!r}") from error
    # Building draws random weights that are overwritten below; a caller's random numbers must not notice.
    with torch.random.fork_rng():
        net = build_network(config.model_copy(update={"encoder_weights": None}))
    try:
        net.load_state_dict(load_tensors(content))
    except (SafetensorError, RuntimeError) as error:
        raise _bad(folder, f"{WEIGHTS} does not fit the network of {SIGNATURE}: {error}") from error
    net.config = config
    net.metadata = signature["metadata"]
    return net.to(device).eval()


def _read_signature(path: Path) -> tuple[dict[str, Any], NetworkConfig]:
    try:
        signature = json.loads(path.read_text(encoding="utf-8"))
        if signature["format"] != FORMAT:
            raise _bad(
                path.parent,
                f"{SIGNATURE} has format {str(signature['format'])[:50]!r}, not {FORMAT}: it is of another "
                "version of the code (1 had no seal over configuration and weights)",
            )
        if signature[SEAL] != seal_of(signature):
            raise _bad(path.parent, f"{SIGNATURE} is not what was sealed with the weights: it was changed")
        if not isinstance(signature["weights_sha256"], str) or not isinstance(signature["metadata"], dict):
            raise TypeError("weights_sha256 or metadata")
        return signature, NetworkConfig.model_validate(signature["config"])
    except RecursionError as error:
        raise _bad(path.parent, f"{SIGNATURE} is malformed: it is nested too deeply") from error
    except KeyError as error:
        raise _bad(path.parent, f"{SIGNATURE} is malformed: it has no {error}") from error
    except (ValueError, TypeError, ValidationError) as error:
        raise _bad(path.parent, f"{SIGNATURE} is malformed: {str(error)[:500]}") from error


def _bad(folder: Path, reason: str) -> BadDataError:
    return BadDataError(
        f"model {folder}: {reason}", next_step=f"make it again with `dvc repro --force {_stage_of(folder)}`"
    )


def _stage_of(folder: Path) -> str:
    """Return the stage that makes models/optical/<kind>, models/sar/<method> or models/adapted."""
    makers = {"optical": "optical", "adapted": "adapt"}
    return makers.get(folder.name) or makers.get(folder.parent.name, "distill")
