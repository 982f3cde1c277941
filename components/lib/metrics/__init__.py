"""What is measured: the SpaceNet building score, pixel scores, average precision, and their intervals."""

from components.lib.metrics.average_precision import average_precision
from components.lib.metrics.bootstrap import (
    STATISTICS,
    Interval,
    Statistic,
    location_interval,
    paired_location_difference,
)
from components.lib.metrics.confusion import Confusion, mean_hard_dice, pixel_confusion
from components.lib.metrics.polygon_csv import PolygonTable, read_polygon_csv
from components.lib.metrics.seed_means import gap_closure, mean_difference, mean_interval
from components.lib.metrics.spacenet_f1 import Matches, Score, match_polygons, score_csv

__all__ = [
    "STATISTICS",
    "Confusion",
    "Interval",
    "Matches",
    "PolygonTable",
    "Score",
    "Statistic",
    "average_precision",
    "gap_closure",
    "location_interval",
    "match_polygons",
    "mean_difference",
    "mean_hard_dice",
    "mean_interval",
    "paired_location_difference",
    "pixel_confusion",
    "read_polygon_csv",
    "score_csv",
]
