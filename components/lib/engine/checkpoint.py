"""Checkpoints: everything a killed run needs to continue as if it had not been killed."""

from __future__ import annotations

import hashlib
import json
import logging
import random
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from components.lib.files import atomic_file, sweep_unfinished

_LOG = logging.getLogger(__name__)
FILE_NAME = "last.pt"


def fingerprint_of(*parts: object) -> str:
    """Hex SHA-256 that changes with anything in ``parts`` (JSON values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def random_state() -> dict[str, Any]:
    """States of every generator a training step may draw from, as ``weights_only`` loading admits them."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 - global state
    words = torch.from_numpy(np.asarray(keys, dtype=np.int64))
    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(name), words, int(position), int(has_gauss), cached],
        "python": [version, list(internal), gauss],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put back what :func:`random_state` took; GPU generators only where the number of GPUs is the same."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))


@dataclass(frozen=True)
class CheckpointFile:
    """Only checkpoint of a run, at ``folder/last.pt``, valid for runs of the same fingerprint only."""

    folder: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        """Path of the checkpoint."""
        return self.folder / FILE_NAME

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state`` and the generators' states atomically.

        Raises:
            ResourceError: If the disk is full; the run goes on from the last whole checkpoint later.
        """
        content = {"fingerprint": self.fingerprint, "random": random_state(), **state}
        with atomic_file(self.path) as temporary:
            torch.save(content, temporary)

    def load(self) -> dict[str, Any] | None:
        """Return the state of an earlier run with the same fingerprint, on the CPU; None where there is none.

        A checkpoint that another configuration left, or that cannot be read, is ignored with a message.
        The caller restores the generators with :func:`restore_random_state` after building its networks.
        """
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            same = state["fingerprint"] == self.fingerprint
        except (OSError, RuntimeError, KeyError, TypeError, EOFError, UnpicklingError) as error:
            _LOG.warning("%s cannot be read (%s): starting from the beginning", self.path, error)
            return None
        if not same:
            _LOG.warning("%s belongs to other parameters, data or code: ignored", self.path)
            return None
        return state

    def remove(self) -> None:
        """Delete the checkpoint, what killed writes left, and the folder if that empties it."""
        self.path.unlink(missing_ok=True)
        sweep_unfinished(self.path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
