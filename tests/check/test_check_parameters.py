"""A wrong parameter of any stage is found before the first one, together with all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.check.parameters import MODELS
from components.contract.keys import CHECKED, CHECKED_TEXT
from components.contract.parameters import SECTIONS
from tests.check.conftest import Check, edit


def test_the_committed_parameters_pass(pipeline: Path, check: Check) -> None:
    assert check("parameters") == (0, "")
    assert (pipeline / CHECKED).read_text() == CHECKED_TEXT
    code, words = check()
    assert code == 0, words
    assert words.startswith("checked: ")


def test_every_section_is_checked() -> None:
    assert {name for name, _ in MODELS} | {"acquisitions", "partitions", "methods"} == set(SECTIONS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  pictures: 8  ", "  resample: 8\n  pictures: 8  ", "evaluate.resample: unknown key"),
        ("  floor: 0.1  ", "  flor: 0.1  ", "promote.flor: unknown key; the nearest valid one is 'floor'"),
        ("profile: rehearsal\n", "profile: smokee\n", "'smokee' is not declared under profiles; the nearest"),
        ("profile: rehearsal\n", "profile: rehearsal\nprofile: smoke\n", "'profile' stands there twice"),
        ("profile: rehearsal\n", "profile: [rehearsal, smoke]\n", "profile: must be one name"),
        ("  epochs: 4  ", "  epochs: 04  ", "optical.epochs: 04 has two meanings"),
        ("  workers: 4  ", "  workers: many  ", "download.workers"),
        ("  methods: [concord] ", "  methods: [concrod] ", "distill.methods: 'concrod'"),
        ("  methods: [concord] ", "  methods: [concrod] ", "the nearest valid one is 'concord'"),
        (
            "  methods: [concord] ",
            "  methods: [concord, concord] ",
            "distill.methods: a name is listed twice",
        ),
        ("  methods: [concord] ", "  methods: concord ", "distill.methods: Input should be a valid array"),
        ("  methods: [concord] ", "  methods: [none] ", "distill.methods: 'none' is the control"),
        ("  methods: [concord] ", "  methods: [disoptnet] ", "adapt.start_from: 'concord' is none of them"),
        ("  kinds: [deeplabv3plus] ", "  kinds: [deeplab] ", "optical.kinds: 'deeplab' is none of them"),
        ("  kinds: [deeplabv3plus] ", "  kinds: [] ", "optical.kinds: Tuple should have at least 1"),
        ("  start_from: concord ", "  start_from: concrod ", "adapt.start_from: 'concrod'"),
        ("  target: simulated-spaceborne ", "  target: simulated-spacebrne ", "simulated-spaceborne"),
        ("  - rehearsal-spaceborne\n", "", "adapt.target: no acquisition is of sensor"),
        ("  - rehearsal-spaceborne\n", "  - rehearsal-spacebrne\n", "unknown acquisition"),
        ("  stability: .assets/evidence/evidence.json ", "  stability: evidence.jsn ", "reads evidence.jsn"),
        ("  none: {}        ", "  nothing: {}     ", "methods: 'nothing' is none of them"),
        ("  crop: 192  ", "  crop: 400  ", "training.crop: 400 at zoom 0.8"),
        ("keep_runs: 50 ", "keep_runs: -1 ", "orchestration.keep_runs"),
    ],
)
def test_a_mistake_is_named(pipeline: Path, check: Check, old: str, new: str, words: str) -> None:
    edit(pipeline, (old, new))
    code, printed = check()
    assert code == 78
    assert words in printed
    assert "next step: " in printed
    assert "Traceback" not in printed
    assert not (pipeline / CHECKED).exists()


def test_all_mistakes_are_told_together(pipeline: Path, check: Check) -> None:
    edit(
        pipeline,
        ("  floor: 0.1  ", "  flor: 0.1  "),
        ("  pictures: 8  ", "  pictures: 99  "),
        ("  crop: 192  ", "  crop: 8  "),
    )
    code, printed = check("parameters")
    assert code == 78
    for words in ("promote.flor", "evaluate.pictures", "training.crop"):
        assert printed.count(f"{words}: ") == 1
