"""Reading ``params.yaml`` into typed, checked parameters."""

from components.lib.config.loader import Parameters, load_parameters
from components.lib.config.scoring import ScoringParameters

__all__ = ["Parameters", "ScoringParameters", "load_parameters"]
