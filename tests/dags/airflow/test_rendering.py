"""The rendered tasks are the graph, node by node and edge by edge."""

from __future__ import annotations

import itertools
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, TaskGroup
from airflow.serialization.serialized_objects import OperatorSerialization

from components.contract.errors import ParameterError
from components.contract.graph.load import load_graph
from components.contract.graph.model import Graph
from components.contract.work import Requirements, Work
from stormsight_dags.airflow.rendering import command_task, mapped_command_task, render, task_id
from stormsight_dags.settings.load import load_settings
from stormsight_dags.settings.model import Settings
from tests.contract.pipelines import FOREACH, MATRIX, META, NESTED
from tests.contract.test_graph import write
from tests.contract.test_two_stages import ON, START
from tests.contract.test_two_stages import parameters as two_stages

Tasks = dict[str, Any]

CHANGE_BRANCH = ("pairs", "change", "evaluate_change", "promote_change")
CHANGE_EDGES = {
    ("pairs@simulated", "change@sgsln"),
    ("pairs@simulated", "change@siamese_unet"),
    ("pairs@simulated", "evaluate_change@sgsln"),
    ("pairs@simulated", "evaluate_change@siamese_unet"),
    ("pairs@simulated", "promote_change@sgsln"),
    ("change@sgsln", "evaluate_change@sgsln"),
    ("change@siamese_unet", "evaluate_change@siamese_unet"),
    ("change@sgsln", "promote_change@sgsln"),
    ("change@siamese_unet", "promote_change@sgsln"),
}
"""Order of the branch, which shares no stage with the buildings'."""


def tasks_of(group: TaskGroup) -> Tasks:
    """The group's tasks by the address of their stage."""
    return {task.stage: task for task in group.iter_tasks()}  # type: ignore[attr-defined]


def edges_of(tasks: Tasks) -> frozenset[tuple[str, str]]:
    return frozenset(
        (address, below.stage)
        for address, task in tasks.items()
        for below in task.downstream_list
        if getattr(below, "stage", None) in tasks
    )


def settings_of(repository: Path, mode: str) -> Settings:
    lab = {"STORMSIGHT_DEPLOYMENT": str(repository / "k8s/overlays/lab/deployment.yaml")}
    return load_settings(lab if mode == "kubernetes" else {})


def rendered(graph: Graph, settings: Settings) -> Tasks:
    with DAG("trial"):
        return tasks_of(render(graph, settings))


@pytest.mark.parametrize("mode", ["local", "kubernetes"])
def test_tasks_of_the_repository_are_its_graph(repository: Path, mode: str) -> None:
    """The profile `change` has all stages, those of the change branch among them."""
    settings = settings_of(repository, mode)
    graph = load_graph(repository / "dvc.yaml", repository / "params.yaml", "change")
    tasks = rendered(graph, settings)
    assert set(tasks) == set(graph.addresses)
    assert edges_of(tasks) == graph.edges
    branch = {stage for stage in tasks if stage.partition("@")[0] in CHANGE_BRANCH}
    assert {(above, below) for above, below in graph.edges if {above, below} & branch} == CHANGE_EDGES
    command = tasks["distill@concord"]
    expected = "python -m components.runs stage distill@concord --run {{ run_id }}"
    assert " ".join(command.command if mode == "local" else command.cmds) == expected


def test_two_stage_training_is_rendered_where_it_is_on(repository: Path, tmp_path: Path) -> None:
    graph = load_graph(repository / "dvc.yaml", two_stages(tmp_path, *ON, START))
    tasks = rendered(graph, settings_of(repository, "kubernetes"))
    assert edges_of(tasks) == graph.edges
    order = ["osm@buildings", "pretrain@deeplabv3plus", "optical@deeplabv3plus"]
    assert set(itertools.pairwise(order)) <= edges_of(tasks)
    pretrain, optical = (tasks[address].pod_template_dict["spec"] for address in order[1:])
    assert pretrain["serviceAccountName"] == optical["serviceAccountName"]
    assert pretrain["containers"][0]["resources"] == optical["containers"][0]["resources"]


