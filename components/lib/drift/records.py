"""Records of comparisons in an object store: one for an acquisition and a champion, created once and sealed.

They are never pruned, so that what is counted of them never falls. An acquisition that could not be compared
has a record that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from components.contract.drift import COMPARISONS, comparison_key, comparisons_prefix
from components.contract.errors import BadDataError, MissingInputError
from components.lib.objects.protocol import ObjectInfo, ObjectStore, map_many
from components.lib.objects.sealed import create_sealed, read_sealed

SCHEMA = 1
"""Version of the report's fields (docs/methods/drift.md#the-report)."""

_FINITE: Final = ConfigDict(allow_inf_nan=False)

Outcome = Literal["drifted", "same", "refused"]
"""Outcome of a comparison: it differs, it does not, or it could not be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifted:
    """Comparison of one statistic.

    Attributes:
        statistic: Its name.
        p_value: Probability of so large a difference of any statistic if nothing has changed.
        effect: Difference of the means, in standard deviations of the reference's locations.
        low: Lower end of its 95 % interval, by Welch's t and the inflation, of this statistic alone.
        high: Upper end.
        reference_mean: Mean of the reference's locations, in the statistic's unit.
        acquisition_mean: The same of the acquisition.
        inflation: Factor on the variance of the difference, as passes differ beyond their locations.
    """

    __pydantic_config__ = _FINITE

    statistic: str
    p_value: float
    effect: float
    low: float
    high: float
    reference_mean: float
    acquisition_mean: float
    inflation: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedReference:
    """Reference that an acquisition was compared with; without a model it is a file, or outputs.

    Attributes:
        model: Registered model.
        version: Its version.
    """

    model: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Numbers of locations that were compared.

    Attributes:
        reference: Those of the reference.
        acquisition: Those of the acquisition.
        block_m: Side of both, metres; None of outputs, whose blocks are those of the evaluation.
    """

    __pydantic_config__ = _FINITE

    reference: Annotated[int, Field(ge=0, lt=2**53)]
    acquisition: Annotated[int, Field(ge=0, lt=2**53)]
    block_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRequest:
    """Entry of ``ledger/requests``.

    Attributes:
        seq: Its number.
        time: Its time, ISO 8601.
    """

    seq: int
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """Report of a comparison, as far as it is counted and shown.

    Attributes:
        of: Kind of the statistics: ``pixels``, or ``outputs`` of a model.
        acquisition: The acquisition.
        sensor: Its sensor; empty where that is unknown.
        simulated: Whether the sensor is of the simulated world.
        drifted: Whether the acquisition differs.
        p_value: P-value over all statistics; None of a comparison that was refused.
        alpha: Probability of a false alarm; None likewise.
        shifted: Statistics that differ, the most significant first.
        statistics: All statistics, the most significant first.
        reference: Reference that it was compared with.
        locations: Numbers of locations; None of a comparison that was refused.
        request: Request for a retraining that it led to.
        refused: Reason why it could not be compared; empty where it was.
    """

    __pydantic_config__ = _FINITE

    of: Literal["pixels", "outputs"]
    acquisition: str
    sensor: str
    simulated: bool
    reference: NamedReference
    drifted: bool = False
    p_value: float | None = None
    alpha: float | None = None
    shifted: tuple[str, ...] = ()
    statistics: tuple[Shifted, ...] = ()
    locations: Locations | None = None
    request: NamedRequest | None = None
    refused: str = ""

    @property
    def outcome(self) -> Outcome:
        """Return the outcome in a word."""
        if self.refused:
            return "refused"
        return "drifted" if self.drifted else "same"


def keep_comparison(objects: ObjectStore, model: str, version: str, report: Mapping[str, Any]) -> bool:
    """Write the record of a comparison unless there is one.

    Args:
        objects: The store.
        model: Registered model whose champion's reference it is.
        version: Its version.
        report: Report, or :func:`refusal`.
    """
    return create_sealed(objects, comparison_key(model, version, str(report["acquisition"])), report)


def compared_acquisitions(objects: ObjectStore, model: str, version: str) -> set[str]:
    """Return the acquisitions that have a record for a model's version."""
    prefix = comparisons_prefix(model, version)
    return {info.key.removeprefix(prefix).removesuffix(".json") for info in objects.list(prefix)}


def refusal(
    acquisition: str, sensor: str, reason: str, *, simulated: bool, reference: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the record of an acquisition that could not be compared, as JSON values.

    Args:
        acquisition: The acquisition.
        sensor: Its sensor; empty where that is unknown.
        reason: Reason in words.
        simulated: Whether the sensor is of the simulated world.
        reference: ``model``, ``version`` and ``sha256`` of the reference.
    """
    return {
        "kind": "drift",
        "schema": SCHEMA,
        "of": "pixels",
        "acquisition": acquisition,
        "sensor": sensor,
        "simulated": simulated,
        "reference": dict(reference),
        "refused": reason,
    }


def list_comparisons(objects: ObjectStore) -> list[ObjectInfo]:
    """Return all records as they are listed, the newest first."""
    listed = objects.list(COMPARISONS)
    return sorted(listed, key=lambda info: (info.modified, info.key), reverse=True)


def read_comparisons(
    objects: ObjectStore, keys: Sequence[str]
) -> list[ComparisonRecord | BadDataError | MissingInputError]:
    """Return records by their keys, in that order; in place of one that is damaged or gone, the error.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """

    def read(key: str) -> ComparisonRecord | BadDataError | MissingInputError:
        try:
            return read_sealed(objects, key, ComparisonRecord)
        except (BadDataError, MissingInputError) as error:
            return error

    return map_many(objects, read, keys)
