"""Check of what is served: ledger, alias, version and files of every champion against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from components.contract.errors import BadDataError, MissingInputError, StormsightError
from components.lib.registry.agreement import ChampionReader
from components.lib.registry.ledger import ChampionLedgers, champion_of
from components.lib.tracking.connection import connect
from components.lib.tracking.database import is_unmade
from components.lib.tracking.parameters import TrackingParameters

OPTICAL_MODEL, SAR_MODEL = "stormsight-optical", "stormsight-sar"
ROADS_OPTICAL_MODEL, ROADS_SAR_MODEL = "stormsight-roads-optical", "stormsight-roads-sar"
CHANGE_MODEL = "stormsight-change"

BUILDING_MODELS = (OPTICAL_MODEL, SAR_MODEL)
"""Registered models that find buildings in one image."""

ROAD_MODELS = (ROADS_OPTICAL_MODEL, ROADS_SAR_MODEL)
"""Registered models that find roads in one image, lines of their own: scores of two tasks do not compare."""

OPTIONAL_MODELS = (CHANGE_MODEL, *ROAD_MODELS)
"""Registered models that have no version where their branch or task is off."""

MODELS = (*BUILDING_MODELS, *OPTIONAL_MODELS)
"""Registered models of the pipeline."""


def require_served(champion: ChampionReader, *, may_be_interrupted: bool = False) -> str:
    """Check one model's ledger, alias and files; return a sentence about them.

    Args:
        champion: The model's champion.
        may_be_interrupted: Accept a change that a crash left recorded but not done: the next promotion
            completes it.

    Raises:
        BadDataError: If anything does not fit, with the command that repairs it.
        MissingInputError: If the champion's files are gone.
        SourceUnavailableError: If MLflow does not answer.
    """
    coming = champion.interrupted() if may_be_interrupted else None
    entries = champion.require_agreement() if coming is None else champion.ledger.entries()
    version = champion_of(entries)
    if version is not None:
        champion.require_intact(version)
    return f"{champion.model}: ledger of {len(entries)} entries is whole, registry and champion agree with it"


def of_every_model(models: Sequence[str], check: Callable[[str], list[str]]) -> list[str]:
    """Return what ``check`` finds of each model, in one list.

    Raises:
        BadDataError: If it raised this, or :class:`MissingInputError`, for several; after all were checked.
        MissingInputError: If it raised only this, for one.
    """
    found: list[str] = []
    failures: list[StormsightError] = []
    for model in models:
        try:
            found += check(model)
        except (BadDataError, MissingInputError) as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        steps = dict.fromkeys(failure.next_step for failure in failures)
        raise BadDataError("; ".join(f.message for f in failures), next_step="; ".join(steps))
    return found


def require_all_served(tracking: TrackingParameters, ledgers: ChampionLedgers) -> None:
    """Check all champions before a training begins, which would find out in its last stage.

    A local store that nothing was written to yet agrees with ledgers without entries; it is not made here.

    Args:
        tracking: Section ``tracking``.
        ledgers: Ledgers of all models.

    Raises:
        BadDataError: If anything does not fit, with the command that repairs it.
        MissingInputError: If all that is wrong is that a champion's files are gone.
        SourceUnavailableError: If MLflow does not answer.
        ParameterError: If tracking is switched off.
    """
    if is_unmade(tracking.effective_uri) and not any(ledgers.of(model).entries() for model in MODELS):
        return
    connection = connect(tracking)
    of_every_model(
        MODELS,
        lambda model: [require_served(ChampionReader(connection, ledgers, model), may_be_interrupted=True)],
    )
