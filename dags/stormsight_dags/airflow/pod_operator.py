"""Airflow operator for one command in one pod: the provider's, with typed failures and budgets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import (
    PodLaunchTimeoutException,
    detect_pod_terminate_early_issues,
)
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from kubernetes.client import V1EnvVar
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from components.contract.failures import NOTHING_TO_DO, FailureKind
from components.contract.redacted_streams import LineRedactor
from components.contract.variables import ACTOR
from components.contract.work import Work
from stormsight_dags.airflow.actor import actor_of
from stormsight_dags.airflow.notices import RESULT
from stormsight_dags.airflow.pod_watch import AT_WORK, LAST_SEEN, StagePodManager, StagePodTrigger
from stormsight_dags.airflow.retry_policy import retry_arguments
from stormsight_dags.airflow.skips import skip
from stormsight_dags.budgets import load_budget
from stormsight_dags.failures import TAIL_LINES, Failure, StageFailure, exception_for
from stormsight_dags.kubernetes.classify import Evidence, classify, read_report, skipped, succeeded
from stormsight_dags.kubernetes.manifest import pod_template
from stormsight_dags.kubernetes.names import (
    NUMBER_LABEL,
    RUN_LABEL,
    TASK_LABEL,
    label_value,
    newest_unchecked,
    next_number,
    pod_name,
    task_identity,
)
from stormsight_dags.kubernetes.reader import PodReader, refusal
from stormsight_dags.kubernetes.status import PodStatus, read_status, stuck_reason
from stormsight_dags.liveness import RunAtWork, SignsOfLife
from stormsight_dags.settings.model import Settings

WATCH_S = 5.0
"""Seconds between two looks at a pod whose log cannot be followed."""

BACKSTOP_S = 600
"""Seconds that Kubernetes lets a pod run beyond its start and the limit of its stage, which may write a last
checkpoint."""

LOG_LIFETIME_S = 24 * 3600
"""Seconds after a container's end in which its log is asked for; a busy worker may come late."""


