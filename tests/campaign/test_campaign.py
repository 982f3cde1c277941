"""The campaign itself: its judgements, limits and table."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.campaign.mutations import BINARY, TEXT, mutate_bytes, mutate_value
from tests.campaign.processes import run_forked
from tests.campaign.strict_csv import NotStrictError, count, read_strictly
from tests.campaign.table import table, write
from tests.campaign.verdicts import Ended, Judgement, Outcome, judged

REFUSAL = "error: truth.csv, line 3: no polygon\n  next step: write polygons\n"


@pytest.mark.parametrize(
    ("ended", "flaw"),
    [
        (Ended(0, 0.1, "", ""), None),
        (Ended(65, 0.1, "", REFUSAL), None),
        (Ended(65, 0.1, "", "it is bad"), "without error and next step"),
        (Ended(65, 0.1, "", REFUSAL + "x" * 30_000), "message of"),
        (Ended(1, 0.1, "", "Traceback (most recent call last):\n  x\nKeyError: 'a'"), "traceback: KeyError"),
        (Ended(1, 0.1, "", ""), "exit 1"),
        (Ended(-11, 0.1, "", ""), "crash: signal 11"),
        (Ended(None, 20.0, "", ""), "hang"),
    ],
)
def test_what_no_process_may_do_is_a_flaw(ended: Ended, flaw: str | None) -> None:
    assert (ended.flaw() is None) if flaw is None else flaw in str(ended.flaw())


def test_a_refusal_names_the_thing_and_an_acceptance_is_right() -> None:
    def outcome(ended: Ended, accepted: str | None = None, left: str | None = None) -> Outcome:
        return judged("r", 1, "m", ended, names=("truth.csv",), accepted=accepted, left=left).outcome

    assert outcome(Ended(65, 0.1, "", REFUSAL)) is Outcome.REFUSED
    assert outcome(Ended(65, 0.1, "", REFUSAL.replace("truth", "other"))) is Outcome.BREACH
    assert outcome(Ended(0, 0.1, "", "")) is Outcome.ACCEPTED
    assert outcome(Ended(0, 0.1, "", ""), accepted="another score") is Outcome.BREACH
    assert outcome(Ended(65, 0.1, "", REFUSAL), left="left x") is Outcome.BREACH


def test_a_child_cannot_take_the_campaign_down(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()

    def hog() -> None:
        bytearray(3 << 30)

    def leave() -> None:
        print("said")
        sys.exit(65)

    assert run_forked(leave, folder).code == 65
    assert run_forked(leave, folder).stdout == "said\n"
    assert run_forked(os.abort, folder).code == -6
    assert run_forked(lambda: time.sleep(60), folder, limit_s=0.2).code is None
    for _ in range(20):
        assert run_forked(lambda: time.sleep(60), folder, limit_s=0.0).code is None
    assert "MemoryError" in run_forked(hog, folder).stderr
    full = run_forked(lambda: Path("x").write_bytes(bytes(5000)), folder, file_bytes=1000)
    assert "File too large" in full.stderr
    assert (folder / "x").stat().st_size == 1000


def test_equal_seeds_draw_equal_inputs() -> None:
    content = json.dumps({"a": [1, 2, {"b": "c"}], "d": 5}).encode() * 9
    for seed in range(200):
        assert mutate_bytes(Random(seed), content, TEXT) == mutate_bytes(Random(seed), content, TEXT)
        assert mutate_bytes(Random(seed), content, BINARY) == mutate_bytes(Random(seed), content, BINARY)
        first, second = (mutate_value(Random(seed), {"a": [1, {"b": None}]}) for _ in range(2))
        assert repr(first) == repr(second)


def test_the_independent_reader_is_strict() -> None:
    header = "ImageId,BuildingId,PolygonWKT_Pix,Confidence\n"
    ring = '"POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))"'
    rows = read_strictly(f"{header}a,0,{ring},0.9\nb ,1,{ring},0.5\n".encode())
    assert [(row[0], row[2]) for row in rows] == [("a", 0.9), ("b", 0.5)]
    assert count(rows, rows[:1], 80.0, 0.5) == (1, 0, 1)
    for bad in (
        f"a,0,{ring},0.9,\n",
        f",0,{ring},0.9\n",
        'a,0,"POINT (0 0)",1\n',
        f"a,0,{ring},nan\n",
        "a,0\n",
    ):
        with pytest.raises(NotStrictError):
            read_strictly((header + bad).encode())


def test_the_table_counts_and_names_every_kind_of_breach_once(tmp_path: Path) -> None:
    wrong = [Judgement("score", seed, "m", Outcome.BREACH, f"row {seed} lost", 0.1) for seed in (4, 5)]
    sound = Judgement("tar", 6, "m", Outcome.REFUSED, "", 0.1)
    killed = Judgement("kill-x", 7, "m", Outcome.ACCEPTED, "", 0.1, kills=3)
    text = write(tmp_path, [*wrong, sound, killed], {"seed": 1})
    assert "2 breaches of 1 kinds" in text
    assert "--reader score --one 4" in text
    assert text.splitlines()[4].split() == ["all", "4", "1", "0", "1", "2", "3"]
    document = json.loads((tmp_path / "chaos.json").read_text())
    assert (document["kills"], len(document["breaches"])) == (3, 2)
    assert "no breach" in table([sound])
