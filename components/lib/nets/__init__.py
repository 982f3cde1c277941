"""Segmentation networks: teacher, students, LoveCS's networks, per-sensor layers, bundles."""

from components.lib.nets.adapters import FeatureAdapters
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn, copy_sensor, reestimate_statistics
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.disoptnet import Branches, DisOptNetStudent
from components.lib.nets.dmsd import DenseMultiScaleNetwork
from components.lib.nets.factory import build_network, reference_parameter_count
from components.lib.nets.hfd import HFD_FEATURES, HfdReading
from components.lib.nets.network import CONTOURS, Maps, SegmentationNetwork, Supervised
from components.lib.nets.semantic_fpn import SemanticFPN
from components.lib.nets.sensorset import use_sensor
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.nets.views import Seen, View, predict_view

__all__ = [
    "CONTOURS",
    "HFD_FEATURES",
    "Branches",
    "DeepLab",
    "DenseMultiScaleNetwork",
    "DisOptNetStudent",
    "FeatureAdapters",
    "HfdReading",
    "Maps",
    "NetworkConfig",
    "Seen",
    "SegmentationNetwork",
    "SemanticFPN",
    "SingleMapNetwork",
    "Supervised",
    "View",
    "build_network",
    "convert_to_csn",
    "copy_sensor",
    "load_bundle",
    "predict_view",
    "reestimate_statistics",
    "reference_parameter_count",
    "save_bundle",
    "use_sensor",
]
