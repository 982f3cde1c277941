"""Trainings that present and former champions came from."""

from __future__ import annotations

from components.contract.keys import CHAMPIONS, champion_chain, champion_model, run_record_key
from components.housekeeping.policy import standing_decisions
from components.lib.ledger.chain import Chain
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.state import State


def models(objects: ObjectStore) -> list[str]:
    """Return the names of models that have a chain of champions, or the head note of one."""
    found = (champion_model(info.key) for info in objects.list(f"{CHAMPIONS}/"))
    return sorted({model for model in found if model is not None})


def chain(objects: ObjectStore, model: str) -> Chain:
    """Return the chain of a model's champions."""
    return Chain(objects, champion_chain(model))


def keys_of_champions(objects: ObjectStore, state: State) -> set[str]:
    """Return the keys of trainings whose decisions made the present champions and those before them.

    A champion that came from elsewhere (a laptop) has no key here.

    Raises:
        BadDataError: If a chain is broken.
    """
    decisions: set[str] = set()
    for model in models(objects):
        decisions |= standing_decisions([entry.body for entry in chain(objects, model).entries()])
    succeeded = [key for key, claim in state.claims.items() if claim.succeeded]
    return {key for key in succeeded if decisions and _mentions(objects, key, decisions)}


def _mentions(objects: ObjectStore, key: str, decisions: set[str]) -> bool:
    """Return True if a training's record contains one of these decisions, at any place in it."""
    name = run_record_key(key)
    text = objects.get(name).decode(errors="replace") if objects.exists(name) else ""
    return any(decision in text for decision in decisions)
