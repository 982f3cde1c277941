"""Training shared by every stage: parameters, the loop on Lightning Fabric, checkpoints, schedules."""

from components.lib.engine.device import precision_of, resolve_device
from components.lib.engine.loop import FitResult, fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.schedule import poly_rate
from components.lib.engine.task import TrainingTask

__all__ = [
    "FitResult",
    "TrainingParameters",
    "TrainingTask",
    "fit",
    "poly_rate",
    "precision_of",
    "resolve_device",
]
