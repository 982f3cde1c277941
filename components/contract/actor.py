"""Actor of a change: the person, or the run and its account, that ledger entries and notices name.

It is what the writer says of itself, not a proof: whoever may write to the store may write any name.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping

from components.contract.errors import ParameterError
from components.contract.variables import ACTOR, LONGEST_ACTOR, problem_of_actor


def current_actor(environment: Mapping[str, str] = os.environ) -> str:
    """Return the actor of this process.

    Args:
        environment: Looked up for ``STORMSIGHT_ACTOR``, which the DAGs' operators and ``k8s/command.py`` set,
            and a person may set; without it the actor is the user of this process, ``user@host``.

    Raises:
        ParameterError: If the variable holds no name.
    """
    given = environment.get(ACTOR)
    if not given:
        name = f"{_user()}@{socket.gethostname()}"
        return "".join(c if c.isprintable() else "?" for c in name)[:LONGEST_ACTOR]
    problem = problem_of_actor(given)
    if problem is not None:
        raise ParameterError(f"{ACTOR}: {problem}", next_step=f"unset {ACTOR}, or set it to your name")
    return given


def actor_of_run(dag: str, run: str, account: str, person: str | None = None) -> str:
    """Return the actor of a command that an orchestrator's run started.

    Args:
        dag: The DAG.
        run: The run's id.
        account: Service account of the command's pod, or user of its process.
        person: Person who started the run by hand, as the orchestrator knows them.
    """
    started = f" of {person[:100]}" if person else ""
    return f"{dag[:60]} {run[:100]}{started} as {account}"[:LONGEST_ACTOR]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in a container
        return f"uid-{os.getuid()}"
