"""A map as it is asked for: opened anew by every process that works on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.hashing import sha256_json
from components.contract.parameters import PARAMS_FILE
from components.lib.inference.device import choose_device
from components.lib.mapping.scene import Scene
from components.predict.looks import looks_of
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel, resolve_model
from components.predict.rules import MapRules

_UNSAFE = re.compile(r"[^a-z0-9]+")
_GEOTIFF = re.compile(r"\.tiff?$")
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """Sources, model and rules of one map.

    Attributes:
        sources: Scenes as the user names them; all their looks make one map.
        model: Model as the user names it.
        rules: Parameters and code.
        sensor: Sensor of all looks, None where names tell.
        orientation: Side that all looks were imaged from, None where the release tells.
        scratch: Folder for what is fetched from buckets.
        params: Parameter file, which names MLflow.
    """

    sources: tuple[str, ...]
    model: str
    rules: MapRules
    sensor: str | None = None
    orientation: int | None = None
    scratch: Path
    params: Path = PARAMS_FILE

    def open(self, model: ServedModel | None = None) -> SceneMap:
        """Open model and scenes.

        Args:
            model: The model, where it is loaded already.

        Raises:
            StormsightError: If one of them cannot be opened, naming it.
        """
        served = model or self.load()
        looks = looks_of(
            self.sources,
            sensor=self.sensor,
            modality=served.net.config.modality,
            orientation=self.orientation,
            scratch=self.scratch,
        )
        return map_of(looks, served, self.rules, name_of(self.sources, looks))

    def load(self) -> ServedModel:
        """Load the model.

        Raises:
            StormsightError: If it cannot be loaded, naming it.
        """
        device = choose_device(self.rules.parameters.device, "map.device")
        return resolve_model(self.model, device=device, params=self.params)


def map_of(looks: Sequence[Scene], model: ServedModel, rules: MapRules, name: str) -> SceneMap:
    """Return the map of looks on one grid by a model; its id hashes all that it depends on.

    Raises:
        ParameterError: If the network does not know the sensor.
    """
    _require_sensor(model, looks[0].facts.sensor, rules.statistics_of)
    grid = looks[0].grid
    digest = sha256_json(
        {
            "sources": [[source.name, source.sha256] for look in looks for source in look.facts.sources],
            "looks": [[look.facts.name, look.facts.sensor, look.facts.orientation] for look in looks],
            "grid": [grid.x_left_m, grid.y_top_m, grid.gsd_m, grid.height, grid.width],
            "model": [model.name, model.version, model.promoted],
            "weights": model.weights_sha256,
            "parameters": rules.parameters_sha256,
            "code": rules.code,
        }
    )
    return SceneMap(f"{name}-{digest[:16]}", looks, lambda: model, rules)


def _require_sensor(model: ServedModel, sensor: str, statistics_of: str | None) -> None:
    """Check that the network knows the sensor, or the one that the user takes it for."""
    try:
        model.net.require_sensor(statistics_of or sensor)
    except ParameterError as error:
        known = model.net.config.sensors[0]
        raise ParameterError(
            f"{model.words}: {error.message}",
            next_step="name a model of that sensor, or adapt this one to it (`dvc repro adapt`); "
            f"--statistics-of {known} maps it as if it were {known}, with an outcome of unknown worth",
        ) from error


def name_of(sources: Sequence[str], looks: Sequence[Scene]) -> str:
    """Return a short name for a map: of its look, or of the folder that its looks come from.

    Of a longer name the last words are kept: tiles of one release differ in them.
    """
    text = looks[0].facts.name if len(looks) == 1 else Path(sources[0].rstrip("/")).name
    words = _UNSAFE.sub("-", _GEOTIFF.sub("", text.lower())).strip("-")
    if len(words) > _LONGEST_NAME:
        cut = words[-_LONGEST_NAME:]
        words = cut if words[-_LONGEST_NAME - 1] == "-" else cut.partition("-")[2] or cut
    return words.strip("-") or "map"
