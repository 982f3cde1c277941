"""The cache is exact: ``dvc repro`` reruns a stage only if something that can change its output has changed.

A copy of the tree gets outputs of a few bytes and a ``dvc.lock`` that says they are current. Each test edits
one file or parameter of the copy and asks ``dvc status``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dvc.repo import Repo

from components.contract.graph.load import load_graph
from components.contract.graph.lock import render_lock
from components.contract.identity import code_hash, params_hash
from components.contract.keys import CHECKED, CHECKED_TEXT
from components.contract.parameters import PARAMS_LOCK
from components.contract.partitions import CATALOGUE, partition_names, partition_of
from tests.conftest import ROOT

TRAININGS = {"optical@deeplabv3plus", "control", "distill@disoptnet", "distill@concord", "adapt"}
PARTITIONS = 3
CONSUMERS_OF_CONCORD = {"adapt", "evaluate", "report", "promote"}
COPIED = (
    ".assets", "components", "dvc.yaml", "params.yaml", ".dvcignore", "README.md", "docs", "dags", "tests"
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the tree in which every stage is up to date."""
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copyfile(source, folder / name)
    # Two methods, so that one can be edited without the other, and partitions of which one is.
    params = folder / "params.yaml"
    text = params.read_text()
    assert "methods: [concord]" in text
    assert "\npartitions: 1\n" in text
    text = text.replace("\npartitions: 1\n", f"\npartitions: {PARTITIONS}\n")
    params.write_text(text.replace("methods: [concord]", "methods: [disoptnet, concord]"))
    (folder / PARAMS_LOCK).write_text(render_lock(folder / "dvc.yaml", params))
    (folder / CHECKED).parent.mkdir(parents=True)
    (folder / CHECKED).write_text(CHECKED_TEXT)
    graph = load_graph(folder / "dvc.yaml", params)
    for stage in graph:
        for out in stage.outs:
            path = folder / out
            path.parent.mkdir(parents=True, exist_ok=True)
            # A folder gets a file, so that what reads a file inside it finds one.
            inside = [dep for other in graph for dep in other.deps if dep.startswith(f"{out}/")]
            for file in inside or ([] if path.suffix else [f"{out}/content"]):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(stage.address)
            if path.suffix:
                path.write_text(stage.address)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(folder)
    Repo.init(".", no_scm=True).close()
    with Repo() as repo:
        repo.commit(force=True)
        assert repo.status() == {}
    yield folder
    monkeypatch.undo()


@contextmanager
def edited(path: Path, edit: Callable[[str], str]) -> Iterator[None]:
    """``path`` with its text changed, put back at the end."""
    before = path.read_text()
    after = edit(before)
    assert after != before, f"the edit of {path} changes nothing"
    path.write_text(after)
    try:
        yield
    finally:
        path.write_text(before)


def changed(tree: Path) -> set[str]:
    """Addresses of the stages whose own dependencies or outputs have changed."""
    with Repo(str(tree)) as repo:
        return set(repo.status()) - {"check"}  # it looks at every change, and changes nothing


def outdated(tree: Path) -> set[str]:
    """Addresses of the stages that ``dvc repro`` would rerun, those included that read what others remake."""
    found = changed(tree)
    graph = load_graph(tree / "dvc.yaml", tree / "params.yaml")
    pending = list(found)
    while pending:
        following = set(graph.downstream(pending.pop())) - found
        found |= following
        pending += following
    return found


def appended(text: str) -> str:
    return f"{text}\n# edited\n"


def identity(tree: Path) -> tuple[str, str]:
    graph = load_graph(tree / "dvc.yaml", tree / "params.yaml")
    return code_hash(tree, graph), params_hash(tree / "params.yaml", graph, tree)


def test_a_method_s_own_file_retrains_it_alone(tree: Path) -> None:
    with edited(tree / "components/lib/methods/concord.py", appended):
        assert outdated(tree) == {"distill@concord", *CONSUMERS_OF_CONCORD}
    # Losses of a method's own are in its file; what the control cannot use does not retrain it.
    with edited(tree / "components/lib/architectures/two_branch.py", appended):
        assert outdated(tree) & TRAININGS == {"distill@concord", "distill@disoptnet", "adapt"}
    with edited(tree / "components/lib/methods/disoptnet.py", appended):
        assert outdated(tree) & TRAININGS == {"distill@disoptnet"}


def test_a_method_s_own_parameter_retrains_it_alone(tree: Path) -> None:
    def changed(text: str) -> str:
        return re.sub(r"(\n    relation: )0\.25", r"\g<1>0.5", text)

    with edited(tree / "params.yaml", changed):
        assert outdated(tree) == {"distill@concord", *CONSUMERS_OF_CONCORD}


