"""From a configuration to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from components.lib.nets.config import Kind, NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.disoptnet import DisOptNetStudent
from components.lib.nets.dmsd import DenseMultiScaleNetwork
from components.lib.nets.hfd import HfdReading
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.semantic_fpn import SemanticFPN

_KINDS: Mapping[Kind, Callable[[NetworkConfig], SegmentationNetwork]] = MappingProxyType(
    {
        "deeplabv3plus": DeepLab,
        "disoptnet": DisOptNetStudent,
        "semantic_fpn": SemanticFPN,
        "dmsd": DenseMultiScaleNetwork,
        "hfd_reading": HfdReading,
    }
)


def build_network(config: NetworkConfig) -> SegmentationNetwork:
    """Build the network of ``config``, in training mode, on the CPU.

    Random weights come from torch's global generator: seed it first. ``config.encoder_weights`` of the result
    is None when the pretrained weights could not be fetched.

    Raises:
        ParameterError: If the encoder is unknown, or cannot be forked as ``disoptnet`` needs.
    """
    net = _KINDS[config.kind](config)
    if not config.sensor_specific:
        return net
    return convert_to_csn(
        net, config.sensors, momentum=config.norm_momentum, tied=config.normalisation == "shared"
    )


def reference_parameter_count(net: SegmentationNetwork) -> int:
    """Parameters as the reference counts them: with the encoder's classifier tail, which ours deletes.

    11.68 M for the B3 teacher, 22.78 M for the B3 student (reference distillation 1.3).
    """
    return sum(parameter.numel() for parameter in net.parameters()) + net.dropped_parameters
