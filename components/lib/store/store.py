"""Reading a training store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.store.layer import StoredLayer
from components.lib.store.layout import (
    BANDS,
    INDEX_FILE,
    SPLITS,
    TABLES,
    arrays_folder,
    check_dtype,
    layer_path,
)
from components.lib.store.validation import checked_index, damaged, read_footprints, read_roads, task_of

if TYPE_CHECKING:
    import shapely

    from components.lib.tasks.names import TaskName


class Store:
    """A prepared training store, opened for reading: checked without reading a pixel; layers are mapped.

    Example:
        >>> store = Store.open(Path("data/prepared"))
        >>> rows = store.rows("capella-airborne", "train")
        >>> tile = store.layer("capella-airborne", "sar")[rows[0]]  # (H, W, 4)
    """

    def __init__(self, folder: Path, index: pd.DataFrame, partitions: Mapping[str, str]) -> None:
        self.folder = folder
        self.task: TaskName = task_of(folder, index)
        """Task whose labels the layer ``target`` has."""
        self.index = index
        """One row per tile, columns ``INDEX_COLUMNS``."""
        self.partitions = partitions
        """Partition by acquisition."""
        self._layers: dict[tuple[str, str], StoredLayer] = {}

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the store in ``folder``.

        Raises:
            MissingInputError: If there is none.
            BadDataError: If a table or an array is damaged, or they do not fit together; the file is named.
        """
        return cls(folder, *checked_index(folder))

    @cached_property
    def footprints(self) -> pd.DataFrame:
        """One row per building and tile, columns ``FOOTPRINT_COLUMNS``, original orientation.

        Sorted by sensor and image id, the buildings of a tile as its files have them.
        """
        return self._own(read_footprints(self.folder, sorted(set(self.partitions.values()))))

    @cached_property
    def roads(self) -> pd.DataFrame:
        """One row per centre line and tile of a store of roads, columns ``ROAD_COLUMNS``, sorted likewise.

        Raises:
            MissingInputError: If the store has no such table, naming the stage that makes it.
            BadDataError: If it is damaged.
        """
        return self._own(read_roads(self.folder, sorted(set(self.partitions.values()))))

    def _own(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the index's acquisitions, by sensor and image id."""
        # An acquisition whose tiles were left out of the index, as they have no labels, may have a table.
        used = self.index[["acquisition", "sensor"]].drop_duplicates()
        own = table.merge(used, on=["acquisition", "sensor"])
        return own.sort_values(["sensor", "image_id"], kind="stable", ignore_index=True)

    @property
    def sensors(self) -> list[str]:
        """Sensors in the store, sorted."""
        return sorted(self.index["sensor"].unique())

    def layer(self, sensor: str, layer: str) -> StoredLayer:
        """Return a layer, mapped read-only and aligned: (N, H, W, C) uint8, ``sar`` uint8 or float16.

        ``target`` has its masks as bits: see :mod:`components.lib.tasks.labels`.

        Raises:
            ParameterError: If the store has no such sensor, there is no layer of that name, or its number
                format is none that it can have.
            MissingInputError: If the sensor has no such layer (no optical, for instance).
        """
        key = (sensor, layer)
        if key not in self._layers:
            tiles = self.index[self.index["sensor"] == self._known(sensor)].sort_values("row")
            files, acquisitions = pd.factorize(tiles["acquisition"], sort=True)
            paths = [
                layer_path(arrays_folder(self.folder, self.partitions[name], name), sensor, layer)
                for name in acquisitions
            ]
            if not all(path.exists() for path in paths):
                raise MissingInputError(
                    f"sensor {sensor} has no layer {layer!r} in {self.folder}",
                    next_step="choose a sensor whose tiles come with this product, or prepare them again",
                )
            stored = StoredLayer(paths, files.astype(np.int64), tiles["position"].to_numpy(np.int64))
            check_dtype(sensor, layer, stored.dtype)
            self._layers[key] = stored
        return self._layers[key]

    def rows(self, sensor: str, split: str, clean: bool | None = None) -> npt.NDArray[np.int64]:
        """Return the rows of a split, ascending.

        Args:
            sensor: A sensor of the store.
            split: One of ``SPLITS``.
            clean: True for tiles on ground that no train tile saw, False for the others, None for both.

        Raises:
            ParameterError: If the sensor or the split is unknown.
        """
        if split not in SPLITS:
            raise ParameterError(f"unknown split {split!r}", next_step=f"use one of {', '.join(SPLITS)}")
        index = self.index
        chosen = (index["sensor"] == self._known(sensor)) & (index["split"] == split)
        if clean is not None:
            chosen &= index["clean"] == clean
        return np.sort(index.loc[chosen, "row"].to_numpy(np.int64))

    def tile(self, sensor: str, row: int, layer: str) -> GeoArray:
        """Return one tile of a layer with its place on the ground.

        Values are (C, H, W), a view of :meth:`layer`, turned as stored; ``valid`` is where the SAR image has
        data, whichever layer is asked for.

        Raises:
            ParameterError: If sensor or layer is unknown.
            MissingInputError: If the sensor has no such layer.
            BadDataError: If the index names no tile of that row.
        """
        pixels = np.asarray(self.layer(sensor, layer)[row])
        valid = np.asarray(np.any(self.layer(sensor, "sar")[row], axis=-1))
        if (sensor, row) not in self._places:
            raise BadDataError(
                f"{self.folder / INDEX_FILE} has no row {row} of sensor {sensor}",
                next_step="make it again (`dvc repro --force split`)",
            )
        transform, orientation = self._places[sensor, row]
        height, width = valid.shape
        return GeoArray(
            values=np.moveaxis(pixels, -1, 0),
            bands=BANDS[layer],
            valid=valid,
            transform=transform.turned(height, width) if orientation == 1 else transform,
            crs=get_sensor(sensor).crs,
            sensor=sensor,
            orientation=orientation,
        )

    @cached_property
    def _places(self) -> dict[tuple[str, int], tuple[PixelTransform, int]]:
        """North-up transform and orientation of every tile by sensor and row."""
        columns = ["sensor", "row", "x_left_m", "y_top_m", "gsd_m", "orientation"]
        return {
            (sensor, row): (PixelTransform.north_up(x_left_m=x, y_top_m=y, gsd_m=gsd), orientation)
            for sensor, row, x, y, gsd, orientation in self.index[columns].itertuples(index=False, name=None)
        }

    def truth(self, image_id: str, sensor: str) -> list[shapely.Polygon]:
        """Return the footprints of a tile in pixels of the stored grid, original orientation, no area limit.

        A tile without buildings gives an empty list.
        """
        return self._truth.get((sensor, image_id), [])

    def centre_lines(self, image_id: str, sensor: str) -> list[shapely.LineString]:
        """Return the certain roads of a tile in pixels of the stored grid, original orientation.

        Raises:
            MissingInputError: If the store has no table of roads.
            BadDataError: If it is damaged.
        """
        return self._centre_lines.get((sensor, image_id), [])

    def _known(self, sensor: str) -> str:
        if sensor not in self.sensors:
            raise ParameterError(
                f"{self.folder} holds no sensor {sensor!r}", next_step=f"use one of {', '.join(self.sensors)}"
            )
        return sensor

    @cached_property
    def _truth(self) -> dict[tuple[str, str], list[shapely.Polygon]]:
        return self._geometries(self.footprints, "a footprint")

    @cached_property
    def _centre_lines(self) -> dict[tuple[str, str], list[shapely.LineString]]:
        return self._geometries(self.roads[~self.roads["uncertain"]], "a road")

    def _geometries(self, table: pd.DataFrame, what: str) -> dict[tuple[str, str], list[Any]]:
        """Return the geometries ``wkt_px`` of a table by sensor and image id."""
        import shapely  # noqa: PLC0415 - training opens stores and draws no polygon

        try:
            geometries = shapely.from_wkt(table["wkt_px"].to_numpy(object))
        except (shapely.errors.ShapelyError, TypeError) as error:
            raise damaged(self.folder / TABLES, f"{what} is no WKT: {error}") from error
        found: dict[tuple[str, str], list[Any]] = {}
        for sensor, image_id, geometry in zip(table["sensor"], table["image_id"], geometries, strict=True):
            found.setdefault((sensor, image_id), []).append(geometry)
        return found
