"""Outcomes of the commands of the DAG ``map``: several failures as one, and nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from components.contract.errors import (
    BadDataError,
    ResourceError,
    SourceUnavailableError,
    StormsightError,
)
from components.contract.failures import NOTHING_TO_DO
from components.lib.cli import report_failure

LOG = logging.getLogger(__name__)


def together(failures: Mapping[str, StormsightError]) -> StormsightError:
    """Return several failures as one: of a class that is worth a retry, if one of them is."""
    if len(failures) == 1:
        return next(iter(failures.values()))
    kinds = {type(error) for error in failures.values()}
    kind = next((kind for kind in (SourceUnavailableError, ResourceError) if kind in kinds), BadDataError)
    only = kinds.pop() if len(kinds) == 1 else kind
    return only(
        "; ".join(f"{name}: {error.message}" for name, error in failures.items()),
        next_step="; ".join(dict.fromkeys(error.next_step for error in failures.values())),
    )


def nothing(words: str, next_step: str) -> int:
    """Report that there is nothing to do, and why; return 99."""
    LOG.info("nothing to do: %s", words)
    report_failure(NOTHING_TO_DO, words, next_step)
    return NOTHING_TO_DO
