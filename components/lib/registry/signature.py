"""Signature of a registered model, in the file format (``MLmodel``) that MLflow's pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.lib.change.terms import BANDS, Modality
from components.lib.datasets.base import QUAD_POL
from components.lib.datasets.sensors import dataset_of

SIGNATURE_FILE = "MLmodel"
"""Beside the model's own files; nothing of ours is loaded by it, and no hash pins it."""


def bands_of(modality: str, sensors: Sequence[str]) -> dict[str, str]:
    """Return the file band that each input channel of a network is read from, by sensor, as text.

    Args:
        modality: ``sar`` or ``optical``.
        sensors: Names of the sensors that the network knows.
        target: ``building`` or ``road``.

    Raises:
        ParameterError: If a sensor is unknown.
    """
    found = {}
    for name in sensors:
        dataset = dataset_of(name)
        layer = next(s for s in dataset.sensors if s.name == name) if modality == "sar" else dataset.optical
        found[name] = ", ".join(layer.bands[index] for index in layer.quad_pol_source)
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network reads and what it returns, in words.

    Attributes:
        inputs: Bands behind the channels of each input, by its name.
        tensors: Name and number of channels of each input tensor.
        output: Meaning of the output.
    """

    inputs: Mapping[str, str]
    tensors: Sequence[tuple[str, int]]
    output: str


def building_reading(modality: str, sensors: Sequence[str], target: str = "building") -> Reading:
    """Return what a network of buildings or roads reads: one image of any of its sensors.

    Args:
        modality: ``sar`` or ``optical``.
        sensors: Names of the sensors that the network knows.
        target: ``building`` or ``road``.

    Raises:
        ParameterError: If a sensor is unknown.
    """
    bands = bands_of(modality, sensors)
    tensors = [(f"{modality} of {sensor}: {names}", len(QUAD_POL)) for sensor, names in bands.items()]
    return Reading(bands, tensors, f"{target} probability")


def change_reading(before: Modality, after: Modality) -> Reading:
    """Return what a change network reads: two images of the same ground and size."""
    dates = {"before": before, "after": after}
    bands = {date: ", ".join(BANDS[modality]) for date, modality in dates.items()}
    return Reading(
        {date: f"{modality} {bands[date]}" for date, modality in dates.items()},
        [(f"{date}, {modality}: {bands[date]}", len(BANDS[modality])) for date, modality in dates.items()],
        "change probability",
    )


def signature_text(run_id: str, reading: Reading) -> str:
    """Return the ``MLmodel`` file of a network, as YAML.

    Inputs are uint8 pixels, (N, C, H, W); the output is a probability, (N, 1, H, W).

    Args:
        run_id: MLflow's run that holds the file.
        reading: What the network reads and returns.
    """
    import numpy as np  # noqa: PLC0415 - slow imports, for registering alone
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, Schema, TensorSpec  # noqa: PLC0415

    inputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype("uint8"), (-1, channels, -1, -1), name) for name, channels in reading.tensors
    ]
    outputs: list[ColSpec | TensorSpec] = [TensorSpec(np.dtype("float32"), (-1, 1, -1, -1), reading.output)]
    signature = ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
    return str(Model(artifact_path="model", run_id=run_id, signature=signature).to_yaml())
