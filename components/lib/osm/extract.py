"""A pinned extract: a file of known content, source and date. Never a live query."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.hashing import sha256_file
from components.lib.osm.features import Found
from components.lib.osm.formats import file_format
from components.lib.osm.ground import Ground
from components.lib.osm.layers import LayerReader
from components.lib.osm.pbf import PbfReader
from components.lib.osm.tags import Rules
from components.lib.osm.terms import CREDIT, LICENCE

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """An extract as it is declared.

    Attributes:
        path: The file: PBF, GeoPackage or GeoJSON.
        sha256: Hash of its content, hexadecimal.
        source: Where it came from, in words or as an address; it is recorded and never opened.
        date: State of the data.
        coverage: West, south, east, north in degrees, inside of which the extract is complete; None for the
            box in a PBF file's own header.
        layers: Layers of a GeoPackage or GeoJSON to read; all that fit where it is empty.
    """

    path: Path
    sha256: str
    source: str
    date: dt.date
    coverage: tuple[float, float, float, float] | None = None
    layers: Sequence[str] = ()

    def verify(self) -> str:
        """Check that the file is the declared one.

        Returns:
            Its format: ``pbf``, ``gpkg`` or ``geojson``.

        Raises:
            MissingInputError: If there is no such file.
            BadDataError: If its content is another one, or of none of the formats.
            ParameterError: If layers are named of a PBF file, which has none.
        """
        if not self.path.is_file():
            raise MissingInputError(
                f"the OpenStreetMap extract {self.path} is not there",
                next_step=f"fetch it from {self.source}, or correct osm.extract.path",
            )
        found = sha256_file(self.path)
        if found != self.sha256:
            raise BadDataError(
                f"the OpenStreetMap extract {self.path} has the SHA-256 {found}, not {self.sha256}",
                next_step="fetch the pinned file again, or set osm.extract.sha256 and date to the new one",
            )
        kind = file_format(self.path)
        if kind == "pbf" and self.layers:
            raise ParameterError(
                f"osm.extract.layers names {', '.join(self.layers[:5])}, and a PBF file has no layers",
                next_step="leave osm.extract.layers empty",
            )
        return kind

    def read(self, rules: Rules, ground: Ground) -> Found:
        """Read what meets the tiles; call :meth:`verify` first.

        Raises:
            BadDataError: If the file is damaged or lacks what is needed.
            ParameterError: If a layer that is named is not there.
        """
        kind = file_format(self.path)
        if kind == "pbf":
            found = PbfReader(self.path, rules, ground).read()
        else:
            found = LayerReader(self.path, kind, self.layers, rules, ground).read()
        if found.timestamp and found.timestamp[:10] != self.date.isoformat():
            _LOG.warning(
                "%s says of itself that it is of %s, not of %s (osm.extract.date)",
                self.path.name,
                found.timestamp[:20],
                self.date,
            )
        return found

    def covered(self, found: Found) -> shapely.Polygon:
        """Return the ground inside of which the extract is complete, in longitude and latitude.

        Raises:
            ParameterError: If neither the declaration nor the file says it.
        """
        box = self.coverage or found.box
        if box is None:
            raise ParameterError(
                f"nothing says which ground {self.path.name} covers: where does no object mean none?",
                next_step="set osm.extract.coverage to [west, south, east, north] in degrees",
            )
        return shapely.box(*box)

    def record(self, found: Found) -> dict[str, Any]:
        """Return what is to be known of the source beside its masks, as JSON values."""
        return {
            "file": self.path.name,
            "format": file_format(self.path),
            "sha256": self.sha256,
            "source": self.source,
            "date": self.date.isoformat(),
            "header_timestamp": found.timestamp,
            "licence": LICENCE,
            "credit": CREDIT,
            "coverage": list(self.coverage or found.box or ()),
        }
