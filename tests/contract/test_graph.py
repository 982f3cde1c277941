"""Our graph of ``dvc.yaml`` is DVC's own, node by node and edge by edge."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from components.contract.errors import ParameterError
from components.contract.graph.load import load_graph
from components.contract.graph.lock import graph_keys, render_lock
from components.contract.graph.model import Graph, Parameter
from components.contract.keys import CHECKED
from components.contract.parameters import PARAMS_LOCK, resolve
from components.contract.partitions import partition_names
from components.contract.work import Requirements
from tests.contract.pipelines import FILES, FOREACH, MATRIX, META, NESTED

DvcView = tuple[dict[str, Any], frozenset[tuple[str, str]]]


def write(folder: Path, pipeline: str) -> Path:
    for name, text in FILES.items():
        if text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (folder / "dvc.yaml").write_text(pipeline)
    return folder


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def seen_by_dvc(folder: Path) -> DvcView:
    """Stages and edges (upstream, downstream) of the repository in ``folder``, as DVC sees them."""
    with working_in(folder), Repo.init(no_scm=True, force=True) as repo:

        def relative(path: str) -> str:
            return path if "://" in path else os.path.relpath(path, folder)

        stages = {
            stage.addressing: {
                "cmd": tuple(stage.cmd) if isinstance(stage.cmd, list) else (stage.cmd,),
                "deps": sorted(relative(dep.fs_path) for dep in stage.deps if not hasattr(dep, "params")),
                "params": sorted(
                    (relative(dep.fs_path), key)
                    for dep in stage.deps
                    if hasattr(dep, "params")
                    for key in dep.params or [""]
                ),
                "outs": sorted(relative(out.fs_path) for out in stage.outs),
            }
            for stage in repo.index.stages
        }
        graph = repo.index.graph
        return stages, frozenset((up.addressing, down.addressing) for down, up in graph.edges)


def seen_by_us(graph: Graph) -> DvcView:
    stages = {
        stage.address: {
            "cmd": stage.cmd,
            "deps": sorted(stage.deps),
            "params": sorted(tuple(parameter) for parameter in stage.params),
            "outs": sorted(stage.outs),
        }
        for stage in graph
    }
    return stages, graph.edges


@pytest.mark.parametrize("pipeline", [FOREACH, MATRIX, NESTED], ids=["foreach", "matrix", "nested"])
def test_graph_equals_that_of_dvc(pipeline: str, tmp_path: Path) -> None:
    folder = write(tmp_path, pipeline)
    ours = seen_by_us(load_graph(folder / "dvc.yaml", folder / "params.yaml"))
    theirs = seen_by_dvc(folder)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]


@pytest.mark.parametrize(
    ("profile", "methods"),
    [(None, ["disoptnet"]), ("smoke", ["disoptnet", "dkd", "fitnet"]), ("spacenet6", [])],
)
def test_graph_of_the_repository_equals_that_of_dvc(
    repository: Path, tmp_path: Path, profile: str | None, methods: list[str]
) -> None:
    """Several methods of distillation are several tasks; the stage `check` is DVC's alone."""
    params = yaml.safe_load((repository / "params.yaml").read_text())
    params["distill"]["methods"] = methods
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    shutil.copy(repository / "dvc.yaml", tmp_path)
    graph = load_graph(tmp_path / "dvc.yaml", tmp_path / "params.yaml", profile)
    if profile is not None:
        params["profile"] = profile
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (tmp_path / PARAMS_LOCK).write_text(render_lock(tmp_path / "dvc.yaml", tmp_path / "params.yaml"))
    stages, edges = seen_by_dvc(tmp_path)
    assert stages.pop("check")["outs"] == [CHECKED]
    checked = {edge for edge in edges if edge[0] == "check"}
    assert checked == {("check", f"download@{name}") for name in partition_names(resolve(params))}
    assert seen_by_us(graph) == (stages, edges - checked)
    assert {f"distill@{method}" for method in methods} <= set(graph.addresses)


def test_graph_reads_what_a_pod_needs(repository: Path) -> None:
    graph = load_graph(repository / "dvc.yaml", repository / "params.yaml")
    stage = graph["distill@concord"]
    assert stage.cmd == ("python -m components.distill --method concord",)
    assert stage.requirements == Requirements(image="train", cpu=4.0, memory="16Gi", gpu=1, retry="train")
    assert Parameter("params.yaml", "profiles.rehearsal.distill") in stage.params
    assert graph.roots == ("download@p00",)
    assert graph.leaves == ("report", "promote")
    assert graph.order().index("distill@concord") < graph.order().index("adapt")


