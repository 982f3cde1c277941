"""The untrained SAR network of each method."""

from __future__ import annotations

from types import MappingProxyType

from components.distill.parameters import DistillParameters, Method
from components.lib.engine import TrainingParameters
from components.lib.engine.inputs import sar_statistics
from components.lib.engine.loop import seed_everything
from components.lib.errors import ParameterError
from components.lib.nets import DeepLab, NetworkConfig, SegmentationNetwork, build_network
from components.lib.nets.config import Kind
from components.lib.sensors import get_sensor

_KINDS: MappingProxyType[Method, Kind] = MappingProxyType(
    {
        "none": "deeplabv3plus",
        "optical_init": "deeplabv3plus",
        "disoptnet": "disoptnet",
        "hfd_reading": "hfd_reading",
        "concord": "deeplabv3plus",
    }
)


def sar_network(
    method: Method,
    sensor: str,
    training: TrainingParameters,
    distill: DistillParameters,
) -> SegmentationNetwork:
    """The untrained network of ``method``, reading SAR of ``sensor``: the same for every equal seed."""
    mean, std = sar_statistics(training.sar_normalisation, get_sensor(sensor).scale_limits)
    seed_everything(training.seed)
    return build_network(
        NetworkConfig(
            kind=_KINDS[method],
            encoder=training.encoder,
            encoder_weights=training.encoder_weights,
            decoder_channels=training.decoder_channels,
            modality="sar",
            sensors=(sensor,),
            input_mean=mean,
            input_std=std,
            output=distill.disoptnet.output,
            alignment=distill.hfd_reading.alignment,
            contours=training.contour_weight > 0,
        )
    )


def starts_from_teacher(method: Method, distill: DistillParameters) -> bool:
    """Whether the method's network begins with the teacher's weights."""
    return method == "optical_init" or (method == "concord" and distill.concord.start == "optical")


def start_from_teacher(net: SegmentationNetwork, teacher: DeepLab) -> None:
    """Give ``net`` the weights and statistics of ``teacher``, first convolution included.

    Raises:
        ParameterError: If one has a contour head and the other has not.
    """
    if net.config.contours != teacher.config.contours:
        raise ParameterError(
            "training.contour_weight: the teacher in models/optical was trained "
            f"{'with' if teacher.config.contours else 'without'} contours",
            next_step="run `dvc repro optical` to train it as params.yaml says now",
        )
    net.load_state_dict(teacher.state_dict())
