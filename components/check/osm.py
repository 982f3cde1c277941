"""Check of the OpenStreetMap extract that stage osm would read: file, format, coverage.

Its SHA-256 is left to the stage, which reads the file as a whole.
"""

from __future__ import annotations

from pathlib import Path

from components.check.findings import Findings
from components.contract.errors import MissingInputError, ParameterError
from components.lib.osm.formats import file_format
from components.osm.parameters import ExtractParameters, OsmParameters


def check_extract(osm: OsmParameters, root: Path, findings: Findings) -> None:
    """Look at the extract's file where stages draw masks of it.

    Args:
        osm: Section `osm`.
        root: Folder of ``params.yaml``, which the path is relative to.
        findings: Takes what is wrong.
    """
    if osm.tasks and osm.extract.path is not None:
        with findings.collecting():
            _check_file(root / osm.extract.path, osm.extract)


def _check_file(path: Path, extract: ExtractParameters) -> None:
    if not path.is_file():
        raise MissingInputError(
            f"osm.extract.path: the file {extract.path} does not exist",
            next_step=f"fetch it from {extract.source}, correct osm.extract.path, or empty osm.tasks",
        )
    try:
        kind = file_format(path)
    except OSError as error:
        raise MissingInputError(
            f"osm.extract.path: {extract.path} cannot be read: {error.strerror}",
            next_step="check its permissions",
        ) from error
    if kind == "pbf" and extract.layers:
        raise ParameterError(
            f"osm.extract.layers names {', '.join(extract.layers[:5])}, and {extract.path} is PBF, which has "
            "no layers",
            next_step="leave osm.extract.layers empty",
        )
    if kind != "pbf" and extract.coverage is None:
        raise ParameterError(
            f"osm.extract.coverage: nothing says which ground {extract.path} covers: where does no object "
            "mean none?",
            next_step="set osm.extract.coverage to [west, south, east, north] in degrees",
        )
