"""Looks at one piece of ground, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.contract.errors import ParameterError
from components.lib.mapping.scene import Scene
from components.lib.nets.config import Modality
from components.predict.scenes.opening import open_scenes
from components.predict.scenes.regrid import common_grid, regrid


def looks_of(
    sources: Sequence[str],
    *,
    sensor: str | None,
    modality: Modality,
    orientation: int | None,
    scratch: Path,
) -> list[Scene]:
    """Open all looks of a map and bring them onto one grid; arguments as :func:`open_scenes`.

    Raises:
        ParameterError: If the looks are of several sensors, or as :func:`open_scenes`.
        BadDataError: If they cannot lie on one grid, or as :func:`open_scenes`.
        StormsightError: What else keeps a scene from being opened.
    """
    looks = open_scenes(sources, sensor=sensor, modality=modality, orientation=orientation, scratch=scratch)
    return on_one_grid(looks, ", ".join(sources))


def on_one_grid(looks: Sequence[Scene], name: str) -> list[Scene]:
    """Bring looks at the same ground onto one grid.

    Args:
        looks: Looks of one sensor, at least one.
        name: Where they come from, for messages.

    Raises:
        ParameterError: If they are of several sensors.
        BadDataError: If they cannot lie on one grid.
    """
    sensors = sorted({look.facts.sensor for look in looks})
    if len(sensors) > 1:
        raise ParameterError(
            f"{name}: looks of {' and '.join(sensors)} in one map",
            next_step=f"map each sensor by itself; of a partition: --sensor {' or --sensor '.join(sensors)}",
        )
    grid = common_grid(looks)
    return [regrid(look, grid) for look in looks]
