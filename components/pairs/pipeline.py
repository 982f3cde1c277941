"""Preparing of a data set of pairs: read, checked, cut, compared between splits, and published as a store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from components.contract.errors import BadDataError
from components.lib.change.datasets.finding import Refused
from components.lib.change.datasets.leaks import Leak, find_leaks
from components.lib.change.store.store import PairStore
from components.lib.change.store.writing import PairWriter, pair_writer
from components.lib.files import write_json
from components.lib.foreign import one_line
from components.pairs.numbers import listed, metrics, one_sided, split_numbers
from components.pairs.parameters import PairsParameters
from components.pairs.sheet import draw_sheet
from components.pairs.sources import Source

_LOG = logging.getLogger(__name__)

METRICS_FILE, DETAILS_FILE, SHEET_FILE = "metrics.json", "details.json", "sheet.png"

_NAMED = 5
"""Pairs or leaks that a message names; the details have all."""


def prepare_pairs(source: Source, store: Path, reports: Path, parameters: PairsParameters) -> dict[str, Any]:
    """Write the store of a data set, its metrics, details and contact sheet.

    The store is published last, whole or not at all; the details are written in any case, as they say why a
    pair was left out.

    Args:
        source: The data set.
        store: Folder of the store.
        reports: Folder of ``metrics.json``, ``details.json`` and ``sheet.png``.
        parameters: Section ``pairs``.

    Returns:
        The metrics.

    Raises:
        BadDataError: If too many pairs are left out, no pair is usable, or splits share ground and
            ``parameters.leaks`` forbids it.
        ResourceError: If the disk is full or cannot be written.
    """
    tell_terms(source)
    with pair_writer(store, source.facts) as writer:
        _write(source, writer)
        written = writer.index()
        numbers = split_numbers(written, source.facts.tile_px)
        warnings = [*source.warnings(), *one_sided(numbers)]
        left_out = len(source.refused) / max(len(source.refused) + written["name"].nunique(), 1)
        leaks: list[Leak] = []
        shown: list[str] = []
        if len(written):
            writer.finish()
            opened = PairStore.open(writer.folder)
            leaks = _leaks(opened, parameters)
            shown = draw_sheet(opened, reports / SHEET_FILE)
        details = {
            "data_set": source.facts.data_set,
            "simulated": source.facts.simulated,
            "about": source.about,
            "splits": numbers,
            "warnings": warnings,
            "sheet": shown,
            **listed(source.refused, leaks),
        }
        write_json(reports / DETAILS_FILE, details)
        for warning in warnings:
            _LOG.warning("%s: %s", source.facts.data_set, one_line(warning))
        _judge(source, left_out, leaks, reports, parameters)
        found = metrics(numbers, left_out, leaks)
        write_json(reports / METRICS_FILE, found)
    return found


def tell_terms(source: Source) -> None:
    """Print licence and citation of a data set, and what its label marks."""
    for word in ("title", "meaning", "licence", "citation", "unconfirmed"):
        if source.about.get(word):
            _LOG.info("%s: %s", word, source.about[word])


def _write(source: Source, writer: PairWriter) -> None:
    for pair in tqdm(source.pairs(), total=source.count, desc="pairs", unit="pair", disable=None):
        try:
            writer.add(pair)
        except BadDataError as error:
            source.refused.append(Refused(pair.name, "pair", error.message))


def _leaks(store: PairStore, parameters: PairsParameters) -> list[Leak]:
    if parameters.leaks == "ignore":
        return []
    with tqdm(total=len(store.index), desc="tiles compared", unit="tile", disable=None) as bar:
        return find_leaks(store, lambda _: bar.update())


def _judge(
    source: Source, left_out: float, leaks: Sequence[Leak], reports: Path, parameters: PairsParameters
) -> None:
    name = source.facts.data_set
    for one in source.refused[:_NAMED]:
        _LOG.warning("%s: %s is left out: %s", name, one_line(one.name), one_line(one.message))
    if left_out > parameters.max_left_out:
        first = source.refused[0]
        raise BadDataError(
            f"{len(source.refused)} pairs or files of the data set {name} are left out, {left_out:.1%} and "
            f"more than {parameters.max_left_out:.1%}; the first is {one_line(first.name)}: "
            f"{one_line(first.message)}",
            next_step=f"see {reports / DETAILS_FILE}, correct the data or raise pairs.max_left_out",
        )
    if not leaks:
        return
    shown = "; ".join(
        f"{leak.first} ({leak.first_split}) and {leak.second} ({leak.second_split}): {leak.kind}"
        for leak in leaks[:_NAMED]
    )
    message = f"{len(leaks)} pairs of the data set {name} share ground between splits, such as {shown}"
    if parameters.leaks == "error":
        raise BadDataError(
            message,
            next_step=f"see {reports / DETAILS_FILE}; keep shared ground in one split, or set pairs.leaks to "
            "warn for a published split",
        )
    _LOG.warning("%s", message)
