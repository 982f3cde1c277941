"""A change network in the terms of STAC's MLM extension: two inputs, before and after."""

from __future__ import annotations

from typing import Any

from components.lib.catalogue.inputs import BATCH
from components.lib.change.nets.config import ChangeConfig, DateConfig


def change_properties(config: ChangeConfig) -> dict[str, Any]:
    """Return the properties of an item that describe a change network.

    MLM has no task of its own for change; what the network draws is a map of one class.
    """
    dates = {"before": config.before, "after": config.after}
    return {
        "mlm:architecture": config.kind if config.encoder is None else f"{config.kind} ({config.encoder})",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:input": [_input(name, date) for name, date in dates.items()],
        "mlm:output": [_output(config)],
        "stormsight:modality": {name: date.modality for name, date in dates.items()},
        "stormsight:data_set": config.before.sensor,
        "stormsight:normalisation": {
            "inside_the_network": True,
            **{name: {"mean": list(date.mean), "std": list(date.std)} for name, date in dates.items()},
        },
        "stormsight:threshold": config.threshold,
    }


def change_bands(config: ChangeConfig) -> list[dict[str, Any]]:
    """Return ``raster:bands``: the bands that the inputs name, each once, as they are stored."""
    names = dict.fromkeys(band for date in config.dates for band in date.bands)
    return [{"name": name, "data_type": "uint8", "nodata": 0} for name in names]


def _input(name: str, date: DateConfig) -> dict[str, Any]:
    return {
        "name": name,
        "bands": list(date.bands),
        "input": {"shape": [-1, len(date.bands), -1, -1], "dim_order": BATCH, "data_type": "uint8"},
        "description": f"Image {name} the change, {date.modality} of {date.sensor}, on the same grid of "
        "pixels as the other one. 0 in every band is no data. Any height and width.",
        "value_scaling": None,
    }


def _output(config: ChangeConfig) -> dict[str, Any]:
    return {
        "name": "change probability",
        "tasks": ["semantic-segmentation"],
        "description": "Probability that a building was added, removed or enlarged at a pixel, which is "
        f"changed above {config.threshold:g}. The network returns logits.",
        "result": {"shape": [-1, 1, -1, -1], "dim_order": BATCH, "data_type": "float32"},
        "classification:classes": [
            {"value": 0, "name": "unchanged", "description": "no building was added, removed or enlarged"},
            {"value": 1, "name": "changed", "description": "ground of a building that was"},
        ],
        "post_processing_function": {
            "format": "python",
            "expression": f"torch.sigmoid(logits) > {config.threshold!r}",
        },
    }
