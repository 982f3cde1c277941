"""OpenLineage events of a run: written beside its records, and sent where a receiver is set."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from components.contract.errors import MissingInputError, StormsightError
from components.contract.keys import lineage_key
from components.lib.files import write_text
from components.lib.history.facts import RunFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.history.stored import HistoryReader
from components.runs.environment import Environment

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

LOG = logging.getLogger(__name__)

SETTING = "OPENLINEAGE_"
"""Begin of the variables that the OpenLineage client reads; events are sent only where one has a value."""


def write_lineage(environment: Environment, run: str, out: Path | None) -> str:
    """Return the events of a run as JSON lines, and write them to ``out`` if it is given.

    Raises:
        MissingInputError: If the run holds no claim.
        BadDataError: If the ledger or a record is damaged.
    """
    text = _lines(_events(environment, _facts(environment, run)))
    if out is not None:
        write_text(out, text)
    return text


def tell_lineage(environment: Environment, run: str, variables: Mapping[str, str] = os.environ) -> None:
    """Write the events of a run that ended into the object store, and send them if a receiver is set.

    Lineage explains a training and is no part of it: whatever fails here is a warning.

    Args:
        environment: Settings of the command.
        run: The run.
        variables: Variables of the process; ``OPENLINEAGE_*`` name the receiver.
    """
    try:
        facts = _facts(environment, run)
        events = _events(environment, facts)
        environment.objects.create(lineage_key(facts.key, run), _lines(events).encode())
    except StormsightError as error:
        LOG.warning("no lineage of run %s was written: %s", run, error.message)
        return
    if any(name.startswith(SETTING) and value for name, value in variables.items()):
        _send(run, events)


def _facts(environment: Environment, run: str) -> RunFacts:
    requirements = GraphRequirements(environment.source)
    facts = HistoryReader(environment.objects, requirements).of_run(run)
    if facts is None:
        raise MissingInputError(
            f"run {run} holds no claim",
            next_step="see `python -m components.runs status` for the runs that do",
        )
    return facts


# OpenLineage's client takes half a second to import: only what needs it does.


def _events(environment: Environment, facts: RunFacts) -> Sequence[RunEvent]:
    from components.lib.history.lineage import events_of  # noqa: PLC0415

    return events_of(facts, data_namespace(environment.remote))


def _lines(events: Sequence[RunEvent]) -> str:
    from components.lib.history.lineage import lines_of  # noqa: PLC0415

    return lines_of(events)


def _send(run: str, events: Sequence[RunEvent]) -> None:
    from openlineage.client import OpenLineageClient  # noqa: PLC0415

    try:
        with closing(OpenLineageClient()) as client:
            for event in events:
                client.emit(event)
    except Exception as error:
        LOG.warning("the lineage of run %s was not sent: %s", run, error)
        return
    LOG.info("%d lineage events of run %s were sent", len(events), run)


def data_namespace(remote: str) -> str:
    """Return the OpenLineage namespace of DVC's remote: ``s3://bucket`` or ``file``, never with credentials.

    >>> data_namespace("s3://key:secret@bucket/prefix"), data_namespace("/var/remote")
    ('s3://bucket/prefix', 'file:///var/remote')
    """
    if "://" not in remote:
        return f"file://{remote}"
    parts = urlsplit(remote)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
