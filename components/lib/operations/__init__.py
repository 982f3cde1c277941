"""What was registered, claimed, trained: events in one chain, a pure fold, and the rules of claiming.

The chain is ``ledger/operations`` of the object store. Nothing else decides what is to be trained: events of
an orchestrator may get lost, come twice or out of order.
"""

from components.lib.operations.decisions import (
    Go,
    NothingToDo,
    Wish,
    decide,
    decide_outcome,
    training_key,
)
from components.lib.operations.events import (
    FINAL_CLASSES,
    Claimed,
    Event,
    Failed,
    Registered,
    Renewed,
    Succeeded,
    Withdrawn,
    parse_event,
)
from components.lib.operations.operations import OPERATIONS, Operations
from components.lib.operations.plan import Acquisition, Plan, plan_key, read_plan, run_name
from components.lib.operations.state import Claim, State

__all__ = [
    "FINAL_CLASSES",
    "OPERATIONS",
    "Acquisition",
    "Claim",
    "Claimed",
    "Event",
    "Failed",
    "Go",
    "NothingToDo",
    "Operations",
    "Plan",
    "Registered",
    "Renewed",
    "State",
    "Succeeded",
    "Wish",
    "Withdrawn",
    "decide",
    "decide_outcome",
    "parse_event",
    "plan_key",
    "read_plan",
    "run_name",
    "training_key",
]
