"""Declarations a data set consists of: sensors, products, file names, and the official split.

A data set is one module below :mod:`components.lib.datasets` that fills in a :class:`Dataset`, and one entry
of ``DATASETS`` in :mod:`components.lib.datasets.sensors`. Stages read the declaration; none of them knows a
file name, a folder or a band order of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from string import Formatter

from components.contract.errors import BadDataError

QUAD_POL = ("HH", "HV", "VH", "VV")
"""Channel order of the networks' input: SAR as it is, optical images with bands that imitate these four."""

QuadPolSource = tuple[int, int, int, int]
"""For each of HH, HV, VH, VV the index of the file band that is put in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """Facts about one SAR sensor that readers, validation and networks need.

    Attributes:
        name: Key in catalogue entries, indices and model signatures.
        bands: Polarisations in file order.
        quad_pol_source: Bands for HH, HV, VH, VV; a missing polarisation borrows its nearest relative (co-pol
            for co-pol, cross-pol for cross-pol).
        gsd_m: Pixel size in metres.
        valid_range: Smallest and largest believable valid value, in the product's logarithmic units; 0 is
            no-data.
        scale_limits: Values that the training store maps linearly to 1 and 255, the same for every tile.
            They belong to the product: two editions with other units must not share them.
        crs: Coordinate reference system of the product.
        incidence_deg: Incidence angle from the vertical, degrees.
        looks: Equivalent number of looks.
        simulated: True for the rehearsal world; every number on it is called simulated.
        paired_optical: True if optical products on the same grid come with each SAR tile.
    """

    name: str
    bands: tuple[str, ...]
    quad_pol_source: QuadPolSource
    gsd_m: float
    valid_range: tuple[float, float]
    scale_limits: tuple[float, float]
    crs: str
    incidence_deg: float
    looks: float
    simulated: bool
    paired_optical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One kind of file that a release holds for each tile.

    Attributes:
        name: As written in file names, catalogue entries and the manifest.
        folder: Folder of the release that holds such files.
        extension: File extension without the dot.
        dtype: Pixel type; empty for vectors and for products that no stage reads.
        bands: Bands in file order; empty where the sensor declares them, for vectors and unread products.
        quad_pol_source: Bands that imitate HH, HV, VH, VV; empty for products that no network sees.
    """

    name: str
    folder: str
    extension: str = "tif"
    dtype: str = ""
    bands: tuple[str, ...] = ()
    quad_pol_source: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadLabels:
    """Road labels of a data set: centre lines as GeoJSON, and what their properties mean.

    Attributes:
        product: Files of the lines, one for each tile, in map coordinates.
        width_key: Property with the width of a line's road, metres; "" if the release states none.
        lanes_key: Property with the number of its lanes, used where no width is stated; "" if there is none.
        lane_m: Width of a lane, metres.
        class_key: Property with the class of the road; "" if there is none.
        uncertain: Classes of which nobody knows whether a road is to be seen; the ground that such a road
            would cover is ignored.
    """

    product: Product
    width_key: str = ""
    lanes_key: str = ""
    lane_m: float = 3.5
    class_key: str = ""
    uncertain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadImages:
    """Data set of optical images with road labels and without any SAR: read, not yet run through the stages.

    Attributes:
        name: Name of the data set.
        title: The release in words, for messages.
        image: Optical images; their bands are those of the file before an alpha band.
        roads: Road labels of the images.
        gsd_m: Pixel size in metres that images are brought to.
        files: Regular expressions of file names, each with the groups ``area`` and ``tile``.
    """

    name: str
    title: str
    image: Product
    roads: RoadLabels
    gsd_m: float
    files: tuple[str, ...]

    def image_id(self, name: str) -> str:
        """Return the key that a tile's image, its labels and the scoring CSVs share.

        Args:
            name: Bare file name of an image or of labels, of any edition of the release.

        Raises:
            BadDataError: If the name is of no edition.
        """
        for pattern in self.files:
            if match := re.fullmatch(pattern, name):
                return f"{match['area']}_{match['tile']}"
        raise BadDataError(
            f"{name!r} is not a {self.title} file name",
            next_step=f"name it like {self.image.name}_AOI_2_Vegas_img0.{self.image.extension}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summaries:
    """Files that describe an acquisition as a whole.

    Attributes:
        product: Their product name in catalogue entries and the manifest.
        folder: Folder of the release that holds them.
        orientations: File with a line ``<strip> <flag>`` per strip: 0 seen from the north, 1 from the south.
        buildings: CSV of all footprints, with heights, as the train part names it.
        buildings_ending: Ending by which such a CSV is known in any part.
    """

    product: str
    folder: str
    orientations: str
    buildings: str
    buildings_ending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """File names of tiles, read and written by one template.

    Attributes:
        title: The release in words, for messages.
        template: File name with the fields ``{product}``, ``{image_id}``, ``{extension}`` and, if
            names state it, ``{part}``.
        image_id: Key that all files of a tile share, with the fields ``{strip}`` and ``{tile}``.
        strip: Regular expression of a strip.
        parts: Parts of the release as written in file names; the first is the part with optical images and
            labels.
    """

    title: str
    template: str
    image_id: str
    strip: str
    parts: tuple[str, ...]

    @property
    def full_part(self) -> str:
        """Part of the release whose tiles come with optical images and labels."""
        return self.parts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialSplit:
    """Published division of a data set by location: equal groups of tiles by their west edge.

    Attributes:
        published: Name of the published test set, the easternmost group.
        disjoint: Name of its part that shares no ground with any other group.
        west_m: West end of the first group, metres east in the sensors' CRS.
        east_m: East end of the last group.
        groups: Number of groups.
    """

    published: str
    disjoint: str
    west_m: float
    east_m: float
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and standard deviation of each of the four input channels, in the product's units."""

    mean: tuple[float, float, float, float]
    std: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TileName:
    """One parsed file name.

    Attributes:
        product: Name of the product.
        strip: Overflight that the tile was cut from.
        tile: Tile number, unique within its strip only.
        image_id: Key that all files of the tile, and the scoring CSVs, share.
        part: Part of the release.
    """

    product: str
    strip: str
    tile: int
    image_id: str
    part: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set as its files are laid out and meant.

    Attributes:
        name: Key in ``DATASETS``.
        sensors: SAR sensors; a sensor belongs to one data set.
        naming: File names of tiles.
        sar: SAR images.
        optical: Optical images on the SAR tile's grid.
        labels: Building footprints of a tile as GeoJSON in map coordinates.
        unread: Further products of the release, which no stage reads.
        summaries: Files about the acquisition as a whole.
        root: Folder of the release that holds the products' folders, with a slash at its end.
        split: The official split.
        sar_moments: Moments of the valid SAR pixels.
        roads: Road labels; None for a data set without them.
    """

    name: str
    sensors: tuple[Sensor, ...]
    naming: Naming
    sar: Product
    optical: Product
    labels: Product
    unread: tuple[Product, ...]
    summaries: Summaries
    root: str
    split: OfficialSplit
    sar_moments: Moments
    roads: RoadLabels | None = None

    @cached_property
    def products(self) -> dict[str, Product]:
        """All products of a tile by name."""
        roads = () if self.roads is None else (self.roads.product,)
        found = (self.sar, self.optical, self.labels, *self.unread, *roads)
        return {product.name: product for product in found}

    @property
    def unread_names(self) -> tuple[str, ...]:
        """Names of the products that no stage reads."""
        return tuple(product.name for product in self.unread)

    @property
    def product_names(self) -> tuple[str, ...]:
        """Names that a catalogue entry may list: the products of a tile and the summaries."""
        return (*self.products, self.summaries.product)

    def check_products(self, names: Iterable[str]) -> None:
        """Check the product names of a catalogue entry or delivery.

        Raises:
            ValueError: If the data set has no such product.
        """
        for index, name in enumerate(names):
            if name not in self.product_names:
                known = ", ".join(map(repr, self.product_names))
                raise ValueError(f"products.{index}: Input should be one of {known}")

    def matches(self, name: str) -> bool:
        """Return whether a bare file name follows the convention for tiles."""
        return self._pattern.fullmatch(name) is not None

    def parse(self, name: str) -> TileName:
        """Parse the bare file name of a tile's file.

        Raises:
            BadDataError: If ``name`` does not follow the convention.
        """
        match = self._pattern.fullmatch(name)
        if match is None:
            example = self.naming.template.replace("{image_id}", self.naming.image_id)
            raise BadDataError(
                f"{name!r} is not a {self.naming.title} file name", next_step=f"name it {example}"
            )
        strip, tile = match["strip"], int(match["tile"])
        part = match.groupdict().get("part", self.naming.full_part)
        return TileName(match["product"], strip, tile, self.image_id(strip, tile), part)

    def image_id(self, strip: str, tile: int) -> str:
        """Return the key that all files of a tile share."""
        return self.naming.image_id.format(strip=strip, tile=tile)

    def file_name(self, product: str, strip: str, tile: int, part: str | None = None) -> str:
        """Return the name that the release gives a tile's file, by default in the part with labels."""
        return self.naming.template.format(
            part=part or self.naming.full_part,
            product=product,
            image_id=self.image_id(strip, tile),
            extension=self.products[product].extension,
        )

    def product_of(self, path: str) -> str | None:
        """Return the product that a path of the release belongs to, None for anything else.

        Summary files are known by their folder, tiles by their name whatever the folder.
        """
        pure = PurePosixPath(path)
        if pure.parent.name == self.summaries.folder:
            return self.summaries.product
        return self.parse(pure.name).product if self.matches(pure.name) else None

    def folder(self, product: str) -> str:
        """Return the folder of the release that holds a product or the summaries."""
        return self.summaries.folder if product == self.summaries.product else self.products[product].folder

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """The naming template as a regular expression, every field a named group."""
        groups = {
            "part": "|".join(map(re.escape, self.naming.parts)),
            "product": "|".join(map(re.escape, self.products)),
            "strip": self.naming.strip,
            "tile": r"\d+",
            "extension": "|".join(sorted({product.extension for product in self.products.values()})),
        }
        template = self.naming.template.replace("{image_id}", self.naming.image_id)
        return re.compile(
            "".join(
                re.escape(literal) + (f"(?P<{field}>{groups[field]})" if field else "")
                for literal, field, _, _ in Formatter().parse(template)
            )
        )
