"""Verdict and quarantine: of the checkout, else of the newest training whose outputs lie in DVC's remote."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest

from components.contract.errors import MissingInputError
from components.dashboard.judged import judged_here, judged_in_store
from components.dashboard.notices import Notices
from components.lib.history.facts import RunFacts, StageFacts
from components.lib.history.quarantine import Refusal
from components.lib.objects.content import content_key
from components.lib.objects.folder import FolderObjects
from tests.dashboard.world import World, many_runs

LIST = "acquisition,image_id,product,rule,reason\na1,s1_tile_7,SAR,all_zero,zeros\n"
VERDICT = {"verdict": "bad", "tiles": 9, "quarantined": 1, "share": 0.1, "max_share": 0.05}


@pytest.fixture
def remote(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "remote")


def put(remote: FolderObjects, content: str, ending: str = "") -> str:
    digest = md5(content.encode()).hexdigest() + ending
    remote.put(content_key(digest), content.encode())
    return digest


def judged_run(remote: FolderObjects) -> RunFacts:
    """Return a run whose verdict lists one tile twice: among all tiles and among a partition's."""
    listed = put(remote, LIST)
    names = ("quarantine.csv", "p00/quarantine.csv")
    folder = put(remote, json.dumps([{"md5": listed, "relpath": name} for name in names]), ".dir")
    outs = {"data/validated": folder, "reports/validate/verdict.json": put(remote, json.dumps(VERDICT))}
    run = many_runs(1)[0]
    stage = StageFacts(
        stage="verdict", run=run.run, started=None, ended=None, seconds={}, image="data", restored=False,
        outputs=outs,
    )  # fmt: skip
    return replace(run, stages={"verdict": stage})


def test_the_newest_training_with_a_verdict_is_told(remote: FolderObjects) -> None:
    judged = judged_run(remote)
    pruned, other = replace(judged, run="pruned", kept=False), replace(judged, run="other", stages={})
    found = judged_in_store(remote, [pruned, other, judged], lambda run: run)
    assert found.run == judged.run
    assert found.quality is not None
    assert (found.quality.verdict, found.quality.quarantined) == ("bad", 1)
    row = Refusal(acquisition="a1", image_id="s1_tile_7", product="SAR", rule="all_zero", reason="zeros")
    assert found.refusals == (row,)
    assert judged_in_store(remote, [pruned, other], lambda run: run).run == ""


def test_an_output_that_is_gone_is_told(remote: FolderObjects) -> None:
    judged = judged_run(remote)
    remote.delete(content_key(judged.stages["verdict"].outputs["reports/validate/verdict.json"]))
    with pytest.raises(MissingInputError):
        judged_in_store(remote, [judged], lambda run: run)


def test_the_checkout_comes_first(empty: World) -> None:
    assert judged_here(empty.checkout, Notices()).run == ""
    empty.quarantine()
    assert judged_here(empty.checkout, Notices()).run == "checkout"
    assert empty.read().judged_run == "checkout"
