"""Segmentation networks: optical teacher, two-branch SAR student, per-sensor normalisation, bundles."""

from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn, copy_statistics, reestimate_statistics, use_sensor
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.disoptnet import Branches, DisOptNetStudent
from components.lib.nets.factory import build_network, reference_parameter_count
from components.lib.nets.network import SegmentationNetwork

__all__ = [
    "Branches",
    "DeepLab",
    "DisOptNetStudent",
    "NetworkConfig",
    "SegmentationNetwork",
    "build_network",
    "convert_to_csn",
    "copy_statistics",
    "load_bundle",
    "reestimate_statistics",
    "reference_parameter_count",
    "save_bundle",
    "use_sensor",
]
