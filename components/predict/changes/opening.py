"""A published map, opened for a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from components.contract.documents import shown
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.keys import ITEM
from components.lib.catalogue.documents import SHA256_MULTIHASH, Document, get_bounded, read_item
from components.lib.catalogue.entries import task_of
from components.lib.change.footprints.changes import FootprintMap
from components.lib.change.footprints.ground import RasterGround
from components.lib.foreign import judged
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.predict.outputs import facts as names
from components.predict.outputs.reading import batches, crs_of

_ASSETS: Final = {
    "footprints": names.FOOTPRINTS,
    "probability": names.PROBABILITY,
    "footprints-tiles": names.TILES,
}
"""Assets of a map's item that a comparison needs, and the files that they become."""

_MAKE_AGAIN: Final = "name a map that python -m components.predict made, or make it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMap:
    """A map and its files.

    Attributes:
        footprints: Its buildings.
        folder: Folder of local copies of its files.
        title: Acquisition, or scene, that was mapped.
        sensor: Sensor of the scene.
        model: Model that made it, in words.
        weights_sha256: SHA-256 of the model's weights.
        simulated: True for the rehearsal world.
        promoted: True if the model passed the promotion gate.
    """

    footprints: FootprintMap
    folder: Path
    title: str
    sensor: str
    model: str
    weights_sha256: str
    simulated: bool
    promoted: bool

    def same_model(self, other: OpenedMap) -> bool:
        """Return whether one version of one model made both maps."""
        return (self.model, self.weights_sha256) == (other.model, other.weights_sha256)


def open_map(place: str, folder: Path) -> OpenedMap:
    """Open a map.

    Args:
        place: Folder or ``s3://`` prefix of the map, which holds its ``item.json``; or that file.
        folder: Folder that its files are copied to; their SHA-256 are checked.

    Raises:
        MissingInputError: If there is no such map, or one of its files is missing.
        ParameterError: If it is not one of buildings.
        BadDataError: If the map is damaged.
        SourceUnavailableError: If the store does not answer.
    """
    uri = place.rstrip("/").removesuffix(f"/{ITEM}")
    return open_published(open_objects(uri), "", folder)


def open_published(store: ObjectStore, prefix: str, folder: Path) -> OpenedMap:
    """Open a map of a store.

    Args:
        store: The store.
        prefix: Prefix of the map's ``item.json``, empty or with a slash at its end.
        folder: Folder that its files are copied to; their SHA-256 are checked.

    Raises:
        MissingInputError: If there is no such map, or one of its files is missing.
        ParameterError: If it is not one of buildings.
        BadDataError: If the map is damaged.
        SourceUnavailableError: If the store does not answer.
    """
    place = f"{store.uri}/{prefix}".rstrip("/")
    try:
        content = get_bounded(store, f"{prefix}{ITEM}")
    except MissingInputError as error:
        raise MissingInputError(
            f"{shown(place)} is no map: it has no {ITEM}",
            next_step="name the folder of a map, such as maps/items/<id>, or its item.json",
        ) from error
    item = read_item(content, name=f"{place}/{ITEM}")
    require_buildings(item)
    folder.mkdir(parents=True)
    for key, name in _ASSETS.items():
        asset = item["assets"].get(key)
        if not isinstance(asset, dict):
            raise BadDataError(f"map {shown(place)} has no {key}", next_step=_MAKE_AGAIN)
        checksum = str(asset.get("file:checksum", ""))
        stated = checksum.removeprefix(SHA256_MULTIHASH) if checksum.startswith(SHA256_MULTIHASH) else None
        store.download(f"{prefix}{str(asset.get('href')).removeprefix('./')}", folder / name, sha256=stated)
    with judged(f"{place}/{ITEM}", next_step=_MAKE_AGAIN):
        return _opened(item, folder)


def require_buildings(item: Document) -> None:
    """Check that a map is one of buildings.

    Raises:
        ParameterError: If it shows something else.
    """
    task = task_of(item)
    if task != "buildings":
        raise ParameterError(
            f"map {shown(str(item.get('id')))} is one of {task}: changes are found between maps of buildings",
            next_step="name two maps of buildings; two road graphs are compared by "
            "`python -m components.evaluate apls`",
        )


def _opened(item: dict[str, Any], folder: Path) -> OpenedMap:
    properties, parquet = item["properties"], folder / names.FOOTPRINTS
    model = properties["stormsight:model"]
    crs = crs_of(parquet)
    code = crs.to_epsg()
    rows = list(batches(parquet, ["id", "geometry", "confidence"]))
    joined = {
        name: np.concatenate([batch[name] for batch in rows]) if rows else np.empty(0, dtype=kind)
        for name, kind in (("id", object), ("geometry", object), ("confidence", np.float64))
    }
    begin = properties.get("datetime") or properties.get("start_datetime")
    return OpenedMap(
        footprints=FootprintMap(
            id=str(item["id"]),
            polygons=np.asarray(shapely.from_wkb(joined["geometry"]), dtype=object),
            confidence=joined["confidence"].astype(np.float64),
            names=joined["id"].astype(object),
            crs=crs.to_wkt() if code is None else f"EPSG:{code}",
            date=None if begin is None else datetime.fromisoformat(begin),
            ground=RasterGround(folder / names.PROBABILITY),
        ),
        folder=folder,
        title=str(properties.get("stormsight:acquisition") or item["id"]),
        sensor=", ".join(map(str, properties.get("instruments", []))),
        model=f"{model['name']}, version {model['version']}" if model["version"] else str(model["name"]),
        weights_sha256=str(model["weights_sha256"]),
        simulated=bool(properties["stormsight:simulated"]),
        promoted=bool(model["promoted"]),
    )
