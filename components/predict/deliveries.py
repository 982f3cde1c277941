"""Maps of registered acquisitions: their copies in the object store, by a pinned version of the model."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import BadDataError
from components.predict.looks import looks_of
from components.predict.mapper import Delivery
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel, resolve_model
from components.predict.planning import ModelPin
from components.predict.rules import MapRules


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

    def open(self, map_id: str, delivery: Delivery, model: ModelPin, scratch: Path) -> SceneMap:
        """Open a delivery for a model; the network is loaded when its first block is mapped.

        Raises:
            BadDataError: If the delivery cannot be mapped.
            StormsightError: What else keeps it from being opened.
        """
        looks = looks_of(
            [delivery.uri],
            sensor=str(delivery.entry["sensor"]),
            modality="sar",
            orientation=None,
            scratch=scratch,
        )
        return SceneMap(map_id, looks, lambda: self._pinned(model), self._rules)

    def _pinned(self, pin: ModelPin) -> ServedModel:
        if pin not in self._models:
            self._models[pin] = self._loaded(pin)
        return self._models[pin]

    def _loaded(self, pin: ModelPin) -> ServedModel:
        from components.lib.inference.device import choose_device  # noqa: PLC0415 - torch

        device = choose_device(self._rules.parameters.device, "map.device")
        served = resolve_model(pin.uri, modality="sar", device=device)
        if pin.weights_sha256 not in {None, served.weights_sha256}:
            raise BadDataError(
                f"{served.words} has the weights {served.weights_sha256[:12]}, the map was planned with "
                f"{str(pin.weights_sha256)[:12]}",
                next_step="find out who wrote to MLflow: `python -m components.promote verify`",
            )
        return served
