"""The change branch through DVC, with the least that its networks learn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Checkout, fresh_checkout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

TARGETS = "evaluate_change@sgsln evaluate_change@siamese_unet promote_change@sgsln"
RECIPE = "crops_per_tile: 4, change_share: 0.5, epochs: 24, batch: 8}"


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose change branch was reproduced: 6 pairs of 128 pixels, one epoch of one step."""
    made = fresh_checkout(tmp_path_factory.mktemp("branch") / "stormsight", "change")
    made.edit("params.yaml", RECIPE, "crops_per_tile: 1, change_share: 0.5, epochs: 1, batch: 2}")
    made.edit(
        "params.yaml",
        "    pairs: {data_sets: [simulated]}\n",
        "    pairs: {data_sets: [simulated], simulated: {pairs: 6, tile_px: 128}}\n",
    )
    told = made.run("python -m components.check")
    assert "warning: pairs.simulated.pairs gives 2 test scenes, fewer than promote.change.min_blocks" in told
    made.run(f"dvc repro {TARGETS}")
    return made


def test_the_branch_ends_in_a_decision_on_stormsight_change(branch: Checkout) -> None:
    def read(path: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((branch.root / "reports" / path).read_text())
        return found

    assert read("promote_change/sgsln/decision.json")["simulated"] is True
    decision = (branch.root / "reports/promote_change/sgsln/decision.txt").read_text()
    assert "stormsight-change" in decision
    assert "refused" in decision.lower()
    sizes = [
        read(f"evaluate_change/{method}/details.json")["parameters"] for method in ("sgsln", "siamese_unet")
    ]
    assert sizes == [381_743, 632_447]
    for name in ("pairs/simulated", "evaluate_change/sgsln"):
        assert Path(branch.root / "reports" / name / "sheet.png").is_file()
    assert not (branch.root / "data/raw").exists(), "the branch needs no stage of the buildings"


def test_a_second_run_does_nothing_and_says_so(branch: Checkout) -> None:
    assert "Data and pipelines are up to date." in branch.run(f"dvc repro {TARGETS}")


def test_a_changed_parameter_reruns_only_what_depends_on_it(branch: Checkout) -> None:
    def changed(old: str, new: str) -> set[str]:
        branch.edit("params.yaml", old, new)
        try:
            return set(json.loads(branch.run(f"dvc status --with-deps --json {TARGETS}")))
        finally:
            branch.edit("params.yaml", new, old)

    assert changed("sgsln: {width: 8}", "sgsln: {width: 16}") == {"change@sgsln"}
    assert changed(
        "    min_area_px: 80            # smaller", "    min_area_px: 90            # smaller"
    ) == {"promote_change@sgsln"}
    assert changed("    added: 0.2   ", "    added: 0.25  ") == {"pairs@simulated"}
