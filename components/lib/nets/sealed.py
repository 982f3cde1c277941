"""Folder of a trained network: weights in safetensors, and a signature that is checked before loading.

The signature, ``model.json``, states the weights' SHA-256, and carries a seal over all of itself: a changed
configuration or another model's weights are refused. It shows damage and mix-ups, not forgery: the registry
pins both files by hashes of its own. What the configuration says is the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_bytes, sha256_file, sha256_json
from components.lib.files import atomic_directory, require_input, write_json

WEIGHTS = "weights.safetensors"
SIGNATURE = "model.json"
SEAL = "seal"
"""Field of the signature: SHA-256 of all other fields, the weights' hash among them."""

FORMAT = 2
"""Version of the signature; 1 had no seal."""

C = TypeVar("C", bound=BaseModel)


def write_sealed(folder: Path, net: torch.nn.Module, config: BaseModel, extra: Mapping[str, Any]) -> None:
    """Write ``net`` to ``folder``, whole or not at all.

    Args:
        folder: Replaced if it exists.
        net: The network.
        config: Configuration that rebuilds it.
        extra: JSON values kept beside the weights.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    with atomic_directory(folder) as temporary:
        save_file(state, temporary / WEIGHTS)
        signature = {
            "format": FORMAT,
            "config": config.model_dump(mode="json"),
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


@dataclass(frozen=True, slots=True)
class SealedModel:
    """Content of a model's folder whose seal holds.

    Attributes:
        folder: The folder.
        made_by: Stage that makes it again.
        signature: Content of ``model.json``.
        weights: Content of ``weights.safetensors``.
    """

    folder: Path
    made_by: str
    signature: Mapping[str, Any]
    weights: bytes

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values that were kept beside the weights."""
        return dict(self.signature["metadata"])

    def config(self, kind: type[C]) -> C:
        """Return the configuration as a ``kind``.

        Raises:
            BadDataError: If it is none.
        """
        try:
            return kind.model_validate(self.signature["config"])
        except ValidationError as error:
            raise self.bad(f"{SIGNATURE} is malformed: {str(error)[:500]}") from error

    def fill(self, net: torch.nn.Module) -> None:
        """Give ``net`` the weights.

        Raises:
            BadDataError: If the weights do not have the signed SHA-256, or do not fit the network.
        """
        # The bytes that were hashed are the bytes that are loaded: nothing can slip in between.
        if sha256_bytes(self.weights) != self.signature["weights_sha256"]:
            raise self.bad(f"{WEIGHTS} does not have the SHA-256 that {SIGNATURE} states")
        try:
            net.load_state_dict(load_tensors(self.weights))
        except (SafetensorError, RuntimeError) as error:
            raise self.bad(f"{WEIGHTS} does not fit the network of {SIGNATURE}: {error}") from error

    def bad(self, reason: str) -> BadDataError:
        """Return the error of a folder that cannot be used for ``reason``."""
        return _bad(self.folder, self.made_by, reason)


def read_sealed(folder: Path, made_by: str) -> SealedModel:
    """Read both files of a model's folder.

    Args:
        folder: The folder.
        made_by: Stage that makes it, named in errors.

    Raises:
        MissingInputError: If the folder or one of its files is absent.
        BadDataError: If the signature is malformed, has no seal, or has another content than was sealed.
    """
    signature_file = require_input(folder / SIGNATURE, made_by=made_by)
    weights_file = require_input(folder / WEIGHTS, made_by=made_by)
    for path in (signature_file, weights_file):
        if not path.is_file():
            raise _bad(folder, made_by, f"{path.name} is no file")
    try:
        signature = _checked(json.loads(signature_file.read_text(encoding="utf-8")))
    except RecursionError as error:
        raise _bad(folder, made_by, f"{SIGNATURE} is malformed: it is nested too deeply") from error
    except KeyError as error:
        raise _bad(folder, made_by, f"{SIGNATURE} is malformed: it has no {error}") from error
    except _RefusedError as error:
        raise _bad(folder, made_by, str(error)) from error
    except (ValueError, TypeError) as error:
        raise _bad(folder, made_by, f"{SIGNATURE} is malformed: {str(error)[:500]}") from error
    return SealedModel(folder, made_by, signature, weights_file.read_bytes())


def compares_dates(config: object) -> bool:
    """Return whether a signature's configuration is that of a change network, which has two inputs."""
    return isinstance(config, Mapping) and {"before", "after"} <= config.keys()


class _RefusedError(Exception):
    """A signature that is well formed and not usable."""


def _checked(signature: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    if signature["format"] != FORMAT:
        raise _RefusedError(
            f"{SIGNATURE} has format {str(signature['format'])[:50]!r}, not {FORMAT}: it is of another "
            "version of the code (1 had no seal over configuration and weights)"
        )
    if signature[SEAL] != seal_of(signature):
        raise _RefusedError(f"{SIGNATURE} is not what was sealed with the weights: it was changed")
    if not isinstance(signature["weights_sha256"], str) or not isinstance(signature["metadata"], dict):
        raise TypeError("weights_sha256 or metadata")
    if "config" not in signature:
        raise KeyError("config")
    found: dict[str, Any] = signature
    return found


def _bad(folder: Path, made_by: str, reason: str) -> BadDataError:
    return BadDataError(
        f"model {folder}: {reason}", next_step=f"make it again with `dvc repro --force {made_by}`"
    )
