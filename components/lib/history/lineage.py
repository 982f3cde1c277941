"""OpenLineage events of a training: a run per stage, its data named by the hashes of the lock.

One START and one COMPLETE event per finished stage, a FAIL event per failed attempt, the training as their
parent. Identifiers are derived from what happened, so that events that are sent twice are the same events.
Specification: OpenLineage 2-0-2, facets of its core.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    parent_run,
    tags_run,
)
from openlineage.client.serde import Serde

from components.lib.history.facts import FailureFacts, RunFacts, StageFacts

NAMESPACE = "stormsight"
"""Namespace of jobs."""

TRAINING = "training"
"""Job that the stages of a training are parts of."""

PRODUCER = "urn:stormsight:components.lib.history.lineage"


def events_of(run: RunFacts, data: str) -> list[RunEvent]:
    """Return the events of a run, in the order of their times.

    Args:
        run: The run. Stages and failures without a time give no event.
        data: Namespace of its data: address of DVC's remote, without credentials.
    """
    found = [*_training(run)]
    for stage in run.own_stages:
        found += _stage(run, stage, data)
    found += [_failure(run, failure) for failure in run.failures if failure.run == run.run]
    return sorted(found, key=lambda event: event.eventTime)


def lines_of(events: Iterable[RunEvent]) -> str:
    """Return events as JSON, one per line."""
    return "".join(json.dumps(json.loads(Serde.to_json(event)), sort_keys=True) + "\n" for event in events)


def run_id(run: RunFacts, *parts: str) -> str:
    """Return the UUID of a training, or of a part of it.

    Args:
        run: The run.
        parts: Words that tell the part from all others of the run.
    """
    return str(uuid5(NAMESPACE_URL, "/".join((NAMESPACE, run.key, run.run, *parts))))


def _training(run: RunFacts) -> Iterator[RunEvent]:
    facets: dict[str, RunFacet] = {"tags": _tags(run)}
    if run.started is not None:
        yield _event(RunState.START, run.started, TRAINING, run_id(run), facets)
    end = run.ended or _last_time(run)
    if end is None or run.outcome in ("at work", "not finished"):
        return
    if run.outcome == "failed":
        what = f"{run.failed_stage}: {run.failure_class}: {run.message}"
        failed = facets | {"errorMessage": _error(what)}
        yield _event(RunState.FAIL, end, TRAINING, run_id(run), failed)
    else:
        yield _event(RunState.COMPLETE, end, TRAINING, run_id(run), facets)


def _last_time(run: RunFacts) -> datetime | None:
    """Return the last time that is known of a run whose machine was lost: nothing kept its end."""
    known = [run.started, *(stage.ended for stage in run.own_stages)]
    return max((time for time in known if time is not None), default=None)


def _stage(run: RunFacts, stage: StageFacts, data: str) -> Iterator[RunEvent]:
    if stage.started is None or stage.ended is None:
        return
    facets = {
        "parent": _parent(run),
        "tags": _tags(run, image=stage.image, restored=str(stage.restored).lower()),
    }
    name, identity = stage.stage, run_id(run, stage.stage)
    yield _event(RunState.START, stage.started, name, identity, facets)
    yield _event(
        RunState.COMPLETE,
        stage.ended,
        name,
        identity,
        facets,
        inputs=[_input(data, path, md5, stage.sizes) for path, md5 in sorted(stage.inputs.items())],
        outputs=[_output(data, path, md5, stage.sizes) for path, md5 in sorted(stage.outputs.items())],
    )


def _failure(run: RunFacts, failure: FailureFacts) -> RunEvent:
    identity = run_id(run, failure.stage, "failed", failure.time.isoformat())
    facets = {
        "parent": _parent(run),
        "tags": _tags(run),
        "errorMessage": _error(f"{failure.failure_class}: {failure.message}"),
    }
    return _event(RunState.FAIL, failure.time, failure.stage, identity, facets)


def _event(
    state: RunState,
    time: datetime,
    job: str,
    identity: str,
    facets: Mapping[str, RunFacet],
    *,
    inputs: list[InputDataset] | None = None,
    outputs: list[OutputDataset] | None = None,
) -> RunEvent:
    return RunEvent(
        eventType=state,
        eventTime=time.isoformat(),
        run=Run(runId=identity, facets=dict(facets)),
        job=Job(namespace=NAMESPACE, name=job),
        producer=PRODUCER,
        inputs=inputs or [],
        outputs=outputs or [],
    )


def _parent(run: RunFacts) -> RunFacet:
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=run_id(run)),
        job=parent_run.Job(namespace=NAMESPACE, name=TRAINING),
        producer=PRODUCER,
    )


def _tags(run: RunFacts, **more: str) -> RunFacet:
    """Return identity and result of a run as tags; what is not known is left out."""
    tags = {
        "run": run.run,
        "key": run.key,
        "code_sha256": run.code,
        "params_sha256": run.params,
        "profile": run.profile or "",
        "simulated": "" if run.simulated is None else str(run.simulated).lower(),
        **more,
    }
    fields = [
        tags_run.TagsRunFacetFields(key=name, value=value, source=NAMESPACE)
        for name, value in tags.items()
        if value
    ]
    return tags_run.TagsRunFacet(tags=fields, producer=PRODUCER)


def _error(message: str) -> RunFacet:
    return error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="Python", producer=PRODUCER
    )


def _version(md5: str) -> dataset_version_dataset.DatasetVersionDatasetFacet:
    return dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=md5, producer=PRODUCER)


def _input(data: str, path: str, md5: str, sizes: Mapping[str, int]) -> InputDataset:
    size = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
        size=sizes.get(path), producer=PRODUCER
    )
    return InputDataset(
        namespace=data, name=path, facets={"version": _version(md5)}, inputFacets={"inputStatistics": size}
    )


def _output(data: str, path: str, md5: str, sizes: Mapping[str, int]) -> OutputDataset:
    size = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        size=sizes.get(path), producer=PRODUCER
    )
    return OutputDataset(
        namespace=data, name=path, facets={"version": _version(md5)}, outputFacets={"outputStatistics": size}
    )
