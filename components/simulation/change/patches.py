"""Ground of another kind than at the first date: where buildings went or came, and yards laid anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import shapely

from components.lib.geo.rasterise import rasterise_instances
from components.simulation.frame import Frame
from components.simulation.ground import Ground
from components.simulation.labels import to_pixels
from components.simulation.objects import Material


@dataclass(frozen=True, slots=True)
class Patch:
    """One piece of ground.

    Attributes:
        outline: Its border, EPSG:32631.
        material: Its material at the second date; None where only woods are cleared.
    """

    outline: shapely.Polygon
    material: Material | None


def lay(ground: Ground, patches: Iterable[Patch], frame: Frame) -> None:
    """Draw patches into the ground of ``frame``, in place: no wood stands on them."""
    found = list(patches)
    number = rasterise_instances([to_pixels(patch.outline, frame) for patch in found], frame.rows, frame.cols)
    ground.canopy[number > 0] = 0.0
    for k, patch in enumerate(found, 1):
        if patch.material is not None:
            ground.material[number == k] = patch.material
            ground.marking[number == k] = False