class StagePodOperator(KubernetesPodOperator):
    """Run a command of ``components`` in a pod.

    A failure is raised as one of :class:`~stormsight_dags.failures.StageFailure`'s subclasses, and
    retried within the budget of its kind. Exit code 99 skips the task, as does a refusal (77) of a command
    that is no stage. The pod's name follows from the task instance, so that no restart of scheduler, worker
    or triggerer makes a second one: whoever comes next takes over the pod, running or ended, whose end nobody
    has classified yet.

    Args:
        work: Command (templated), requirements, stage and account.
        settings: The installation's settings.
        deferrable: Wait in the triggerer. By default stages do, which last, and service commands do not,
            which take seconds.
        kwargs: Arguments of ``KubernetesPodOperator`` that should differ from ours.
    """

    def __init__(
        self,
        *,
        task_id: str,
        work: Work,
        settings: Settings,
        deferrable: bool | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        stage = work.stage or task_id
        budget = load_budget(settings.orchestration.model_dump(), work.requirements.retry)
        own: dict[str, Any] = {
            **operator_arguments(settings, work, stage),
            **retry_arguments(budget),
            "deferrable": work.stage is not None if deferrable is None else deferrable,
        }
        super().__init__(task_id=task_id, **{**own, **kwargs})
        self.stage = stage
        self._is_stage = work.stage is not None
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._last_seen: PodStatus | None = None
        self._pod_name = ""
        self._gave_up = ""
        self._settings = settings
        self._at_work: RunAtWork | None = None

    # ---------------------------------------------------------------- entry points of Airflow

    def execute(self, context: Any) -> None:  # noqa: ANN401 - Airflow's Context
        """Run the pod.

        Raises:
            StageFailure: If it did not succeed, as the subclass of its kind.
            AirflowSkipException: If its command found nothing to do.
        """
        self.log_formatter = self._remember_line
        if self._is_stage:  # a service command holds no claim before it ends, or takes seconds
            self._at_work = RunAtWork.of(str(context["run_id"]), self._settings)
        with self._typed(context):
            super().execute(context)

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> None:  # noqa: ANN401
        """Continue after the trigger's event; raises as :meth:`execute`."""
        if isinstance(seen := event.get(LAST_SEEN), dict):
            self._last_seen = PodStatus.from_dict(seen)
        self._pod_name = event["name"]
        if event["status"] == "timeout":
            self._gave_up = str(event.get("message") or "time-out")
        with self._typed(context):
            super().trigger_reentry(context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:  # noqa: ANN401
        """Continue after the trigger, also where the trigger itself failed; raises as :meth:`execute`."""
        with self._typed(context):
            return super().resume_execution(next_method, next_kwargs, context)

    # ---------------------------------------------------------------- one pod per task instance

    def build_pod_request_obj(self, context: Any = None, *, dry_run: bool = False) -> Any:  # noqa: ANN401
        """Return the pod, with labels that identify its task instance, and the actor that ledgers name."""
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        # The provider's merge drops what is false in a template.
        pod.spec.enable_service_links = False
        if context is not None:
            run = str(context["run_id"])
            pod.metadata.labels |= {TASK_LABEL: _identity(context), RUN_LABEL: label_value(run)}
            pod.metadata.annotations |= {RUN_LABEL: run}
            actor = actor_of(context, pod.spec.service_account_name)
            pod.spec.containers[0].env.append(V1EnvVar(name=ACTOR, value=actor))
        return pod

    def get_or_create_pod(self, pod_request_obj: Any, context: Any) -> Any:  # noqa: ANN401
        """Return the pod of this task instance whose end nobody has classified yet, or create one.

        Two callers at once choose the same name; Kubernetes creates it once, and the other takes it over.
        """
        pods = self._pods(context)
        if pod := newest_unchecked(pods, self.POD_CHECKED_KEY):
            self.log.info("Taking over pod %s.", pod.metadata.name)
            self._pod_name = pod.metadata.name
            return pod
        number = next_number(pods)
        pod_request_obj.metadata.labels[NUMBER_LABEL] = str(number)
        pod_request_obj.metadata.name = pod_name(self.task_id, _identity(context), number)
        created = self.pod_manager.create_pod(pod=pod_request_obj)
        self._pod_name = created.metadata.name
        self._persist_pod_identity_to_task_state_store(context, created)
        return created

    def find_pod(self, namespace: str, context: Any, *, exclude_checked: bool = True) -> Any:  # noqa: ANN401
        """Return the pod of this task instance whose end nobody has classified yet."""
        del namespace, exclude_checked
        return newest_unchecked(self._pods(context), self.POD_CHECKED_KEY)

    def _pods(self, context: Any) -> list[Any]:  # noqa: ANN401
        return self._reader.pods(f"{TASK_LABEL}={_identity(context)}")

    @property
    def _reader(self) -> PodReader:
        return PodReader(self.client, str(self.namespace), self.stage, self.base_container_name)

    # ---------------------------------------------------------------- watching

    @cached_property
    def pod_manager(self) -> StagePodManager:
        """Pod manager that gives up on a pod that will never end."""
        return StagePodManager(
            kube_client=self.client, callbacks=self.callbacks, signs=SignsOfLife(self._at_work)
        )

    def await_pod_start(self, pod: Any) -> None:  # noqa: ANN401
        """Wait until the pod runs."""
        with self._giving_up():
            super().await_pod_start(pod)

    def await_pod_completion(self, pod: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Follow the log until the container has ended; without a log, watch the container alone.

        The API server fetches the log from the node, so it fails with the node, long before Kubernetes
        calls the pod lost.
        """
        with self._giving_up():
            try:
                super().await_pod_completion(pod)
            except ApiException as error:
                if not error.status or error.status < 500:
                    raise
                self.log.warning("The log breaks off (HTTP %s); the pod is still watched.", error.status)
                self.pod_manager.await_container_completion(pod, self.base_container_name, WATCH_S)

    def defer(self, *, trigger: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Hand over to our trigger instead of the provider's."""
        ours = StagePodTrigger(**trigger.serialize()[1])
        # Without it the triggerer looks for a kubeconfig; it runs where the worker does.
        ours.in_cluster = self.hook.is_in_cluster if self.in_cluster is None else self.in_cluster
        if self._at_work is not None:
            ours.trigger_kwargs[AT_WORK] = self._at_work.as_dict()
        super().defer(trigger=ours, **kwargs)

    def convert_config_file_to_dict(self) -> None:
        """Keep the kubeconfig, with its keys, out of Airflow's database: the triggerer has its own."""
        self._config_dict = None

    def is_istio_enabled(self, pod: Any) -> bool:  # noqa: ANN401
        """Return ``False``: our pods have no sidecar, and asking would be one more request that can fail."""
        del pod
        return False

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except (PodLaunchFailedException, PodLaunchTimeoutException, AirflowTaskTimeout) as reason:
            self._gave_up = str(reason) or type(reason).__name__
            raise

    def _write_logs(self, pod: Any, follow: bool = False, since_time: Any = None) -> None:  # type: ignore[override]  # noqa: ANN401
        """Show what the triggerer has not shown yet, by the way the synchronous operator does."""
        self.pod_manager.fetch_container_logs(
            pod,
            self.base_container_name,
            follow=follow,
            since_time=since_time,
            post_termination_timeout=LOG_LIFETIME_S,
            log_formatter=self._remember_line,
        )

    @cached_property
    def _redact(self) -> LineRedactor:
        return LineRedactor()

    def _remember_line(self, container: str, line: str) -> str:
        """Keep a line of the container's log; return it as Airflow shows it."""
        self._lines.append(self._redact(line))
        return f"[{container}] {self._lines[-1]}"

    # ---------------------------------------------------------------- the end

    def cleanup(
        self,
        pod: Any,  # noqa: ANN401
        remote_pod: Any,  # noqa: ANN401
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,  # noqa: ANN401
    ) -> None:
        """Classify the pod's end and remove it; the provider calls this at every end.

        Also after ``on_kill``, where the provider keeps silent and a task whose worker was shut down would
        count as a success.
        """
        del pod, xcom_result
        if remote_pod is not None:
            self._conclude(remote_pod.metadata.name, context)

    @contextmanager
    def _typed(self, context: Any) -> Iterator[None]:  # noqa: ANN401
        """Raise our failure instead of whatever the provider raises."""
        try:
            yield
        except AirflowSkipException:
            raise
        except StageFailure as failure:
            raise failure from None  # the failure contains what the provider said before
        except Exception as error:
            try:
                self._after(error, context)
            except StageFailure as failure:
                raise failure from (error if failure.kind is FailureKind.UNKNOWN else None)

    def _after(self, error: Exception, context: Any) -> None:  # noqa: ANN401
        """Find out about the pod after the provider gave up with ``error``."""
        if not self._pod_name and isinstance(error, ApiException | HTTPError):
            raise exception_for(refusal(self.stage, error)) from None
        found = None if self._pod_name else self.find_pod(str(self.namespace), context)
        name = found.metadata.name if found is not None else self._pod_name
        if not name:
            raise exception_for(Failure(FailureKind.UNKNOWN, self.stage, type(error).__name__, str(error)))
        self._conclude(name, context, str(error))

    def _conclude(self, name: str, context: Any, cause: str = "") -> None:  # noqa: ANN401
        """Classify the end of pod ``name`` and remove it, unless it is well and only the watch broke off.

        Raises:
            StageFailure: If the pod did not succeed.
            AirflowSkipException: If its command found nothing to do.
        """
        pod = self._reader.pod(name)
        status = read_status(pod, self.base_container_name) if pod is not None else None
        if status is not None and self._is_well(pod, status):
            step = f"nothing, if a retry follows: it takes over pod {name}, which goes on"
            raise exception_for(
                Failure(
                    FailureKind.CLUSTER, self.stage, "the watch broke off", cause, step, source=f"pod {name}"
                )
            )
        evidence = Evidence(
            stage=self.stage,
            pod=name,
            status=status,
            last_seen=self._last_seen or self.pod_manager.last_seen,
            cause=self._gave_up,
            now=time.time(),
        )
        if not (succeeded(evidence) or skipped(evidence, refusal_skips=not self._is_stage)):
            tail = self._reader.log_tail(name, status) or "\n".join(self._lines)
            evidence = replace(evidence, events=self._reader.events(name), log_tail=tail)
        if pod is not None:
            self.patch_already_checked(pod, reraise=False)
            self.process_pod_deletion(pod, reraise=False)
        self._report(evidence, context)

    def _report(self, evidence: Evidence, context: Any) -> None:  # noqa: ANN401
        report = read_report(evidence.known.report)
        if skipped(evidence, refusal_skips=not self._is_stage):
            refused = evidence.known.exit_code != NOTHING_TO_DO
            raise skip(context, self.stage, report, refused=refused)
        if not succeeded(evidence):
            raise exception_for(classify(evidence))
        if report.result is not None:
            context["ti"].xcom_push(key=RESULT, value=report.result)

    def _is_well(self, pod: Any, status: PodStatus) -> bool:  # noqa: ANN401
        stuck = detect_pod_terminate_early_issues(pod) or stuck_reason(status, time.time())
        return not (status.ended or self._gave_up or stuck)


def operator_arguments(settings: Settings, work: Work, name: str) -> dict[str, Any]:
    """Return the arguments of ``KubernetesPodOperator`` for ``work``; ``name`` is for people."""
    cluster = settings.cluster
    return {
        "namespace": cluster.namespace,
        "cmds": list(work.command),
        "pod_template_dict": pod_template(settings, work, name),
        "random_name_suffix": False,
        "automount_service_account_token": False,
        "startup_timeout_seconds": cluster.startup_timeout_s,
        "schedule_timeout_seconds": cluster.schedule_timeout_s,
        "termination_grace_period": cluster.termination_grace_s,
        # A backstop: Airflow's own clocks stop with Airflow. A stage ends itself at the limit, and records
        # why; its clock starts with its process, so the pod's, which starts earlier, runs longer.
        "active_deadline_seconds": int(settings.orchestration.pod_limit_h * 3600)
        + cluster.startup_timeout_s
        + BACKSTOP_S,
        "termination_message_policy": "FallbackToLogsOnError",
        "skip_on_exit_code": NOTHING_TO_DO,
        "on_finish_action": "delete_pod",
        "on_kill_action": "delete_pod",
        "do_xcom_push": False,
        "log_pod_spec_on_failure": False,
        "log_events_on_failure": False,
        "durable": True,
        "get_logs": True,
        "startup_check_interval_seconds": 1,
        "poll_interval": 2,
        "logging_interval": 15,
    }


def _identity(context: Mapping[str, Any]) -> str:
    ti = context["ti"]
    return task_identity(ti.dag_id, str(context["run_id"]), ti.task_id, ti.map_index)
