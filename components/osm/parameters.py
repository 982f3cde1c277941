"""The ``osm`` section of ``params.yaml``."""

from __future__ import annotations

import datetime as dt
import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from components.lib.config.loader import Parameters
from components.lib.osm.terms import LEAST_WIDTH_M, MOST_WIDTH_M, TASKS

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLASS = re.compile(r"[a-z0-9_:-]+")


class ExtractParameters(Parameters):
    """The pinned extract: needed where a task is named."""

    path: str | None = None
    """PBF, GeoPackage or GeoJSON file on the machine of the stage; null: none."""
    sha256: str | None = None
    """SHA-256 of the file, 64 hexadecimal digits; null: none."""
    source: str | None = None
    """Origin of the file, in words or as an address that is recorded and never opened; null: none."""
    date: str | None = None
    """Date of the data, YYYY-MM-DD; null: none."""
    coverage: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees of the ground inside of which the extract is complete; null: the
    box in a PBF file's header."""
    layers: list[str] = Field(default_factory=list)
    """Layers of a GeoPackage or GeoJSON to read; all that have the tag while it is empty."""

    @field_validator("sha256")
    @classmethod
    def _hash(cls, given: str | None) -> str | None:
        if given is not None and not _SHA256.fullmatch(given):
            raise ValueError("a SHA-256 has 64 hexadecimal digits in small letters")
        return given

    @field_validator("date", mode="before")
    @classmethod
    def _date(cls, given: object) -> object:
        text = given.isoformat() if isinstance(given, dt.date) else given
        if text is not None:
            try:
                dt.date.fromisoformat(str(text))
            except ValueError as error:
                raise ValueError("a date is YYYY-MM-DD") from error
        return text

    @field_validator("layers")
    @classmethod
    def _layers(cls, given: list[str]) -> list[str]:
        if len(set(given)) < len(given):
            raise ValueError("a layer is named twice, and its objects would count twice")
        return given

    @model_validator(mode="after")
    def _box(self) -> Self:
        if self.coverage is not None:
            west, south, east, north = self.coverage
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise ValueError("coverage is west, south, east, north in degrees, each pair ascending")
        return self


class RoadParameters(Parameters):
    """Rules for roads."""

    widths_m: dict[str, float] = Field(default_factory=dict)
    """Width of each class, metres, 2 to 30; a class that no list names is left out and counted."""
    dropped: list[str] = Field(default_factory=list)
    """Classes that are never drawn."""
    uncertain: list[str] = Field(default_factory=list)
    """Classes of which nobody knows whether a road is to be seen: the ground around is ignored."""
    uncertain_m: float = Field(12.0, gt=0.0, le=MOST_WIDTH_M)
    """Width of the band around an uncertain road that is ignored, metres."""
    lane_m: float = Field(4.0, gt=0.0, le=10.0)
    """Width of one lane, metres, where a road's tag counts its lanes."""

    @model_validator(mode="after")
    def _classes(self) -> Self:
        for kind, width in self.widths_m.items():
            if not LEAST_WIDTH_M <= width <= MOST_WIDTH_M:
                raise ValueError(
                    f"widths_m.{kind} is {width:g} m; widths are {LEAST_WIDTH_M:g} to {MOST_WIDTH_M:g} m"
                )
        named = [*self.widths_m, *self.dropped, *self.uncertain]
        for kind in named:
            if not _CLASS.fullmatch(kind):
                raise ValueError(f"{kind!r} is no class of roads")
            if named.count(kind) > 1:
                raise ValueError(f"the class {kind!r} is named twice by widths_m, dropped and uncertain")
        return self


class BuildingParameters(Parameters):
    """Rules for buildings."""

    dropped: list[str] = Field(default_factory=list)
    """Values of the tag that are no building to be seen."""
    min_area_m2: float = Field(20.0, ge=0.0)
    """Smaller outlines are left out, by the area of the whole building, square metres."""


class OsmParameters(Parameters):
    """Settings of the stage."""

    tasks: list[str] = Field(default_factory=list)
    """Tasks that the graph draws, a stage ``osm@<task>`` each (roads, buildings); none while it is empty."""
    extract: ExtractParameters = ExtractParameters.model_validate({})
    roads: RoadParameters = RoadParameters.model_validate({})
    buildings: BuildingParameters = BuildingParameters.model_validate({})
    misregistration: bool = True
    """Whether the shift of each tile's mask against its image is estimated: a second for a large tile."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        for task in self.tasks:
            if task not in TASKS:
                raise ValueError(f"unknown task {task!r}; use {', '.join(TASKS)}")
            if self.tasks.count(task) > 1:
                raise ValueError(f"the task {task!r} is named twice")
        if self.tasks:
            self.require_extract()
        return self

    def require_extract(self) -> None:
        """Raise a ValueError that names what is missing of the extract's declaration."""
        for key in ("path", "sha256", "source", "date"):
            if not getattr(self.extract, key):
                raise ValueError(f"extract.{key} is needed for a pinned extract")
        if "roads" in self.tasks and not self.roads.widths_m:
            raise ValueError("roads.widths_m has no class, so no road would be drawn")
