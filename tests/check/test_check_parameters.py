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
        (
            "\n  floor: 0.1  ",
            "\n  flor: 0.1  ",
            "promote.flor: unknown key; the nearest valid one is 'floor'",
        ),
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
        ("  methods: [concord] ", "  methods: concord ", "distill.methods: Input should be a valid list"),
        ("  methods: [concord] ", "  methods: [none] ", "distill.methods: 'none' is the control"),
        ("  methods: [concord] ", "  methods: [disoptnet] ", "adapt.start_from: 'concord' is none of them"),
        ("  kinds: [deeplabv3plus] ", "  kinds: [deeplab] ", "optical.kinds: 'deeplab' is none of them"),
        ("  kinds: [deeplabv3plus] ", "  kinds: [] ", "optical.kinds: Tuple should have at least 1"),
        ("  start_from: concord ", "  start_from: concrod ", "adapt.start_from: 'concrod'"),
        ("  target: simulated-spaceborne ", "  target: simulated-spacebrne ", "simulated-spaceborne"),
        ("  - rehearsal-spaceborne\n", "", "adapt.target: no acquisition is of sensor"),
        ("  - rehearsal-spaceborne\n", "  - rehearsal-spacebrne\n", "unknown acquisition"),
        ("  stability: .assets/evidence/evidence.json ", "  stability: evidence.jsn ", "reads evidence.jsn"),
        ("    candidates: []  ", "    candidates: [sgsln]  ", "promote.change.candidates: 'sgsln'"),
        ("  none: {}        ", "  nothing: {}     ", "methods: 'nothing' is none of them"),
        ("  crop: 192  ", "  crop: 400  ", "training.crop: 400 at zoom 0.8"),
        ("keep_runs: 50 ", "keep_runs: -1 ", "orchestration.keep_runs"),
        (
            "  redrive_schedule: ",
            "  redrive_shedule: ",
            "orchestration: unknown key 'redrive_shedule'; the nearest",
        ),
        (
            "tracking: {}, pairs: {}, osm: {}, pretrain: {}}",
            "pairs: {}, osm: {}, pretrain: {}}",
            "no profiles.rehearsal.tracking, which stage promote names",
        ),
        ("  - rehearsal-airborne\n", "", "none of rehearsal-spaceborne has optical images and labels"),
        ("  mirrors: {} ", "  mirrors: {rehearsal-airbrne: 'file:///x'} ", "'rehearsal-airborne'"),
        ("  mirrors: {} ", "  mirrors: {rehearsal-airborne: 'ftp://x'} ", "neither s3:// nor file://"),
        (
            "  stability: .assets/evidence/evidence.json ",
            "  stability: components ",
            "components is a folder",
        ),
        ("mean_range: [0.1, 0.8]", "mean_range: [0.8, 0.1]", "validate.mean_range: "),
        ("  batch: null                  # crops per step instead", "  batch: 1 #", "optical.batch: "),
        ("  uri: sqlite:///var/mlflow.db ", "  uri: sqlite://var/mlflow.db ", "tracking.uri: "),
        ("  uri: sqlite:///var/mlflow.db ", "  uri: None ", "tracking.uri: "),
        ("  ledger: var/objects/ledger/champions ", "  ledger: http://host/x ", "promote.ledger: "),
        ("  ledger: var/objects/ledger/champions ", "  ledger: s3:// ", "it names no bucket"),
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


def test_a_file_that_the_last_stage_reads_is_read_first(pipeline: Path, check: Check) -> None:
    edit(pipeline, ("  stability: .assets/evidence/evidence.json ", "  stability: params.yaml "))
    code, printed = check()
    assert (code, "params.yaml does not hold evidence" in printed) == (65, True)


@pytest.mark.parametrize("name", ["new.year", "a[0]", "a b", "", "${profile}"])
def test_a_profile_that_dvc_cannot_look_up_is_named(pipeline: Path, check: Check, name: str) -> None:
    edit(pipeline, ("profile: rehearsal\n", f"profile: {name!r}\n"), ("  rehearsal:\n", f"  {name!r}:\n"))
    code, printed = check()
    assert (code, f"profile: {name!r} is no name" in printed) == (78, True)


def test_all_mistakes_are_told_together(pipeline: Path, check: Check) -> None:
    edit(
        pipeline,
        ("\n  floor: 0.1  ", "\n  flor: 0.1  "),
        ("  pictures: 8  ", "  pictures: 99  "),
        ("  crop: 192  ", "  crop: 8  "),
    )
    code, printed = check("parameters")
    assert code == 78
    for words in ("promote.flor", "evaluate.pictures", "training.crop"):
        assert printed.count(f"{words}: ") == 1
