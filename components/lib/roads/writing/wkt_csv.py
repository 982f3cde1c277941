"""Road graphs of images as one CSV of SpaceNet 3: ``ImageId,WKT_Pix``, in pixels."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import shapely

from components.contract.errors import ParameterError
from components.lib.files import atomic_file
from components.lib.roads.graph.wkt_csv import LONGEST_ID
from components.lib.roads.tracing.trace import TracedRoads

_DECIMALS: Final = 2


def write_csv(path: Path, images: Mapping[str, TracedRoads]) -> None:
    """Write a row for each edge, images in order of their ids; ``LINESTRING EMPTY`` for one without a road.

    The origin is the top left corner of an image, and the middle of its first pixel (0.5, 0.5).

    Args:
        path: File to write.
        images: Graph of each image, by its id.

    Raises:
        ParameterError: If an id cannot be read back.
        ResourceError: If the disk is full.
    """
    for image in images:
        check_image_id(image)
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ImageId", "WKT_Pix"))
        for image, roads in sorted(images.items()):
            shapes = roads.graph.shapes if len(roads) else [shapely.LineString()]
            writer.writerows((image, text) for text in shapely.to_wkt(shapes, rounding_precision=_DECIMALS))


def check_image_id(image: str) -> None:
    """Check that a reader takes an id.

    Raises:
        ParameterError: If it is empty, begins or ends with blanks, is longer than 255 characters, or has
            characters that are not printable.
    """
    if image != image.strip() or not 0 < len(image) <= LONGEST_ID or not image.isprintable():
        raise ParameterError(f"{image[:60]!r} is no id of an image", next_step="give another --image-id")
