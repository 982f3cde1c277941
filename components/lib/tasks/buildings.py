"""Building polygons of a predicted tile, by whichever vectoriser the settings and the network allow."""

from __future__ import annotations

from components.lib.config.scoring import Vectoriser
from components.lib.geo.vectorise import Proposals, vectorise
from components.lib.geo.watershed import vectorise_contours
from components.lib.inference.tiles import TileMaps
from components.lib.scoring.settings import ScoringSettings


def vectoriser_of(tile: TileMaps, settings: ScoringSettings) -> Vectoriser:
    """What draws this tile's polygons: without contours there is nothing to flood."""
    return "plain" if tile.contours is None else settings.vectorise


def draw_buildings(tile: TileMaps, *, orientation: int, settings: ScoringSettings) -> Proposals:
    """Draw the building polygons of one tile in the release's orientation.

    A polygon's confidence is the mean of the class map inside it, whatever drew it: the metric sorts by it,
    and the class map is what every network has and what all of them are judged by in pixels.

    Args:
        tile: What a network says of it, in store orientation.
        orientation: The strip's flag, undone before anything is drawn.
        settings: Thresholds, and the vectoriser wanted.
    """
    if tile.contours is None or settings.vectorise == "plain":
        return vectorise(
            tile.building,
            orientation=orientation,
            threshold=settings.threshold,
            min_area_px=settings.min_area_px,
            simplify_px=settings.simplify_px,
        )
    footprint, edge, contact = tile.contours
    return vectorise_contours(
        footprint,
        edge,
        contact,
        orientation=orientation,
        settings=settings.watershed,
        confidence=tile.building,
    )