@pytest.mark.parametrize(
    "path",
    [
        "components/lib/methods/dmsd.py",
        "components/lib/methods/semantic_fpn.py",
        "components/lib/methods/hfd_reading.py",
        "components/experiments/__main__.py",
        "components/experiments/compare_simulation.py",
        "components/acquisitions/__main__.py",
        "components/runs/__main__.py",
        "components/housekeeping/__main__.py",
        "components/lib/drift/comparison.py",
        "dags/retrain.py",
        "README.md",
        "tests/test_cache.py",
    ],
)
def test_what_no_configured_stage_uses_reruns_nothing(tree: Path, path: str) -> None:
    before = identity(tree)
    with edited(tree / path, appended):
        assert outdated(tree) == set()
        assert identity(tree) == before, "nor does it start a retraining"


@pytest.mark.parametrize("path", ["components/report/__main__.py", "components/lib/report/page.py"])
def test_the_drawing_of_the_report_reruns_the_report_at_most(tree: Path, path: str) -> None:
    before = identity(tree)
    with edited(tree / path, appended):
        assert outdated(tree) == {"report"}
        assert identity(tree) == before, "a retraining would show the same models"


def test_the_judge_reruns_no_training(tree: Path) -> None:
    with edited(tree / "components/promote/gate.py", appended):
        assert outdated(tree) == {"promote"}
    with edited(tree / "components/lib/geo/watershed.py", appended):
        assert not outdated(tree) & TRAININGS


def test_a_section_that_runs_nothing_changes_no_identity(tree: Path) -> None:
    before = identity(tree)
    with edited(tree / "params.yaml", lambda text: text.replace("keep_runs: 50", "keep_runs: 51")):
        assert outdated(tree) == set()
        assert identity(tree) == before


def test_where_runs_are_kept_starts_no_training(tree: Path) -> None:
    before = identity(tree)
    with edited(
        tree / "params.yaml", lambda text: text.replace("experiment: stormsight", "experiment: moved")
    ):
        assert outdated(tree) == {"promote"}
        assert identity(tree) == before


STORE_READERS = ("optical@", "control", "distill@", "adapt", "evaluate", "promote")
"""Stages that read the whole store."""

ONE = "rehearsal-airborne"
MINE = partition_of(ONE, partition_names({"partitions": PARTITIONS}))


@contextmanager
def relocked(tree: Path) -> Iterator[None]:
    """The lock of the present parameters and catalogue, put back at the end."""
    lock = tree / PARAMS_LOCK
    before = lock.read_text()
    lock.write_text(render_lock(tree / "dvc.yaml", tree / "params.yaml"))
    try:
        yield
    finally:
        lock.write_text(before)


def test_a_new_acquisition_or_another_entry_reruns_the_download_of_its_partition_alone(tree: Path) -> None:
    before, catalogue = identity(tree), tree / CATALOGUE
    with edited(catalogue / f"{ONE}.yaml", appended), relocked(tree):
        assert changed(tree) == {f"download@{MINE}"}
        assert identity(tree) != before
    new = catalogue / "new.yaml"
    shutil.copyfile(catalogue / f"{ONE}.yaml", new)
    try:
        assert changed(tree) == set(), "an entry that no parameter names is nobody's"
        assert identity(tree) == before
        with (
            edited(tree / "params.yaml", lambda text: text.replace(f"  - {ONE}\n", f"  - {ONE}\n  - new\n")),
            relocked(tree),
        ):
            theirs = partition_of("new", partition_names({"partitions": PARTITIONS}))
            assert changed(tree) == {f"download@{theirs}"}
            assert identity(tree) != before
    finally:
        new.unlink()


def test_what_one_partition_has_anew_reruns_its_own_stages_and_the_light_ones(tree: Path) -> None:
    """``changed`` looks one step ahead: a stage whose inputs come out equal goes on to none."""
    steps = {
        "data/raw/{}/content": {"download@{}", "validate@{}", "prepare@{}"},
        "data/features/{}/content": {"validate@{}", "verdict"},
        "data/validated/{}": {"verdict", "prepare@{}"},
        "data/prepared/tables/{}/content": {"prepare@{}", "split"},
        "data/prepared/layers/{}/content": {"prepare@{}"},
    }
    for path, stages in steps.items():
        with edited(tree / path.format(MINE), appended):
            found = {stage for stage in changed(tree) if not stage.startswith(STORE_READERS)}
            assert found == {stage.format(MINE) for stage in stages}, path


def test_a_limit_of_the_verdict_measures_nothing_anew(tree: Path) -> None:
    def stricter(text: str) -> str:
        return text.replace("max_strip_drift: 20.0", "max_strip_drift: 19.0")

    with edited(tree / "params.yaml", stricter):
        assert changed(tree) == {"verdict"}
    with edited(tree / "params.yaml", lambda text: text.replace("west_m: 591550.0", "west_m: 591551.0")):
        assert changed(tree) == {"split"}
