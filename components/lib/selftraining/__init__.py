"""Class-balanced self-training: pseudo-labels of an unlabelled sensor (reference adaptation 1.7)."""

from components.lib.selftraining.codes import LOGITS, PROBABILITIES, Codec
from components.lib.selftraining.collapse import CollapseLimits, class_agreement, collapse_reason
from components.lib.selftraining.fusion import Fusion, fuse_scales
from components.lib.selftraining.pseudolabels import LabelSummary, PseudoLabelSettings, make_pseudo_labels
from components.lib.selftraining.scales import FACTORS, RELEASED_FACTORS, scales_of
from components.lib.selftraining.thresholds import (
    SAMPLING_STRIDE,
    ConfidenceHistogram,
    assign_labels,
    sample_confidences,
    sample_probabilities,
)

__all__ = [
    "FACTORS",
    "LOGITS",
    "PROBABILITIES",
    "RELEASED_FACTORS",
    "SAMPLING_STRIDE",
    "Codec",
    "CollapseLimits",
    "ConfidenceHistogram",
    "Fusion",
    "LabelSummary",
    "PseudoLabelSettings",
    "assign_labels",
    "class_agreement",
    "collapse_reason",
    "fuse_scales",
    "make_pseudo_labels",
    "sample_confidences",
    "sample_probabilities",
    "scales_of",
]
