"""Sentences of decision.txt."""

from __future__ import annotations

from components.promote.record import decision_record
from components.promote.scores import CleanTestScores
from components.promote.text import text_of
from tests.promote.test_gate import PLACES, judged, scored
from tests.promote.world import AIRBORNE, PARAMETERS


def test_a_number_that_was_taken_without_a_tile_to_compare_is_told() -> None:
    judgement = judged(CleanTestScores((AIRBORNE,), (AIRBORNE,), None), scored(PLACES))
    decision = decision_record(
        judgement,
        model="m",
        method="concord",
        control=None,
        version="2",
        champion_version="1",
        hashes={},
        parameters=PARAMETERS,
        ground="clean test tiles",
        scoring={},
        acquisitions=[],
        simulated=True,
        ledger_head="0",
    )
    part = {
        "outcome": "refused",
        "reasons": decision["reasons"],
        "decision": decision,
        "decision_sha256": "0",
        "ledger": None,
    }
    text = text_of({"simulated": True, "models": {"m": part}})
    assert "the champion was version 1" in text
    assert "../evaluate/report/index.html" in text
    assert "there was no champion" not in text
    assert "the challenger took its number" in text
