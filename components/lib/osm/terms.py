"""Terms of OpenStreetMap labels: tasks, values of a mask, credit; free of NumPy, as the check imports it."""

from __future__ import annotations

from typing import Literal

Task = Literal["roads", "buildings"]
TASKS: tuple[Task, ...] = ("roads", "buildings")

BACKGROUND, IGNORE, OBJECT = 0, 127, 255
"""Values of a mask. ``IGNORE`` says that nothing is known; it counts in no loss and no score."""

LICENCE = "ODbL 1.0"
CREDIT = "© OpenStreetMap contributors, ODbL 1.0 (https://www.openstreetmap.org/copyright)"
"""Notice that the licence asks for, wherever the masks or what is made from them are shown."""

LEAST_WIDTH_M, MOST_WIDTH_M = 2.0, 30.0
"""Widths of drawn roads are clipped to this range, metres."""
