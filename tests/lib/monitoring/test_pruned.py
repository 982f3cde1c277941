"""Counts of pruned trainings: each run once, named while its training has objects left."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import PRUNED
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import HistoryReader
from components.lib.monitoring.pruned import add_pruned, read_pruned
from components.lib.objects.folder import FolderObjects
from tests.lib.history.ledgers import Trainings

GRAPH = GraphRequirements(None)


def test_each_run_counts_once_and_is_named_while_it_is_there(tmp_path: Path) -> None:
    made = Trainings(FolderObjects(tmp_path))
    made.succeed("r1")
    made.fail("r2")
    assert read_pruned(made.objects).runs == {}
    runs = HistoryReader(made.objects).read().runs
    for _ in range(2):
        add_pruned(made.objects, runs, GRAPH, {facts.key for facts in runs})
    kept = read_pruned(made.objects)
    assert all(kept.holds(facts) for facts in runs)
    assert kept.counts.counters["stormsight_stage_failures_total"] == [(["prepare", "bad_data"], 1.0)]
    assert [count for _, count in kept.counts.counters["stormsight_stages_total"]] == [1.0, 1.0, 1.0]
    add_pruned(made.objects, [], GRAPH, {made.keys["r1"]})
    assert read_pruned(made.objects).runs == {made.keys["r1"]: ["r1"]}
    assert read_pruned(made.objects).counts == kept.counts


def test_damaged_counts_are_not_counted_on(tmp_path: Path) -> None:
    made = Trainings(FolderObjects(tmp_path))
    made.succeed("r1")
    made.objects.put(PRUNED, b"torn")
    runs = HistoryReader(made.objects).read().runs
    with pytest.raises(BadDataError, match=r"pruned\.json is damaged"):
        add_pruned(made.objects, runs, GRAPH, set())
    assert made.objects.get(PRUNED) == b"torn"
