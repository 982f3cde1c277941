"""File names of the SpaceNet 6 release.

``SN6_Train_AOI_11_Rotterdam_<product>_<start>_<stop>_tile_<n>.<ext>`` with 14-digit UTC times; the strip is
``<start>_<stop>`` and the image id, the key every join uses, is ``<start>_<stop>_tile_<n>``. Tile numbers
alone are not unique across strips.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from components.contract.errors import BadDataError

PRODUCTS = ("PAN", "PS-RGB", "PS-RGBNIR", "RGBNIR", "SAR-Intensity", "Buildings")
"""Products of the release, as written in file names."""

_PATTERN = re.compile(
    r"^SN6_(?P<part>Train|Test_Public)_AOI_11_Rotterdam_"
    r"(?P<product>PAN|PS-RGB|PS-RGBNIR|RGBNIR|SAR-Intensity|Buildings)_"
    r"(?P<strip>\d{14}_\d{14})_tile_(?P<tile>\d+)\.(?P<extension>tif|geojson)$"
)


@dataclass(frozen=True, slots=True)
class TileName:
    """One parsed file name.

    Attributes:
        product: One of ``PRODUCTS``.
        strip: ``<start>_<stop>``, two 14-digit UTC times.
        tile: Tile number, unique within its strip only.
        part: ``Train`` or ``Test_Public``.
    """

    product: str
    strip: str
    tile: int
    part: str = "Train"

    @classmethod
    def parse(cls, name: str) -> TileName:
        """Parse a bare file name.

        Raises:
            BadDataError: If ``name`` does not follow the convention.
        """
        match = _PATTERN.match(name)
        if match is None:
            raise BadDataError(
                f"{name!r} is not a SpaceNet 6 file name",
                next_step="name it SN6_Train_AOI_11_Rotterdam_<product>_<start>_<stop>_tile_<n>.tif",
            )
        return cls(match["product"], match["strip"], int(match["tile"]), match["part"])

    @classmethod
    def matches(cls, name: str) -> bool:
        """Whether ``name`` follows the convention."""
        return _PATTERN.match(name) is not None

    @property
    def image_id(self) -> str:
        """``<start>_<stop>_tile_<n>``: the id shared by all products of a tile and by the scoring CSVs."""
        return f"{self.strip}_tile_{self.tile}"

    @property
    def file_name(self) -> str:
        """The name as the release writes it."""
        extension = "geojson" if self.product == "Buildings" else "tif"
        return f"SN6_{self.part}_AOI_11_Rotterdam_{self.product}_{self.image_id}.{extension}"

    @property
    def folder(self) -> str:
        """The product's folder in the release (labels lie in ``geojson_buildings``)."""
        return "geojson_buildings" if self.product == "Buildings" else self.product
