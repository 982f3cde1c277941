"""Trainings that present and former champions came from."""

from __future__ import annotations

from components.contract.keys import (
    APPROVALS,
    CHAMPIONS,
    approval_chain,
    champion_chain,
    champion_model,
    run_record_key,
)
from components.housekeeping.policy import standing_decisions
from components.lib.ledger.chain import Chain
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.state import State


def models(objects: ObjectStore, prefix: str = CHAMPIONS) -> list[str]:
    """Return the names of models that have a chain of champions, or the head note of one.

    Args:
        objects: Store of the chains.
        prefix: Prefix of the champions' chains, or of the approvals'.
    """
    found = (champion_model(info.key, prefix) for info in objects.list(f"{prefix}/"))
    return sorted({model for model in found if model is not None})


def chain(objects: ObjectStore, model: str) -> Chain:
    """Return the chain of a model's champions."""
    return Chain(objects, champion_chain(model))


def keys_of_champions(objects: ObjectStore, state: State) -> set[str]:
    """Return the keys of trainings that made the present champions, those before them, or one that waits.

    A champion that came from elsewhere (a laptop) has no key here.

    Raises:
        BadDataError: If a chain is broken.
    """
    decisions: set[str] = set()
    for model in models(objects):
        decisions |= standing_decisions([entry.body for entry in chain(objects, model).entries()])
    for model in models(objects, APPROVALS):
        # What waits for an approval may be the next champion.
        decisions |= {
            str(entry.body["decision"]) for entry in Chain(objects, approval_chain(model)).entries()[-1:]
        }
    succeeded = [key for key, claim in state.claims.items() if claim.succeeded]
    return {key for key in succeeded if decisions and _mentions(objects, key, decisions)}


def _mentions(objects: ObjectStore, key: str, decisions: set[str]) -> bool:
    """Return True if a training's record contains one of these decisions, at any place in it."""
    name = run_record_key(key)
    text = objects.get(name).decode(errors="replace") if objects.exists(name) else ""
    return any(decision in text for decision in decisions)
