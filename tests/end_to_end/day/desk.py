"""Deployment whose commands run in this process, with what Airflow's operators do around them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from components.acquisitions.__main__ import main as acquisitions
from components.contract.failures import NOTHING_TO_DO, STALL_WARNING
from components.lib import cli
from components.lib.cli import REPORT
from components.promote.__main__ import main as promote
from components.runs.__main__ import main as runs
from stormsight_dags.airflow.landing import LandingSensor, LandingTrigger
from stormsight_dags.airflow.notices import StallWarnings, notify_failure, notify_promotion, notify_retry
from stormsight_dags.airflow.skips import skip
from stormsight_dags.budgets import History, judge, load_budget
from stormsight_dags.failures import Failure, StageFailure, exception_for
from stormsight_dags.kubernetes.classify import Evidence, classify, classify_exit, is_skip, read_report
from stormsight_dags.kubernetes.status import PodStatus
from stormsight_dags.settings.load import load_settings
from tests.end_to_end.day.clock import Clock
from tests.end_to_end.day.stages import Gate, Script
from tests.end_to_end.day.webhook import Webhook
from tests.runs.pipeline import GRAPH, TRAINING, World

PIPELINE: dict[str, Any] = {
    "prepare": GRAPH["prepare"],
    "train": {**TRAINING["train"], "deps": ["data/prepared"]},
    "promote": {**GRAPH["promote"], "deps": ["model"]},
}
"""Stages of dvc.yaml: few, since each attempt at one has a workspace of its own."""

COMMANDS: dict[str, Callable[[list[str]], int | None]] = {
    "acquisitions": acquisitions,
    "promote": promote,
    "runs": runs,
}


@dataclass
class Desk:
    """Deployment, and what the person on duty does and sees.

    Attributes:
        world: The small pipeline.
        landing: URI of the landing prefix.
        clock: Time of the day.
        script: Ends of the stages.
        gate: Stage ``promote``.
        webhook: Receiver of the notices.
        output: What the commands print.
        pods: What Kubernetes says of the pods of a task's coming failures, by task id.
    """

    world: World
    landing: str
    clock: Clock
    script: Script
    gate: Gate
    webhook: Webhook
    output: pytest.CaptureFixture[str]
    pods: dict[str, list[PodStatus]] = field(default_factory=dict)

    # ------------------------------------------------------------ commands

    def command(self, component: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Run a command as a pod would; return exit code, report and standard output."""
        report = self.world.root / "report"
        report.unlink(missing_ok=True)
        os.environ[REPORT] = str(report)
        self.output.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.run(lambda: COMMANDS[component](list(arguments)))
        assert isinstance(caught.value.code, int)
        told = json.loads(report.read_text()) if report.exists() else {}
        return caught.value.code, told, self.output.readouterr().out

    def by_hand(self, component: str, *arguments: str) -> str:
        """Run a command as the person does; return what it prints."""
        os.environ["STORMSIGHT_ACTOR"] = "ada"
        try:
            code, told, shown = self.command(component, *arguments)
        finally:
            del os.environ["STORMSIGHT_ACTOR"]
        assert code == 0, told
        return shown

    def status(self) -> str:
        """Return the page ``status`` as text, after a look that its JSON says the same."""
        code, _, text = self.command("runs", "status")
        assert code == 0
        code, _, document = self.command("runs", "status", "--json")
        for section in json.loads(document)["sections"]:
            for finding in section["findings"]:
                assert finding["text"] in text
                assert finding["next_step"] in text
        return text

    # ------------------------------------------------------------ the orchestrator's part

    def task(self, dag: str, run: str, task: str, *argv: str, stage: str = "", retry: str = "gate") -> str:
        """Run a command until it ends for good, with budgets and notices; return how it did.

        Returns:
            ``success``, ``skipped``, or the name of the failure's class in Airflow.
        """
        budget = load_budget(self.orchestration, retry)
        history: History | None = None
        for number in itertools.count(1):
            instance = self._instance(dag, run, task, number)
            context: dict[str, Any] = {"ti": instance}
            code, told, _ = self.command(*argv)
            if code == 0:
                return "success"
            report = json.dumps(told)
            if is_skip(code, refusal_skips=not stage):
                skip(context, stage or task, read_report(report), refused=code != NOTHING_TO_DO)
                return "skipped"
            error = exception_for(self._failure(task, stage or task, code, report))
            verdict = judge(error.kind, number, budget.total, history, budget, now=self.clock.now.timestamp())
            history, context["exception"] = verdict.history, error
            if not verdict.retry:
                notify_failure(context)
                return type(error).__name__
            notify_retry(context)
        raise AssertionError

    def retrain(self, run: str) -> dict[str, str]:
        """Run the DAG ``retrain``; return how its tasks did."""

        def service(name: str) -> str:
            return self.task("retrain", run, name, "runs", name, "--run", run)

        states = {"plan": service("plan")}
        for address in PIPELINE if states["plan"] == "success" else ():
            states[address] = self.stage(run, address)
            if states[address] != "success":
                break
        states["finish"] = service("finish")
        if set(states.values()) == {"success"}:
            states["gate"] = service("gate")
            if states["gate"] == "success":
                notify_promotion({"ti": self._instance("retrain", run, "gate", 1)})
        return states

    def stage(self, run: str, address: str) -> str:
        """Run a stage's task."""
        retry = str(PIPELINE[address]["meta"]["retry"])
        argv = ("runs", "stage", address, "--run", run)
        return self.task("retrain", run, f"pipeline.{address}", *argv, stage=address, retry=retry)

    def register(self) -> str:
        """Run the task ``register``."""
        return self.task("acquisitions", f"at-{self.clock.now:%H}", "register", "acquisitions", "register")

    def redrive(self) -> str:
        """Run the DAG ``redrive``."""
        return self.task("redrive", f"at-{self.clock.now:%H}", "redrive", "runs", "redrive")

    def look(self, looks: Sequence[Callable[[], None]]) -> str:
        """Let the task ``landed`` wait; before each of its looks something may happen."""
        settings = load_settings({"STORMSIGHT_SOURCE": str(self.world.source)})
        coming = iter(looks)

        class Trigger(LandingTrigger):
            def _open(self) -> Any:
                scan = super()._open()
                pending = scan.pending

                def look() -> list[str]:
                    next(coming)()
                    return pending()

                scan.pending = look  # type: ignore[method-assign]
                return scan

        trigger = Trigger(
            self.landing,
            self.world.objects_uri,
            os.environ["AWS_ENDPOINT_URL_S3"],
            poll_s=0.001,
            renew_s=0.0,
            bad_looks=settings.orchestration.landing_bad_looks,
        )

        async def first() -> Any:
            return (await anext(trigger.run())).payload

        event = asyncio.run(first())
        sensor = LandingSensor(task_id="landed", settings=settings)
        try:
            sensor.landed(SimpleNamespace(), event)  # type: ignore[arg-type]
        except StageFailure as error:
            instance = self._instance("acquisitions", "waiting", "landed", 1)
            notify_failure({"ti": instance, "exception": error})
            return type(error).__name__
        except Exception as nothing:  # Airflow's signal that the task is skipped
            return type(nothing).__name__
        return ", ".join(event["acquisitions"])

    def warn_of_stall(self, run: str, address: str) -> None:
        """Show the watch over the log what the stage's watchdog writes half way to its limit."""
        warnings = StallWarnings(self._instance("retrain", run, f"pipeline.{address}", 1))
        warnings.look(f"WARNING {STALL_WARNING}: {address}: no step, no log line and no byte for 30 minutes")

    @property
    def orchestration(self) -> dict[str, Any]:
        """Section ``orchestration``."""
        settings = load_settings({"STORMSIGHT_SOURCE": str(self.world.source)})
        return settings.orchestration.model_dump()

    def _failure(self, task: str, stage: str, code: int, report: str) -> Failure:
        """Classify the end of a command, by what Kubernetes says of its pod where it says something."""
        if pods := self.pods.get(task):
            return classify(Evidence(stage=stage, pod="pod", status=pods.pop(0)))
        return classify_exit(stage, code, report)

    def _instance(self, dag: str, run: str, task: str, number: int) -> SimpleNamespace:
        return SimpleNamespace(
            dag_id=dag, run_id=run, task_id=task, try_number=number, log_url=f"http://ui/{run}/{task}"
        )
