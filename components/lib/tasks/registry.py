"""Tasks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from components.lib.tasks.base import Task
from components.lib.tasks.buildings import BUILDINGS
from components.lib.tasks.names import TaskName
from components.lib.tasks.roads import ROADS

TASKS: Mapping[TaskName, Task] = MappingProxyType({"buildings": BUILDINGS, "roads": ROADS})
"""Every task by its name."""


def load_task(name: TaskName) -> Task:
    """Return the task of that name, as a store or a network states it."""
    return TASKS[name]
