"""Runs in MLflow; a tracking failure never costs a trained model."""

from components.lib.tracking.connection import Connection, connect
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import TrackedRun, track_run

__all__ = ["Connection", "TrackedRun", "TrackingParameters", "connect", "track_run"]
