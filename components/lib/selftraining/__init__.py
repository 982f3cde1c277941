"""Class-balanced self-training: pseudo-labels of an unlabelled sensor (reference adaptation 1.7)."""

from components.lib.selftraining.codes import LOGITS, PROBABILITIES, Codec
from components.lib.selftraining.fusion import Fusion, fuse_scales
from components.lib.selftraining.pseudolabels import LabelSummary, PseudoLabelSettings, make_pseudo_labels
from components.lib.selftraining.thresholds import (
    SAMPLING_STRIDE,
    ConfidenceHistogram,
    assign_labels,
    sample_confidences,
)

__all__ = [
    "LOGITS",
    "PROBABILITIES",
    "SAMPLING_STRIDE",
    "Codec",
    "ConfidenceHistogram",
    "Fusion",
    "LabelSummary",
    "PseudoLabelSettings",
    "assign_labels",
    "fuse_scales",
    "make_pseudo_labels",
    "sample_confidences",
]
