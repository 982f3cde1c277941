"""The acquisition-wide files: intact, and the orientation flag of each strip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.geo.orientation import read_orientations
from components.validate.rules import SetFailure
from components.validate.tiles import Record

ORIENTATION_FILE = "SAR_orientations.txt"
"""``strip flag`` per line, no header: 0 = imaged from north, 1 = from south (reference data.md section 3)."""


def read_summaries(
    manifest: pd.DataFrame, read: Callable[[Record], bytes]
) -> tuple[dict[str, Mapping[str, int]], list[SetFailure]]:
    """Check every summary file and read the orientation flags.

    Args:
        manifest: All rows of the manifest.
        read: Gives the checked content of a row.

    Returns:
        Flag by strip, by acquisition; and what is wrong with the summary files, in words.
    """
    flags: dict[str, Mapping[str, int]] = {}
    failures: list[SetFailure] = []
    for record in manifest[manifest["product"] == "Summary"].to_dict("records"):
        acquisition, name = str(record["acquisition"]), str(record["name"])
        try:
            content = read(record)
            if name == ORIENTATION_FILE:
                flags[acquisition] = read_orientations(content, name)
        except BadDataError as error:
            failures.append(SetFailure("summary_file", acquisition, error.message))
    known = {failure.subject for failure in failures} | set(flags)
    failures += [
        SetFailure("summary_file", acquisition, f"{ORIENTATION_FILE} is not in the manifest")
        for acquisition in sorted(set(manifest["acquisition"]) - known)
    ]
    return flags, failures
