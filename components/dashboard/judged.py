"""Verdict and quarantined tiles: of the checkout, else of the newest training in the store that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from components.dashboard.notices import Notices
from components.dashboard.quality import VERDICT, Quality, checkout_refusals, quality_of, read_quality
from components.lib.history.checkout import CHECKOUT
from components.lib.history.facts import RunFacts
from components.lib.history.quarantine import Refusal, listed_md5s, stored_refusals
from components.lib.objects.content import read_content
from components.lib.objects.protocol import ObjectStore

LOOKED_AT = 5
"""Newest finished trainings among which one with a verdict is looked for."""

JUDGE = "verdict"
"""Stage that judges tiles."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdict and quarantined tiles of one training.

    Attributes:
        run: The training's run; empty if there is none.
        quality: Verdict; None if there is none.
        refusals: Rows of the quarantine list.
    """

    run: str = ""
    quality: Quality | None = None
    refusals: tuple[Refusal, ...] = ()


def judged_here(checkout: Path, notices: Notices) -> Judged:
    """Return verdict and quarantined tiles of a checkout."""
    quality = notices.attempt("verdict", lambda: read_quality(checkout))
    refusals = notices.attempt("quarantine list", lambda: checkout_refusals(checkout)) or []
    found = quality is not None or bool(refusals)
    return Judged(CHECKOUT if found else "", quality, tuple(refusals))


def judged_in_store(
    remote: ObjectStore,
    runs: Iterable[RunFacts],
    detailed: Callable[[RunFacts], RunFacts],
) -> Judged:
    """Return verdict and quarantined tiles of the newest training in the store that has them.

    Args:
        remote: DVC's remote.
        runs: Trainings, the newest first.
        detailed: Adds the outputs of a run's stages.

    Raises:
        MissingInputError: If an output is gone.
        BadDataError: If it is damaged.
        SourceUnavailableError: If the store does not answer.
    """
    for run in islice((run for run in runs if run.kept and JUDGE in run.stages), LOOKED_AT):
        outs = detailed(run).stages[JUDGE].outputs
        lists = list(listed_md5s(remote, outs))
        stated = outs.get(VERDICT.as_posix())
        if lists or stated:
            quality = None if stated is None else quality_of(read_content(remote, stated), str(VERDICT))
            return Judged(run.run, quality, tuple(stored_refusals(remote, lists)))
    return Judged()
