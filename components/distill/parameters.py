"""Section `distill` of ``params.yaml``, and a method's own section below `methods`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.parameters import PARAMS_FILE
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import Budget

if TYPE_CHECKING:  # a method's module imports torch
    from components.lib.methods.base import Method, P


class DistillParameters(Budget):
    """Methods to train, and the budget that the control and every method share.

    Attributes:
        methods: Methods to train beside the control, one model each: keys of the section `methods`.
    """

    methods: list[str]

    @property
    def budget(self) -> Budget:
        """Budget alone: one method's training does not depend on which others are trained."""
        return Budget(epochs=self.epochs, crops_per_tile=self.crops_per_tile)


def load_method_parameters(method: Method[P], path: Path = PARAMS_FILE) -> P:
    """Return the section ``methods.<name>`` of ``path``.

    Raises:
        ParameterError: If the section is missing, or a key or value does not fit.
    """
    return load_parameters(f"methods.{method.name}", method.parameters, path)
