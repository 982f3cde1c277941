"""Facts of scenes that the names of files and the release around them tell."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from components.contract.errors import ParameterError
from components.lib.geo.orientation import read_orientations
from components.lib.nets.config import Modality
from components.predict.scenes.sources import StripFiles, dataset_of_name, read_small_file

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 100
_TIME = "%Y%m%d%H%M%S"


def orientation_of_file(path: Path, strip: str, modality: Modality) -> int:
    """Return the orientation of a scene in one file, from the release around it if it is a tile.

    Raises:
        ParameterError: If it is a radar image, and nothing tells.
    """
    dataset = dataset_of_name(path.name)
    if dataset is not None:
        flags = dataset.summaries.orientations
        for folder in (path.parent, path.parent.parent / dataset.summaries.folder):
            if (folder / flags).is_file():
                found = read_orientations(read_small_file(folder / flags, flags), flags)
                if strip in found.flags:
                    return found.flags[strip]
    if modality == "optical":
        return 0  # an image from above has no side of view
    raise ParameterError(
        f"{path.name}: the side from which it was imaged is unknown",
        next_step="give --orientation 0 (imaged from the north) or 1 (from the south)",
    )


def orientation_of_strip(strip: StripFiles, modality: Modality) -> int:
    """Return the orientation of a strip, from the flags that come with it.

    Raises:
        ParameterError: If its images are of radar, and nothing tells.
    """
    flags = strip.orientations
    if flags is not None and strip.strip in flags.flags:
        return flags.flags[strip.strip]
    if modality == "optical":
        return 0
    why = "there is no file of flags" if flags is None else flags.why_unknown(strip.strip)
    raise ParameterError(
        f"the side from which strip {strip.strip} was imaged is unknown: {why}",
        next_step="add the file of flags to the folder, or give --orientation 0 (imaged from the north) or 1",
    )


def acquired(strip: str) -> tuple[datetime, datetime] | None:
    """Return begin and end of a strip from its name, None where it is no pair of times."""
    try:
        begin, end = (datetime.strptime(part, _TIME).replace(tzinfo=UTC) for part in strip.split("_"))
    except ValueError:
        return None
    return (begin, end) if begin <= end else None


def safe_name(text: str) -> str:
    """Return a name of letters, digits, ``-``, ``_`` and ``.`` only."""
    return _UNSAFE.sub("-", text).strip("-.")[:_LONGEST_NAME] or "scene"
