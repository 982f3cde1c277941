"""The untrained SAR network of each method."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType

import torch
from torch import nn

from components.contract.errors import ParameterError
from components.distill.parameters import DistillParameters, Method
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.inputs import sar_statistics
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.nets.config import Kind, NetworkConfig
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.disoptnet import DisOptNetStudent
from components.lib.nets.encoders import deep_stages
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork

_KINDS: MappingProxyType[Method, Kind] = MappingProxyType(
    {
        "none": "deeplabv3plus",
        "optical_init": "deeplabv3plus",
        "semantic_fpn": "semantic_fpn",
        "dmsd": "dmsd",
        "disoptnet": "disoptnet",
        "hfd_reading": "hfd_reading",
        "concord": "disoptnet",
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

    A two-branch student takes them twice: both branches and both decoders begin as the teacher's. Its class
    heads are 3x3 where the teacher's is 1x1: the same map lies in their centre. Its fusion has no model.

    Raises:
        ParameterError: If one has a contour head and the other has not.
    """
    if net.config.contours != teacher.config.contours:
        raise ParameterError(
            "training.contour_weight: the teacher in models/optical was trained "
            f"{'with' if teacher.config.contours else 'without'} contours",
            next_step="run `dvc repro optical` to train it as params.yaml says now",
        )
    if not isinstance(net, DisOptNetStudent):
        net.load_state_dict(teacher.state_dict())
        return
    copy = deepcopy(teacher.encoder)
    net.encoder.load_state_dict(copy.state_dict())
    deep = deep_stages(copy, teacher.config.encoder, in_channels=teacher.config.in_channels)
    pairs = [(net.stage4_r, deep[0]), (net.stage5_r, deep[1])]
    pairs += [(decoder, teacher.decoder) for decoder in (net.decoder_s, net.decoder_r)]
    if net.contour_head is not None and teacher.contour_head is not None:
        pairs.append((net.contour_head, teacher.contour_head))
    for ours, theirs in pairs:
        ours.load_state_dict(theirs.state_dict())
    for head in (net.head_s, net.head_r, net.head_f):
        _centre(head, teacher.head)


@torch.no_grad()
def _centre(head: nn.Module, narrow: nn.Module) -> None:
    """Make the 3x3 ``head`` compute what the 1x1 ``narrow`` computes."""
    wide, point = (next(m for m in h.modules() if isinstance(m, nn.Conv2d)) for h in (head, narrow))
    assert wide.bias is not None
    assert point.bias is not None
    wide.weight.zero_()
    wide.weight[:, :, 1, 1] = point.weight[:, :, 0, 0]
    wide.bias.copy_(point.bias)
