"""The acquisition-wide files: intact, and the orientation flag of each strip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import dataset_of
from components.lib.geo.orientation import read_orientations
from components.validate.rules import SetFailure
from components.validate.tiles import Record


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
    files = dict(zip(manifest["acquisition"], map(_orientation_file, manifest["sensor"]), strict=True))
    for record in manifest.to_dict("records"):
        if record["product"] != dataset_of(str(record["sensor"])).summaries.product:
            continue
        acquisition, name = str(record["acquisition"]), str(record["name"])
        try:
            content = read(record)
            if name == files[acquisition]:
                flags[acquisition] = read_orientations(content, name)
        except BadDataError as error:
            failures.append(SetFailure("summary_file", acquisition, error.message))
    known = {failure.subject for failure in failures} | set(flags)
    failures += [
        SetFailure("summary_file", acquisition, f"{files[acquisition]} is not in the manifest")
        for acquisition in sorted(set(manifest["acquisition"]) - known)
    ]
    return flags, failures


def _orientation_file(sensor: str) -> str:
    return dataset_of(sensor).summaries.orientations
