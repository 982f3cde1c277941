"""Signature of a registered model, in the file format (``MLmodel``) that MLflow's pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.lib.datasets.base import QUAD_POL
from components.lib.datasets.sensors import dataset_of

SIGNATURE_FILE = "MLmodel"
"""Beside the model's own files; nothing of ours is loaded by it, and no hash pins it."""


def bands_of(modality: str, sensors: Sequence[str]) -> dict[str, str]:
    """Return the file band that each input channel of a network is read from, by sensor, as text.

    Args:
        modality: ``sar`` or ``optical``.
        sensors: Names of the sensors that the network knows.

    Raises:
        ParameterError: If a sensor is unknown.
    """
    found = {}
    for name in sensors:
        dataset = dataset_of(name)
        layer = next(s for s in dataset.sensors if s.name == name) if modality == "sar" else dataset.optical
        found[name] = ", ".join(layer.bands[index] for index in layer.quad_pol_source)
    return found


def signature_text(run_id: str, modality: str, bands: Mapping[str, str]) -> str:
    """Return the ``MLmodel`` file of a network, as YAML.

    Inputs are uint8 pixels, (N, 4, H, W), one entry per sensor with the bands behind its channels; the output
    is the building probability, (N, 1, H, W).

    Args:
        run_id: MLflow's run that holds the file.
        modality: ``sar`` or ``optical``.
        bands: What :func:`bands_of` returns.
    """
    import numpy as np  # noqa: PLC0415 - slow imports, for registering alone
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, Schema, TensorSpec  # noqa: PLC0415

    inputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype("uint8"), (-1, len(QUAD_POL), -1, -1), f"{modality} of {sensor}: {names}")
        for sensor, names in bands.items()
    ]
    outputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype("float32"), (-1, 1, -1, -1), "building probability")
    ]
    signature = ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
    return str(Model(artifact_path="model", run_id=run_id, signature=signature).to_yaml())