@pytest.mark.parametrize("pipeline", [FOREACH, MATRIX, NESTED], ids=["foreach", "matrix", "nested"])
def test_tasks_of_any_pipeline_are_its_graph(repository: Path, tmp_path: Path, pipeline: str) -> None:
    folder = write(tmp_path, pipeline)
    graph = load_graph(folder / "dvc.yaml", folder / "params.yaml")
    tasks = rendered(graph, settings_of(repository, "local"))
    assert set(tasks) == set(graph.addresses)
    assert edges_of(tasks) == graph.edges


def test_a_stage_more_is_a_task_more(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No DAG file changes: the DAG follows dvc.yaml and params.yaml."""
    shutil.copy(repository / "params.yaml", tmp_path)
    document = yaml.safe_load((repository / "dvc.yaml").read_text())
    document["stages"]["publish"] = {
        "cmd": "python -m components.publish",
        "deps": ["models/adapted", "reports/promote/decision.json"],
        "outs": ["public"],
        "meta": {"image": "data", "cpu": 1, "memory": "1Gi", "gpu": 0, "retry": "transfer"},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    monkeypatch.setenv("STORMSIGHT_SOURCE", str(tmp_path))
    monkeypatch.delenv("STORMSIGHT_DEPLOYMENT", raising=False)
    names = runpy.run_path(str(repository / "dags/retrain.py"))
    tasks = tasks_of(names["pipeline"])
    assert {task.task_id for task in tasks["publish"].upstream_list} == {"pipeline.adapt", "pipeline.promote"}
    assert {task.task_id for task in tasks["publish"].downstream_list} == {"finish", "gate"}
    assert {task.task_id for task in tasks["download@p00"].upstream_list} == {"plan"}


def test_two_stages_cannot_be_one_task(repository: Path, tmp_path: Path) -> None:
    pipeline = f"stages:\n  a:\n    foreach: [x/y, 'x y']\n    do: {{cmd: 'echo ${{item}}', {META}}}\n"
    folder = write(tmp_path, pipeline)
    with pytest.raises(ParameterError, match=r"'a@x/y' and 'a@x y' would both be task 'a.x-y'"):
        rendered(load_graph(folder / "dvc.yaml", folder / "params.yaml"), settings_of(repository, "local"))


def test_task_ids_are_what_airflow_allows() -> None:
    assert task_id("evaluate") == "evaluate"
    assert task_id("distill@disoptnet") == "distill.disoptnet"
    assert task_id("cell@one-0.1-x@y z") == "cell.one-0.1-x-y-z"


def test_resources_reach_the_operator(repository: Path) -> None:
    """One value carries them from dvc.yaml to the pod, and to the number of retries in both modes."""
    work = Work(("python",), Requirements(image="train", cpu=4, memory="96Mi", gpu=1, retry="train"))
    settings = settings_of(repository, "kubernetes")
    with DAG("trial"):
        pod: Any = command_task(settings, "t", work)
        process: Any = command_task(settings_of(repository, "local"), "p", work)
        plain: Any = command_task(settings, "q", Work(("python",)))
    (container,) = pod.pod_template_dict["spec"]["containers"]
    assert container["image"] == settings.cluster.images.train
    assert container["resources"]["limits"]["cpu"] == "4000m"
    assert container["resources"]["limits"]["memory"] == "96Mi"
    assert container["resources"]["limits"][settings.cluster.gpu.resource] == "1"
    assert process.command == ["python"]
    assert pod.retries == process.retries > plain.retries


def test_only_pruning_runs_as_the_account_that_may_delete(repository: Path) -> None:
    settings = settings_of(repository, "kubernetes")
    with DAG("trial"):
        plain: Any = command_task(settings, "t", Work(("python",)))
        pruning: Any = command_task(settings, "prune", Work(("python",), account="housekeeping"))
    accounts = [
        task.full_pod_spec.spec.service_account_name
        if task.full_pod_spec
        else task.pod_template_dict["spec"]["serviceAccountName"]
        for task in (plain, pruning)
    ]
    assert accounts == ["stormsight-data", "stormsight-housekeeping"]


def test_a_pod_is_told_who_started_it(repository: Path) -> None:
    """The run, the person who started it by hand, and the pod's account: what ledger entries name."""
    with DAG("trial"):
        task: Any = command_task(settings_of(repository, "kubernetes"), "t", Work(("python",)))
    task.__dict__["hook"] = SimpleNamespace(is_in_cluster=True, get_namespace=lambda: "stormsight")
    instance = SimpleNamespace(dag_id="trial", run_id="r1", task_id="t", map_index=-1, try_number=1)
    run = SimpleNamespace(triggering_user_name="ada")
    pod = task.build_pod_request_obj({"ti": instance, "run_id": "r1", "dag_run": run, "dag": None})
    told = {variable.name: variable.value for variable in pod.spec.containers[0].env}
    assert told["STORMSIGHT_ACTOR"] == "trial r1 of ada as stormsight-data"


@pytest.mark.parametrize("mode", ["local", "kubernetes"])
def test_mapped_tasks_have_commands_of_their_own_and_retries_that_the_scheduler_sees(
    repository: Path, mode: str
) -> None:
    settings = settings_of(repository, mode)
    work = Work(("python", "-m", "x"), Requirements(retry="train"), account="map")
    with DAG("trial"):
        plain: Any = command_task(settings, "plain", work)
        mapped: Any = mapped_command_task(settings, "group", work, [("--number", "0"), ("--number", "1")])
    stored = OperatorSerialization.serialize_mapped_operator(mapped)
    assert stored["partial_kwargs"]["retries"] == plain.retries > 0
    assert stored["partial_kwargs"]["has_retry_policy"] is True
    name = "cmds" if mode == "kubernetes" else "command"
    assert [ending for *_, ending in stored["expand_input"]["value"]["__var"][name]] == ["0", "1"]
    one: Any = mapped.unmap({name: ["python", "-m", "x", "--number", "1"]})
    assert getattr(one, name) == ["python", "-m", "x", "--number", "1"]
    assert one.retry_policy.budget == plain.retry_policy.budget


def test_two_mapped_pods_share_no_name_and_give_no_sign_of_a_training(repository: Path) -> None:
    settings = settings_of(repository, "kubernetes")
    work = Work(("python",), Requirements(retry="train"), account="map")
    created: list[Any] = []

    def create(pod: Any) -> Any:
        created.append(pod)
        return pod

    with DAG("trial"):
        mapped: Any = mapped_command_task(settings, "group", work, [("0",), ("1",)])
    for index in (0, 1):
        task = mapped.unmap({"cmds": ["python", str(index)]})
        assert task.deferrable
        task.__dict__["hook"] = SimpleNamespace(is_in_cluster=True, get_namespace=lambda: "stormsight")
        task.__dict__["pod_manager"] = SimpleNamespace(create_pod=create)
        task.__dict__["client"] = SimpleNamespace(
            list_namespaced_pod=lambda *_, **__: SimpleNamespace(items=[])
        )
        instance = SimpleNamespace(
            dag_id="trial", run_id="r1", task_id="group", map_index=index, try_number=1
        )
        context = {"ti": instance, "run_id": "r1", "dag_run": SimpleNamespace(), "dag": None}
        task.get_or_create_pod(task.build_pod_request_obj(context), context)
        assert task._at_work is None
    first, second = (pod.metadata for pod in created)
    assert first.name != second.name
    assert first.labels["stormsight/task"] != second.labels["stormsight/task"]
    assert (first.labels["map_index"], second.labels["map_index"]) == ("0", "1")
    assert [pod.spec.containers[0].command for pod in created] == [["python", "0"], ["python", "1"]]
    assert {pod.spec.service_account_name for pod in created} == {"stormsight-map"}
