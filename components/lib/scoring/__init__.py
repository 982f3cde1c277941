"""Predicting whole tiles, vectorising, and scoring one network against the truth."""

from components.lib.scoring.augmentation import TestTimeAugmentation, predict_augmented
from components.lib.scoring.polygons import draw_buildings, vectoriser_of
from components.lib.scoring.predict import TileMaps, predict_tile_maps, predict_tiles
from components.lib.scoring.score import Scores, score_model, score_variants
from components.lib.scoring.settings import ScoringSettings
from components.lib.scoring.slices import NODATA_BANDS, SIZE_BANDS, slice_tables

__all__ = [
    "NODATA_BANDS",
    "SIZE_BANDS",
    "Scores",
    "ScoringSettings",
    "TestTimeAugmentation",
    "TileMaps",
    "draw_buildings",
    "predict_augmented",
    "predict_tile_maps",
    "predict_tiles",
    "score_model",
    "score_variants",
    "slice_tables",
    "vectoriser_of",
]
