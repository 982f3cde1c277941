"""The acquisition-wide files: orientation flag of each strip, and the summary of all buildings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.datasets.sensors import dataset_of
from components.lib.foreign import judged
from components.lib.geo.footprints import Labels, read_building_csv
from components.lib.geo.orientation import Orientations, read_orientations
from components.validate.rules import SetFailure
from components.validate.tiles import Record

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Summaries:
    """Content of one acquisition's summary files.

    Attributes:
        orientations: Orientation flags; None without a readable file of them.
        buildings: Entry of the summary CSV by image id; empty without such a file.
    """

    orientations: Orientations | None = None
    buildings: Mapping[str, Labels] = field(default_factory=dict)


def read_summaries(
    manifest: pd.DataFrame, read: Callable[[Record], bytes]
) -> tuple[dict[str, Summaries], list[SetFailure]]:
    """Check every summary file and read it, with the readers that preparing uses.

    Args:
        manifest: All rows of the manifest.
        read: Gives the checked content of a row.

    Returns:
        Summaries by acquisition, of those whose orientation file can be read; and what is wrong with the
        summary files, in words.
    """
    found: dict[str, Summaries] = {}
    oriented: set[str] = set()
    failures: list[SetFailure] = []
    sensors = dict(zip(manifest["acquisition"], manifest["sensor"], strict=True))
    for record in manifest.to_dict("records"):
        acquisition, name = str(record["acquisition"]), str(record["name"])
        declared = dataset_of(str(sensors[acquisition])).summaries
        if record["product"] != declared.product:
            continue
        summaries = found.setdefault(acquisition, Summaries())
        try:
            with judged(name):
                content = read(record)
                if name == declared.orientations:
                    summaries.orientations = read_orientations(content, name)
                    for fault in summaries.orientations.faults.values():
                        _LOG.warning("%s: %s: that strip has no flag", acquisition, fault)
                    oriented.add(acquisition)
                elif name.endswith(declared.buildings_ending):
                    buildings = read_building_csv(content, name)
                    _report_losses(buildings, f"{acquisition}: {name}")
                    summaries.buildings = summaries.buildings or buildings
        except BadDataError as error:
            failures.append(SetFailure("summary_file", acquisition, error.message))
    known = {failure.subject for failure in failures} | oriented
    failures += [
        SetFailure("summary_file", acquisition, f"{_orientation_file(sensor)} is not in the manifest")
        for acquisition, sensor in sorted(sensors.items())
        if acquisition not in known
    ]
    return found, failures


def _report_losses(buildings: Mapping[str, Labels], name: str) -> None:
    dropped = {image_id: labels.dropped for image_id, labels in buildings.items() if labels.dropped}
    if dropped:
        _LOG.warning(
            "%s: %d rows cannot be read and are dropped, of %s and %d more tiles",
            name,
            sum(dropped.values()),
            min(dropped) or "no tile",
            len(dropped) - 1,
        )
    if "" in buildings:
        entry = buildings[""]
        rows = len(entry.footprints) + entry.dropped + entry.empty
        _LOG.warning("%s: %d rows name no tile and are left out", name, rows)


def _orientation_file(sensor: str) -> str:
    return dataset_of(sensor).summaries.orientations
