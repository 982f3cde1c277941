"""Predicting whole tiles, vectorising, and scoring one network against the truth."""

from components.lib.scoring.predict import predict_tiles
from components.lib.scoring.score import Scores, score_model
from components.lib.scoring.settings import ScoringSettings
from components.lib.scoring.slices import NODATA_BANDS, SIZE_BANDS, slice_tables

__all__ = [
    "NODATA_BANDS",
    "SIZE_BANDS",
    "Scores",
    "ScoringSettings",
    "predict_tiles",
    "score_model",
    "slice_tables",
]