def stages(body: str) -> str:
    return f"stages:\n{body}"


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (stages(f"  a: {{cmd: x, dep: [b], {META}}}"), ["stage 'a'", "'dep'", "'deps'"]),
        (stages("  a: {cmd: x}"), ["stage 'a'", "meta lacks 'image'"]),
        (stages("  a: {cmd: x, meta: {image: data, cpus: 1}}"), ["stage 'a' meta", "'cpus'", "'cpu'"]),
        (stages(f"  a: {{cmd: x, {META.replace('data,', 'date,')}}}"), ["stage 'a'", "'date'", "'data'"]),
        (stages(f"  a: {{cmd: x, {META.replace('cpu: 1', 'cpu: many')}}}"), ["stage 'a'", "many"]),
        (stages(f"  a: {{deps: [b], {META}}}"), ["stage 'a'", "no cmd"]),
        (stages("  a: x"), ["stage 'a'", "mapping"]),
        (stages(f"  a: {{cmd: 'x ${{widht}}', {META}}}"), ["stage 'a' cmd", "${widht}", "'width'"]),
        (stages(f"  a: {{cmd: x, outs: ['${{methods}}'], {META}}}"), ["stage 'a' outs", "collection"]),
        (stages(f"  a: {{cmd: x, outs: [b: {{cash: true}}], {META}}}"), ["stage 'a' b", "'cash'", "'cache'"]),
        (stages(f"  a: {{foreach: '${{width}}', do: {{cmd: x, {META}}}}}"), ["stage 'a' foreach", "got 3"]),
        (stages(f"  a: {{matrix: [1], cmd: x, {META}}}"), ["stage 'a' matrix"]),
        (
            stages(f"  a: {{cmd: x, outs: [m], {META}}}\n  b: {{cmd: x, outs: [m/n], {META}}}"),
            ["stage 'b'", "m/n", "stage 'a'"],
        ),
        (
            stages(
                "".join(f"  {a}: {{cmd: x, deps: [{b}], outs: [{a}], {META}}}\n" for a, b in ("ab", "ba"))
            ),
            ["a", "b", "wait for each other"],
        ),
        ("stagse: {}", ["dvc.yaml", "'stagse'", "'stages'"]),
        ("vars: ['extra.yaml:dept']", ["extra.yaml", "'dept'", "'depth'"]),
        ("vars: [absent.yaml]", ["absent.yaml not found"]),
        ("- a", ["dvc.yaml must be a mapping"]),
        ("a: [", ["dvc.yaml, line", "not valid YAML"]),
    ],
)
def test_a_mistake_is_named_with_its_stage(pipeline: str, words: list[str], tmp_path: Path) -> None:
    folder = write(tmp_path, pipeline)
    with pytest.raises(ParameterError, match="next step:") as error:
        load_graph(folder / "dvc.yaml", folder / "params.yaml")
    for word in words:
        assert word in str(error.value)


def test_a_missing_file_says_where_it_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"dvc\.yaml not found"):
        load_graph(tmp_path / "dvc.yaml", tmp_path / "params.yaml")


LOCKED = """\
vars: [params.lock]
stages:
  make:
    foreach: ${graph.distill.methods}
    do:
      cmd: "echo ${item} ${ graph.optical.size }"
      outs: ["made/${item}"]
      meta: {image: data, cpu: 1, memory: 1Gi, gpu: 0, retry: data}
  check: {cmd: echo, deps: [params.lock], outs: [checked], meta: {local: true}}
"""
PROFILED = """\
profile: small
distill: {methods: [one, "on", "1:30", "1e3"]}
optical: {size: 3}
profiles: {small: {}, large: {distill: {methods: [two]}, optical: {size: 4}}}
"""


@pytest.mark.parametrize("profile", ["small", "large"])
def test_the_lock_gives_dvc_the_graph_of_the_active_profile(tmp_path: Path, profile: str) -> None:
    (tmp_path / "dvc.yaml").write_text(LOCKED)
    (tmp_path / "params.yaml").write_text(PROFILED)
    files = (tmp_path / "dvc.yaml", tmp_path / "params.yaml")
    assert graph_keys(files[0]) == ("distill.methods", "optical.size")
    graph = load_graph(*files, profile)
    files[1].write_text(PROFILED.replace("profile: small", f"profile: {profile}"))
    (tmp_path / PARAMS_LOCK).write_text(render_lock(*files))
    stages, edges = seen_by_dvc(tmp_path)
    stages.pop("check")
    assert seen_by_us(graph) == (stages, edges)
    assert ("make@two" in stages) == (profile == "large")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("[one, one]", r"distill\.methods: a name is listed twice"),
        ("[[one]]", r"distill\.methods: a name, or a list of names"),
        ("null", r"distill\.methods: a name, or a list of names"),
        ("{a: b}", r"distill\.methods: a name, or a list of names"),
    ],
)
def test_a_value_that_names_no_stage_is_refused(tmp_path: Path, methods: str, words: str) -> None:
    (tmp_path / "dvc.yaml").write_text(LOCKED)
    (tmp_path / "params.yaml").write_text(PROFILED.replace("[two]", methods).replace(": small", ": large"))
    with pytest.raises(ParameterError, match=words):
        render_lock(tmp_path / "dvc.yaml", tmp_path / "params.yaml")
