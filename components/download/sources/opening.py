"""Choice of the source for a catalogue entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from components.contract.parameters import PARAMS_FILE
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters, check_mirror
from components.download.sources.base import Source
from components.download.sources.mirror import MirrorSource
from components.download.sources.s3 import S3Source
from components.download.sources.simulated import SimulatedSource

Opener = Callable[[CatalogueEntry, DownloadParameters, Path], Source]

SOURCES: Mapping[str, Opener] = MappingProxyType(
    {"s3": S3Source.open, "file": MirrorSource.open, "simulate": SimulatedSource.open}
)
"""Implementation per URI scheme."""


def open_source(
    entry: CatalogueEntry, parameters: DownloadParameters, params_file: Path = PARAMS_FILE
) -> Source:
    """Open the source of ``entry``, or the mirror that ``download.mirrors`` puts in its place.

    Raises:
        ParameterError: If the URI's scheme is unknown, or a mirror would pass real data off as simulated.
    """
    mirror = parameters.mirrors.get(entry.id)
    if mirror is not None:
        check_mirror(entry.id, mirror)
        # A mirror of one's own is usually private: signed with the usual credentials if there are any.
        entry = entry.model_copy(update={"source": mirror, "anonymous": False, "region": None})
    return SOURCES[entry.source.split("://")[0]](entry, parameters, params_file)
