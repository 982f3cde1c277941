"""A fixed slice of the campaign, seconds long: no input of it may end in anything but a right answer.

`make chaos` judges thousands; a breach that it finds is repaired, and its seed may be added here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.catalogue import make_reader
from tests.campaign.table import breaches, table

SLICE: dict[str, range] = {
    "score": range(1_000_000, 1_000_024),
    "params": range(1_000_000, 1_000_004),
    "tar": range(1_000_000, 1_000_016),
    "catalogue": range(1_000_000, 1_000_015),
    "store": range(1_000_000, 1_000_016),
    "ledger": range(1_000_000, 1_000_010),
    "landing": range(1_000_000, 1_000_008),
    "quarantine": range(1_000_000, 1_000_004),
    "kill-prune": range(1_000_000, 1_000_004),
    "kill-ledger": range(1_000_000, 1_000_004),
    "kill-download": range(1_000_000, 1_000_004),
}
"""Seeds by reader, those that load no torch and no great_expectations."""

KNOWN: dict[str, frozenset[int]] = {}
"""Seeds by reader whose breach is known and not repaired yet; empty is right."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SLICE)
def test_no_breach(name: str, tmp_path: Path) -> None:
    reader = make_reader(name, tmp_path / name)
    judgements = []
    for seed in SLICE[name]:
        if seed not in KNOWN.get(name, frozenset()):
            judgements += reader.judge([seed])
    assert not breaches(judgements), table(judgements)
