"""The city at the second date: the city of a seed, district by district, after what happened to it."""

from __future__ import annotations

from functools import lru_cache

import shapely

from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.patches import Patch
from components.simulation.change.revision import Alteration, Change, Revision, revise
from components.simulation.city import City, Index
from components.simulation.frame import Bounds
from components.simulation.objects import Objects


class LaterCity(City):
    """The second date of the city of ``parameters.seed``: the same districts, streets and water.

    As the first date, any part of it depends only on the parameters: processes agree where they meet.
    """

    def __init__(self, parameters: SimulatedPairsParameters) -> None:
        super().__init__(parameters.seed)
        self.parameters = parameters
        self._revisions: dict[Index, Revision] = {}

    def objects(self, index: Index) -> Objects:
        """Return everything standing in a district at the second date."""
        return self.revision(index).objects

    def revision(self, index: Index) -> Revision:
        """Return what happened in a district between the dates."""
        if index not in self._revisions:
            self._revisions[index] = revise(self, index, super().objects(index), self.parameters)
        return self._revisions[index]

    def changes_in(self, bounds: Bounds) -> list[Change]:
        """Return the changed buildings that meet ``bounds`` (EPSG:32631), in a stable order."""
        area = shapely.box(*bounds)
        return [
            change
            for index in self.districts_reaching(bounds)
            for change in self.revision(index).changes
            if change.outline.intersects(area)
        ]

    def alterations_in(self, bounds: Bounds) -> list[Alteration]:
        """Return the buildings that meet ``bounds`` and look different on the same footprint."""
        area = shapely.box(*bounds)
        return [
            alteration
            for index in self.districts_reaching(bounds)
            for alteration in self.revision(index).alterations
            if alteration.outline.intersects(area)
        ]

    def patches_in(self, bounds: Bounds) -> list[Patch]:
        """Return the ground that differs from the first date and meets ``bounds``."""
        area = shapely.box(*bounds)
        return [
            patch
            for index in self.districts_reaching(bounds)
            for patch in self.revision(index).patches
            if patch.outline.intersects(area)
        ]


@lru_cache(maxsize=2)
def later_city_of(parameters: SimulatedPairsParameters) -> LaterCity:
    """Return the second date under ``parameters``, shared within a process."""
    return LaterCity(parameters)
