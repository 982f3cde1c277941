"""Common plane of two files of roads: pixels of images, or metres of one projected CRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from components.contract.errors import BadDataError, ParameterError
from components.lib.geo.crs import LON_LAT, move, same_crs
from components.lib.geo.metric import in_metres, utm_zone
from components.lib.roads.graph.drawn import Road, RoadFile
from components.lib.roads.graph.model import Floats

WIDEST_DEGREES: Final = 3.0
"""Largest extent that is measured in one UTM zone: beyond, its scale is off by more than 0.1 %."""

PIXELS: Final = "pixels"


@dataclass(frozen=True, slots=True)
class Frame:
    """Plane that two files are compared in.

    Attributes:
        name: ``pixels``, or the CRS, ``EPSG:<code>`` or WKT, whose metres count.
        warnings: Sentences about files that may not be what they are taken for.
    """

    name: str
    warnings: tuple[str, ...] = ()

    def roads(self, file: RoadFile, unit_per_pixel: float, unit_per_metre: float) -> dict[str, list[Road]]:
        """Return the roads of a file in this plane, by image.

        Args:
            file: One of the two files.
            unit_per_pixel: Factor from pixels to the unit wanted.
            unit_per_metre: Factor from metres to it.

        Raises:
            BadDataError: If a coordinate cannot be transformed.
        """
        if self.name == PIXELS:
            return {image: [r.scaled(unit_per_pixel) for r in roads] for image, roads in file.images.items()}
        return {
            image: [road.scaled(unit_per_metre) for road in _moved(roads, file, self.name)]
            for image, roads in file.images.items()
        }


def common_frame(truth: RoadFile, proposal: RoadFile) -> Frame:
    """Return the plane of two files: a CRS of theirs that counts metres, else the UTM zone of the place.

    GeoJSON without a CRS is longitude and latitude (RFC 7946), unless its coordinates cannot be, or span more
    than a UTM zone holds: then they are pixels.

    Raises:
        BadDataError: If one file states a CRS and the other has pixels, or a file, or both together,
            span more than 3 degrees.
        ParameterError: If one file is a CSV and the other is not.
    """
    files = truth, proposal
    if truth.pixels != proposal.pixels:
        raise ParameterError(
            f"{truth.path} and {proposal.path}: one is a CSV in pixels, the other is GeoJSON",
            next_step="give two files of one kind",
        )
    if truth.pixels:
        return Frame(PIXELS)
    filled = [file for file in files if any(road.parts for road in file.images[""])]
    plane = [file for file in filled if file.crs is None and not _could_be_degrees(filled)]
    if plane:
        stated = [file for file in filled if file.crs is not None]
        if stated:
            raise BadDataError(
                f"{plane[0].path} states no CRS and is not in degrees, {stated[0].path} states one",
                next_step="write the CRS into the file",
            )
        if all(_could_be_degrees([file]) for file in plane):
            raise _far_apart(truth, proposal)
        return Frame(PIXELS, ("no file states a CRS, and these are no degrees: taken for pixels",))
    guessed = tuple(f"{f.path} states no CRS: longitude and latitude (RFC 7946)" for f in filled if not f.crs)
    return Frame(_metric(filled), guessed)


def _could_be_degrees(files: Sequence[RoadFile]) -> bool:
    """Return whether all files without a CRS together fit longitudes and latitudes of one UTM zone."""
    xy = np.concatenate([_coordinates(file.images[""]) for file in files if file.crs is None])
    within = bool((np.abs(xy) <= (180.0, 90.0)).all())
    return within and _widest(xy) <= WIDEST_DEGREES


def _metric(files: Sequence[RoadFile]) -> str:
    for file in files:
        if file.crs and in_metres(file.crs, str(file.path)):
            return file.crs
    if not files:
        return PIXELS
    degrees = [_degrees(file) for file in files]
    for file, own in zip(files, degrees, strict=True):
        if _widest(own) > WIDEST_DEGREES:
            raise BadDataError(
                f"{file.path}: the roads span more than {WIDEST_DEGREES:g} degrees",
                next_step="score them tile by tile",
            )
    together = np.concatenate(degrees)
    if _widest(together) > WIDEST_DEGREES:
        raise _far_apart(*files)
    return utm_zone(together)


def _widest(degrees: Floats) -> float:
    return float(np.ptp(degrees, axis=0).max())


def _far_apart(truth: RoadFile, proposal: RoadFile) -> BadDataError:
    return BadDataError(
        f"{truth.path} and {proposal.path} lie more than {WIDEST_DEGREES:g} degrees apart",
        next_step="check that both are of one place, longitude before latitude, or state their CRS",
    )


def _degrees(file: RoadFile) -> Floats:
    xy, name = _coordinates(file.images[""]), str(file.path)
    source = file.crs or LON_LAT
    if same_crs(source, LON_LAT, name):
        if not (np.abs(xy) <= (180.0, 90.0)).all():
            raise BadDataError(
                f"{name} states longitude and latitude and has coordinates beyond 180 and 90",
                next_step="write the CRS of its coordinates into the file",
            )
        return xy
    return move(xy, source, LON_LAT, name)


def _moved(roads: Sequence[Road], file: RoadFile, target: str) -> list[Road]:
    """Return roads in another CRS; all vertices are transformed at once."""
    source, name = file.crs or LON_LAT, str(file.path)
    if same_crs(source, target, name) or not any(road.parts for road in roads):
        return list(roads)
    sizes = [len(part) for road in roads for part in road.parts]
    pieces = iter(np.split(move(_coordinates(roads), source, target, name), np.cumsum(sizes)[:-1]))
    return [replace(road, parts=tuple(next(pieces) for _ in road.parts)) for road in roads]


def _coordinates(roads: Sequence[Road]) -> Floats:
    return np.concatenate([np.empty((0, 2)), *(part for road in roads for part in road.parts)])
