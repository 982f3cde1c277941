"""Networks that read optical images, before any training: the same for each stage that trains them."""

from __future__ import annotations

from components.lib.engine.inputs import optical_statistics
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.parts import aspp_rates
from components.lib.tasks.names import TaskName


def optical_network(
    kind: str, task: TaskName, sensor: str, training: TrainingParameters
) -> SegmentationNetwork:
    """Return the untrained network of an optical teacher; equal seeds give equal ones.

    Args:
        kind: Kind of the network.
        task: Task of the store's labels.
        sensor: Sensor of the tiles.
        training: Section `training`.

    Raises:
        ParameterError: If the encoder is unknown, or roads are to have contours.
    """
    mean, std = optical_statistics()
    seed_everything(training.seed)
    return build_network(
        NetworkConfig(
            kind=kind,
            encoder=training.encoder,
            encoder_weights=training.encoder_weights,
            decoder_channels=training.decoder_channels,
            aspp_rates=aspp_rates(training.aspp_rates, training.crop),
            aspp_dropout=training.aspp_dropout,
            modality="optical",
            task=task,
            sensors=(sensor,),
            input_mean=mean,
            input_std=std,
            contours=training.wants_contours(task),
        )
    )
