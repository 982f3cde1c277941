"""Construction of a network from its configuration; its class is imported when it is asked for.

Kinds that several methods use are listed here; every other kind is the name of the method that defines its
network (:mod:`components.lib.methods.registry`). So a training depends on the code of its own network alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from components.lib.methods.registry import own_network
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.network import SegmentationNetwork

SHARED_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "deeplabv3plus": ("components.lib.architectures.deeplab", "DeepLab"),
        "disoptnet": ("components.lib.architectures.two_branch", "TwoBranchNetwork"),
    }
)
"""Module and class of the networks that several methods use, by kind."""


def network_class(kind: str) -> type[SegmentationNetwork]:
    """Return the class of networks of ``kind``.

    Raises:
        ParameterError: If there is no such kind.
    """
    if kind not in SHARED_KINDS:
        return own_network(kind)
    module, name = SHARED_KINDS[kind]
    network: type[SegmentationNetwork] = getattr(import_module(module), name)
    return network


def build_network(config: NetworkConfig) -> SegmentationNetwork:
    """Build the network of ``config``, in training mode, on the CPU.

    Random weights come from torch's global generator: seed it first. ``config.encoder_weights`` of the result
    is None when the pretrained weights could not be fetched.

    Raises:
        ParameterError: If the kind or the encoder is unknown, or the encoder cannot be forked as
            ``disoptnet`` needs.
    """
    net = network_class(config.kind)(config)
    if not config.sensor_specific:
        return net
    return convert_to_csn(
        net, config.sensors, momentum=config.norm_momentum, tied=config.normalisation == "shared"
    )


def reference_parameter_count(net: SegmentationNetwork) -> int:
    """Return the parameters with the encoder's classifier tail, which ours deletes, as DisOptNet counts them.

    11.68 M for the B3 teacher, 22.78 M for the B3 student (docs/methods/distillation.md).
    """
    return sum(parameter.numel() for parameter in net.parameters()) + net.dropped_parameters
