"""Declarations of the sensors the pipeline knows."""

from components.lib.sensors.registry import SENSORS, Sensor, get_sensor

__all__ = ["SENSORS", "Sensor", "get_sensor"]
