"""Comparison of one acquisition with a reference, as a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from components.contract.errors import ParameterError
from components.lib.config.loader import Parameters
from components.lib.datasets.sensors import get_sensor
from components.lib.drift.comparison import ALPHA, PERMUTATIONS, Comparison, by_location, compare
from components.lib.drift.outputs import Outputs, output_statistics
from components.lib.drift.passes import Passes, passes_of
from components.lib.drift.records import SCHEMA
from components.lib.drift.reference import Reference
from components.lib.drift.tiles import TileStatistics
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.requests import RetrainingRequests

Document = dict[str, Any]


class CompareOptions(Parameters):
    """Options of a comparison; their defaults are those that the measured error holds for."""

    alpha: float = Field(ALPHA, gt=0, lt=0.5)
    """Probability of a false alarm over all statistics."""

    permutations: int = Field(PERMUTATIONS, ge=99, le=999_999)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Statistics that an acquisition was compared with.

    Attributes:
        of: Kind of the statistics: ``pixels``, or ``outputs`` of a model.
        model: Registered model whose reference it is, or model whose outputs they are; None of a file.
        version: Its version where it is a champion, else None.
        sha256: SHA-256 of the reference's table; None of outputs.
        acquisitions: Acquisitions in it, sorted.
        block_m: Side of the ground blocks, metres; None of outputs, whose blocks are those of the evaluation.
    """

    of: Literal["pixels", "outputs"]
    model: str | None
    version: str | None
    sha256: str | None
    acquisitions: tuple[str, ...]
    block_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Comparison of an acquisition, with what it was compared with.

    Attributes:
        acquisition: The acquisition.
        sensor: Its sensor.
        source: Statistics that it was compared with.
        options: Options of the test.
        comparison: Outcome of the test.
    """

    acquisition: str
    sensor: str
    source: Source
    options: CompareOptions
    comparison: Comparison

    def report(self, request: Document | None) -> Document:
        """Return the report as JSON values; equal inputs give equal reports.

        Args:
            request: Request for a retraining that this led to, None if it led to none.
        """
        found, source = self.comparison, self.source
        return {
            "kind": "drift",
            "schema": SCHEMA,
            "of": source.of,
            "acquisition": self.acquisition,
            "sensor": self.sensor,
            "simulated": get_sensor(self.sensor).simulated,
            "drifted": found.drifted,
            "p_value": found.p_value,
            "alpha": found.alpha,
            "shifted": list(found.shifted),
            "reference": {
                "model": source.model,
                "version": source.version,
                "sha256": source.sha256,
                "acquisitions": list(source.acquisitions),
            },
            "locations": {
                "reference": found.reference_locations,
                "acquisition": found.acquisition_locations,
                "block_m": source.block_m,
            },
            "permutations": self.options.permutations,
            "seed": self.options.seed,
            "statistics": [asdict(row) for row in found.statistics],
            "untested": found.untested,
            "request": request,
        }


def compare_pixels(
    tiles: TileStatistics, acquisition: str, reference: Reference, options: CompareOptions
) -> Drift:
    """Compare the pixels of an acquisition with those of the reference's tiles of its sensor.

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
    sides = [by_location(side.table, _there(side)) for side in (rows, ours)]
    passes = passes_of(rows.table, _there(rows))
    source = Source(
        of="pixels",
        model=reference.model,
        version=reference.version,
        sha256=reference.sha256,
        acquisitions=tuple(sorted(set(rows.table["acquisition"]))),
        block_m=rows.block_m,
    )
    return _compared(sides, passes, acquisition, sensor, source=source, options=options)


def compare_outputs(
    before: Outputs, after: Outputs, acquisition: str, model: str, options: CompareOptions
) -> Drift:
    """Compare a model's answers on an acquisition with those on other acquisitions of its sensor.

    Args:
        before: Evaluation with the other acquisitions.
        after: Evaluation with the acquisition; it may be the same.
        acquisition: The acquisition.
        model: Name of the model in both.
        options: Options of the test.

    Raises:
        ParameterError: If one of the sides has no tile, or there are too few locations.
    """
    sensors = sorted(set(after.tiles["sensor"][after.tiles["acquisition"] == acquisition]))
    if not sensors:
        known = ", ".join(sorted(set(after.tiles["acquisition"]))) or "those that were evaluated"
        raise ParameterError(f"the evaluation has no tile of {acquisition}", next_step=f"name one of {known}")
    theirs = before.of(sensors[0], acquisition, without=True)
    if theirs.tiles.empty:
        raise ParameterError(
            f"the reference has no tile of {sensors[0]} but those of {acquisition}",
            next_step="name an evaluation on other acquisitions of that sensor with --reference",
        )
    sides = [output_statistics(each, model) for each in (theirs, after.of(sensors[0], acquisition))]
    names = tuple(sorted(set(theirs.tiles["acquisition"])))
    source = Source(of="outputs", model=model, version=None, sha256=None, acquisitions=names, block_m=None)
    return _compared(sides, Passes(len(names)), acquisition, sensors[0], source=source, options=options)


def _there(tiles: TileStatistics) -> list[str]:
    return [name for name in tiles.statistics if tiles.table[name].notna().any()]


def _compared(
    sides: Sequence[pd.DataFrame],
    passes: Passes,
    acquisition: str,
    sensor: str,
    *,
    source: Source,
    options: CompareOptions,
) -> Drift:
    comparison = compare(
        *sides,
        passes=passes,
        alpha=options.alpha,
        permutations=options.permutations,
        seed=options.seed,
    )
    return Drift(
        acquisition=acquisition, sensor=sensor, source=source, options=options, comparison=comparison
    )


def open_request(objects: ObjectStore, drift: Drift) -> Document | None:
    """Ask for a retraining where an acquisition differs from a champion's reference; return what stands.

    Raises:
        SourceUnavailableError: If the store does not answer.
        BadDataError: If the chain of requests is broken.
    """
    source, found = drift.source, drift.comparison
    if not found.drifted or source.model is None or source.version is None or source.sha256 is None:
        return None
    entry, request = RetrainingRequests(objects).request(
        acquisition=drift.acquisition,
        model=source.model,
        version=source.version,
        reference_sha256=source.sha256,
        p_value=found.p_value,
        shifted=found.shifted,
    )
    return {"seq": entry.seq, "time": entry.time, "actor": request.actor}
