"""Facts of a map that its files state: the scene, the model, and everything the map follows from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from components.contract import keys
from components.lib.geo.grid import Grid
from components.lib.mapping.scene import SceneFacts
from components.lib.tasks.names import TaskName

PROBABILITY: Final = "probability.tif"
FOOTPRINTS: Final = "footprints.parquet"
GEOPACKAGE: Final = "footprints.gpkg"
THUMBNAIL: Final = "thumbnail.png"
TILES: Final = "footprints.pmtiles"
ROADS: Final = "roads.parquet"
ROAD_GRAPH: Final = "roads.graphml"
ROAD_GEOPACKAGE: Final = "roads.gpkg"
ROAD_TILES: Final = "roads.pmtiles"
PAGE: Final = "index.html"
ITEM: Final = keys.ITEM


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Identity of the model that made a map.

    Attributes:
        name: Name in the registry.
        version: Version in the registry.
        weights_sha256: SHA-256 of the weights file.
        promoted: True if the version passed the promotion gate.
        simulated: True if it was trained on the rehearsal world alone.
        item_href: Address of the model's STAC item, None where it has none.
    """

    name: str
    version: str
    weights_sha256: str
    promoted: bool
    simulated: bool
    item_href: str | None

    @property
    def words(self) -> str:
        """Return name and version in words; a model of a folder has no version."""
        return f"{self.name}, version {self.version}" if self.version else self.name

    @property
    def public_href(self) -> str | None:
        """Return the item's address, None for a file of this machine: where maps are copied, it is not."""
        return None if self.item_href is None or self.item_href.startswith("file:") else self.item_href


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFacts:
    """Identity and lineage of a map.

    Attributes:
        id: Id of the map among all maps.
        scene: Scene that was mapped; of a map from several looks, the facts that they share.
        grid: Place of the map on the ground, in ``scene.crs``.
        model: Model that made it.
        created: Time at which the map was made, UTC. The only fact that two equal runs may differ in; the
            item and the GeoPackage state it, no other file.
        code: Hash or commit of the code.
        parameters_sha256: SHA-256 of the parameters of mapping.
        image: Digest of the container image, or "" outside of a container.
        mapped_km2: Area with data, square kilometres.
        statistics_of: Sensor that the model took the scene for, None if for its own.
        task: Task of the model.
        threshold: Probability above which a pixel is road; None for maps of buildings, which do not state it.
    """

    id: str
    scene: SceneFacts
    grid: Grid
    model: ModelFacts
    created: datetime
    code: str
    parameters_sha256: str
    image: str
    mapped_km2: float
    statistics_of: str | None = None
    task: TaskName = "buildings"
    threshold: float | None = None

    @property
    def tags(self) -> Mapping[str, str]:
        """Return what the raster and the GeoParquet file state about themselves, by name."""
        return {
            "STORMSIGHT_SCENE": self.scene.name,
            "STORMSIGHT_SENSOR": self.scene.sensor,
            "STORMSIGHT_MODEL": self.model.name,
            "STORMSIGHT_MODEL_VERSION": self.model.version,
            "STORMSIGHT_WEIGHTS_SHA256": self.model.weights_sha256,
            "STORMSIGHT_SIMULATED": "yes" if self.scene.simulated else "no",
        }
