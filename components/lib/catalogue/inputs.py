"""Inputs and outputs of a network in the terms of STAC's MLM extension, from the data sets' declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.lib.datasets.base import Product, Sensor
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.nets.config import NetworkConfig
from components.lib.tasks.labels import BAND_OF
from components.lib.tasks.names import TaskName

BATCH = ["batch", "channel", "height", "width"]

SCALING = "components.lib.datasets.scaling:scale_sar"


def inputs_of(config: NetworkConfig) -> list[dict[str, Any]]:
    """Return ``mlm:input``: for each sensor the bands in the order of the channels, and their scaling.

    Raises:
        ParameterError: If a sensor is unknown.
    """
    return [_input(name, config) for name in config.sensors]


def bands_of(config: NetworkConfig) -> list[dict[str, Any]]:
    """Return ``raster:bands``: the bands that the inputs name, each once, as they are stored."""
    names = dict.fromkeys(band for found in inputs_of(config) for band in found["bands"])
    return [{"name": name, "data_type": "uint8", "nodata": 0} for name in names]


_MEANING: Mapping[TaskName, str] = {
    "buildings": "footprint of a building",
    "roads": "surface of a road",
}


def outputs_of(config: NetworkConfig) -> list[dict[str, Any]]:
    """Return ``mlm:output``: the probability of the target and the threshold of the mask."""
    target = BAND_OF[config.task]
    return [
        {
            "name": f"{target} probability",
            "tasks": ["semantic-segmentation"],
            "description": f"Probability of the class {target} for each pixel; a pixel is {target} above "
            f"{config.threshold:g}. The network returns logits of {config.classes} classes.",
            "result": {"shape": [-1, 1, -1, -1], "dim_order": BATCH, "data_type": "float32"},
            "classification:classes": [
                {"value": 0, "name": "background", "description": f"ground without a {target}"},
                {"value": 1, "name": target, "description": _MEANING[config.task]},
            ],
            "post_processing_function": {
                "format": "python",
                "expression": f"torch.softmax(logits, dim=1)[:, 1:2] > {config.threshold!r}",
            },
        }
    ]


def normalisation_of(config: NetworkConfig) -> dict[str, Any]:
    """Return where normalisation takes place and what it depends on.

    The statistics themselves are in the weights.
    """
    per_sensor = config.sensor_specific and config.normalisation == "per_sensor"
    return {
        "inside_the_network": True,
        "input_mean": list(config.input_mean),
        "input_std": list(config.input_std),
        "statistics": "one set per sensor, in the weights" if per_sensor else "one set, in the weights",
        "sensors": list(config.sensors),
        "input_scale_per_sensor": config.inputs == "per_sensor",
        "first_convolution_per_sensor": config.stems == "per_sensor",
    }


def sensors_of(config: NetworkConfig) -> dict[str, dict[str, Any]]:
    """Return the declarations of the sensors that a network knows, by name."""
    return {name: _declared(get_sensor(name), config.modality) for name in config.sensors}


def _input(name: str, config: NetworkConfig) -> dict[str, Any]:
    sensor = get_sensor(name)
    source = _source(sensor, config.modality)
    found: dict[str, Any] = {
        "name": name,
        "bands": [source.bands[index] for index in source.quad_pol_source],
        "input": {"shape": [-1, config.in_channels, -1, -1], "dim_order": BATCH, "data_type": "uint8"},
        "description": "Channels in this order; 0 in every band is no data. Any height and width.",
        "value_scaling": None,
    }
    if config.modality == "optical":
        return found
    low, high = sensor.scale_limits
    return {
        **found,
        "value_scaling": [
            {
                "type": "processing",
                "format": "python",
                "expression": f"1 + numpy.rint(numpy.clip((x - {low}) / ({high} - {low}), 0, 1) * 254)",
            }
        ],
        "pre_processing_function": {"format": "python", "expression": SCALING},
    }


def _source(sensor: Sensor, modality: str) -> Sensor | Product:
    return sensor if modality == "sar" else dataset_of(sensor.name).optical


def _declared(sensor: Sensor, modality: str) -> dict[str, Any]:
    source = _source(sensor, modality)
    own: Mapping[str, Any] = {}
    if modality == "sar":
        own = {
            "scale_limits": _plain(sensor.scale_limits),
            "valid_range": _plain(sensor.valid_range),
            "incidence_deg": sensor.incidence_deg,
            "looks": sensor.looks,
        }
    return {
        "file_bands": _plain(source.bands),
        "channel_source": _plain(source.quad_pol_source),
        "stored_as": "uint8, 0 no data, 1 to 255 linear" if own else "uint8, 0 no data",
        "gsd_m": sensor.gsd_m,
        "crs": sensor.crs,
        "simulated": sensor.simulated,
        **own,
    }


def _plain(values: Sequence[Any]) -> list[Any]:
    return list(values)
