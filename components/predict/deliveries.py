"""Maps of registered acquisitions: their copies in the object store, by a pinned version of the model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.levels import Levels
from components.predict.looks import on_one_grid
from components.predict.mapper import Delivery
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel, resolve_model
from components.predict.planning import ModelPin
from components.predict.rules import MapRules
from components.predict.scenes.delivered import DeliveredTiles
from components.predict.scenes.inventory import (
    Inventory,
    inventory_record,
    listed_scenes,
    read_inventory,
    tiles_under,
)
from components.predict.scenes.lattice import Lattice
from components.predict.scenes.opening import open_scenes


class DeliveryMap(SceneMap):
    """Map whose tiles are fetched for the blocks that are mapped here, side by side.

    Args:
        map_id: Id of the map.
        inventory: Checked strips of the delivery.
        tiles: Files of their tiles.
        model: Returns the model; called when it is first needed.
        rules: Division, drawing and lineage.

    Raises:
        ParameterError: If the strips are of several sensors.
        BadDataError: If they cannot lie on one grid.
    """

    def __init__(
        self,
        map_id: str,
        inventory: Inventory,
        tiles: DeliveredTiles,
        model: Callable[[], ServedModel],
        rules: MapRules,
    ) -> None:
        looks = on_one_grid(listed_scenes(inventory, tiles.load), tiles.uri)
        super().__init__(map_id, looks, model, rules)
        self._inventory = inventory
        self._tiles = tiles

    def _levels(self, numbers: Sequence[int]) -> Generator[tuple[int, Levels], None, None]:
        self._tiles.fetch(tiles_under(self._inventory, map(self._seen_from, numbers)))
        return super()._levels(numbers)

    def _seen_from(self, number: int) -> Grid:
        """Return the ground of a block and of the windows that reach into it."""
        windows = self.rules.windows(self.blocks.shape).touching(self.blocks.box(number))
        return Lattice(self.grid.x_left_m, self.grid.y_top_m, self.grid.gsd_m).grid(Box.around(windows))


class DeliveryMapper:
    """Opens the map of a delivery (:class:`components.predict.mapper.Mapper`).

    Args:
        rules: Parameters and code.
    """

    def __init__(self, rules: MapRules) -> None:
        self._rules = rules
        self._models: dict[ModelPin, ServedModel] = {}

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the parameters that a map depends on."""
        return self._rules.parameters_sha256

    @property
    def code(self) -> str:
        """SHA-256 of the code of mapping."""
        return self._rules.code

    @property
    def geopackage(self) -> bool:
        """True if maps and changes have a GeoPackage, too."""
        return self._rules.parameters.gpkg

    def check(self, delivery: Delivery, scratch: Path) -> dict[str, Any]:
        """Fetch and check all files of a delivery; return their inventory as JSON values.

        Raises:
            BadDataError: If the delivery cannot be mapped, or a file is not what was registered.
            StormsightError: What else keeps it from being read.
        """
        sensor = delivery.entry.get("sensor")
        if not isinstance(sensor, str):
            raise BadDataError(
                f"the catalogue entry of {delivery.acquisition} states no sensor",
                next_step="withdraw the acquisition, and land it again under a new id",
            )
        scenes = open_scenes(
            [delivery.uri],
            sensor=sensor,
            modality="sar",
            orientation=None,
            scratch=scratch,
        )
        record = inventory_record(scenes)
        inventory = read_inventory(record, name=f"inventory of {delivery.acquisition}")
        DeliveredTiles(delivery.uri, delivery.entry, scratch).require(inventory.tiles)
        return record

    def open(
        self,
        map_id: str,
        delivery: Delivery,
        inventory: Mapping[str, Any],
        model: ModelPin,
        scratch: Path,
    ) -> SceneMap:
        """Open a checked delivery for a model; network and tiles are loaded when a block needs them.

        Raises:
            BadDataError: If the inventory is damaged, or of other files than the delivery's.
        """
        listed = read_inventory(inventory, name=f"inventory of map {map_id}")
        tiles = DeliveredTiles(delivery.uri, delivery.entry, scratch)
        tiles.require(listed.tiles)
        return DeliveryMap(map_id, listed, tiles, lambda: self._pinned(model), self._rules)

    def _pinned(self, pin: ModelPin) -> ServedModel:
        if pin not in self._models:
            self._models[pin] = self._loaded(pin)
        return self._models[pin]

    def _loaded(self, pin: ModelPin) -> ServedModel:
        from components.lib.inference.device import choose_device  # noqa: PLC0415 - torch

        device = choose_device(self._rules.parameters.device, "map.device")
        served = resolve_model(pin.uri, modality="sar", task="buildings", device=device)
        if pin.weights_sha256 not in {None, served.weights_sha256}:
            raise BadDataError(
                f"{served.words} has the weights {served.weights_sha256[:12]}, the map was planned with "
                f"{str(pin.weights_sha256)[:12]}",
                next_step="find out who wrote to MLflow: `python -m components.promote verify`",
            )
        return served
