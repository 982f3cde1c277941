"""Facts of published maps and comparisons, as their STAC items state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from components.lib.catalogue.documents import get_bounded, read_item
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFacts:
    """Facts of a map's item, or of the item of its changes.

    Attributes:
        created: Time at which it was made; None for changes, which state none, or where it is unknown.
        acquisition: Acquisition that it is a map of; empty for changes.
        area: Mapped area, square kilometres; 0 for changes.
        changes: Changed buildings by kind; empty for a map.
    """

    created: datetime | None = None
    acquisition: str = ""
    area: float = 0.0
    changes: Mapping[str, int] = field(default_factory=dict)


class _Properties(BaseModel):
    """Part of an item's properties that is read here."""

    model_config = ConfigDict(frozen=True)

    created: AwareDatetime | None = None
    acquisition: str = Field(default="", alias="stormsight:acquisition")
    area: float = Field(default=0.0, alias="stormsight:mapped_km2", ge=0)
    changes: dict[str, int] = Field(default={}, alias="stormsight:changes")


def read_map(objects: ObjectStore, key: str) -> MapFacts:
    """Read the item of a map or of its changes.

    Raises:
        BadDataError: If it is damaged.
        MissingInputError: If it is gone.
    """
    name = f"{objects.uri}/{key}"
    found = checked(read_item(get_bounded(objects, key), name=name)["properties"], _Properties, name=name)
    return MapFacts(
        created=found.created, acquisition=found.acquisition, area=found.area, changes=found.changes
    )
