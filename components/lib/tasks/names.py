"""Names of the tasks; it imports nothing heavy, for sections of parameters."""

from __future__ import annotations

from typing import Literal, get_args

TaskName = Literal["buildings", "roads"]
"""Prediction target of a prepared store and of a network."""

TASK_NAMES: tuple[TaskName, ...] = get_args(TaskName)

OBJECT_TASKS: frozenset[TaskName] = frozenset({"buildings"})
"""Tasks whose objects are drawn and matched, beside the pixels that all tasks are scored by."""

ROAD_TOLERANCE_M = 4.0
"""Distance within which relaxed scores of roads call a pixel right, metres: the snapping distance of APLS."""
