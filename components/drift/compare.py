"""Comparison of one acquisition with a reference, as a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from components.contract.errors import ParameterError
from components.drift.parameters import CompareOptions
from components.lib.datasets.sensors import get_sensor
from components.lib.drift.comparison import Comparison, by_location, compare
from components.lib.drift.reference import Reference
from components.lib.drift.tiles import TileStatistics
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.requests import RetrainingRequests

Document = dict[str, Any]

SCHEMA = 1
"""Version of the report's fields (docs/methods/drift.md#the-report)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Comparison of an acquisition, with what it was compared with.

    Attributes:
        acquisition: The acquisition.
        sensor: Its sensor.
        reference: The reference.
        options: Options of the test.
        comparison: Outcome of the test.
    """

    acquisition: str
    sensor: str
    reference: Reference
    options: CompareOptions
    comparison: Comparison

    def report(self, request: Document | None) -> Document:
        """Return the report as JSON values; equal inputs give equal reports.

        Args:
            request: Request for a retraining that this led to, None if it led to none.
        """
        found, reference = self.comparison, self.reference
        rows = reference.tiles.of(sensor=self.sensor).table
        return {
            "kind": "drift",
            "schema": SCHEMA,
            "acquisition": self.acquisition,
            "sensor": self.sensor,
            "simulated": get_sensor(self.sensor).simulated,
            "drifted": found.drifted,
            "p_value": found.p_value,
            "alpha": found.alpha,
            "shifted": list(found.shifted),
            "reference": {
                "model": reference.model,
                "version": reference.version,
                "sha256": reference.sha256,
                "acquisitions": sorted(set(rows["acquisition"]) - {self.acquisition}),
            },
            "locations": {
                "reference": found.reference_locations,
                "acquisition": found.acquisition_locations,
                "block_m": reference.tiles.block_m,
            },
            "permutations": self.options.permutations,
            "seed": self.options.seed,
            "statistics": [asdict(row) for row in found.statistics],
            "untested": found.untested,
            "request": request,
        }


def compare_acquisition(
    tiles: TileStatistics, acquisition: str, reference: Reference, options: CompareOptions
) -> Drift:
    """Compare an acquisition with the reference's tiles of its sensor.

    Tiles of the acquisition itself are left out of the reference, so that one that the model was trained on
    can be looked at, too.

    Raises:
        ParameterError: If the reference has no other tile of its sensor, or there are too few locations.
    """
    ours = tiles.of(acquisition=acquisition)
    sensor = str(ours.table["sensor"].iloc[0])
    rows = reference.tiles.of(sensor=sensor)
    rows = TileStatistics(rows.table[rows.table["acquisition"] != acquisition], rows.block_m)
    if rows.table.empty:
        raise ParameterError(
            f"the reference has no tile of {sensor} but those of {acquisition}",
            next_step="compare with a model that was trained on other acquisitions of that sensor",
        )
    statistics = {
        side: [name for name in table.statistics if table.table[name].notna().any()]
        for side, table in (("reference", rows), ("acquisition", ours))
    }
    comparison = compare(
        by_location(rows.table, statistics["reference"]),
        by_location(ours.table, statistics["acquisition"]),
        alpha=options.alpha,
        permutations=options.permutations,
        seed=options.seed,
    )
    return Drift(acquisition, sensor, reference, options, comparison)


def open_request(objects: ObjectStore, drift: Drift) -> Document | None:
    """Ask for a retraining where an acquisition differs from a champion's reference; return what stands.

    Raises:
        SourceUnavailableError: If the store does not answer.
        BadDataError: If the chain of requests is broken.
    """
    reference, found = drift.reference, drift.comparison
    if not found.drifted or reference.model is None or reference.version is None:
        return None
    entry, request = RetrainingRequests(objects).request(
        acquisition=drift.acquisition,
        model=reference.model,
        version=reference.version,
        reference_sha256=reference.sha256,
        p_value=found.p_value,
        shifted=found.shifted,
    )
    return {"seq": entry.seq, "time": entry.time, "actor": request.actor}
