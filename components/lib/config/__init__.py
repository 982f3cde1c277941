"""Reading ``params.yaml`` into typed, checked parameters."""

from components.lib.config.loader import Parameters, load_parameters

__all__ = ["Parameters", "load_parameters"]
