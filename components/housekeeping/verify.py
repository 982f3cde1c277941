"""Check every ledger and what it vouches for, and name everything that is wrong, not only the first thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import CATALOGUE, OPERATIONS, RUNS, WORK, champion_chain
from components.housekeeping.champions import chain, models
from components.lib.files import sha256_bytes
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import unseal
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.lib.operations.state import State


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: A ledger, a catalogue entry, a record.
        state: What was found, in words.
        sound: Whether it is as it should be.
    """

    what: str
    state: str
    sound: bool


def verify(objects: ObjectStore) -> list[Finding]:
    """Check the chains, the catalogue entries of registered acquisitions, and the sealed records.

    Args:
        objects: The store.
    """
    state = State()
    findings: list[Finding] = []
    try:
        entries = Operations(objects).verify()
        state = State.from_entries(entries)
        findings.append(Finding(OPERATIONS, _length(len(entries)), sound=True))
    except BadDataError as error:
        findings.append(Finding(OPERATIONS, error.message, sound=False))
    findings += [_look(champion_chain(model), partial(_chain, objects, model)) for model in models(objects)]
    findings += _lost_ledger(objects, state, findings)
    findings += _catalogue(objects, state)
    findings += _records(objects)
    return findings


def _length(entries: int) -> str:
    return f"{entries} entries, unbroken"


def _chain(objects: ObjectStore, model: str) -> str:
    return _length(len(chain(objects, model).verify()))


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look(), sound=True)
    except (BadDataError, MissingInputError) as error:
        return Finding(what, error.message, sound=False)


def _lost_ledger(objects: ObjectStore, state: State, findings: list[Finding]) -> Iterator[Finding]:
    """A ledger that was removed with its note leaves what it led to."""
    empty = findings[0].sound and not state.registered and not state.claims
    if empty and (objects.list(RUNS) or objects.list(WORK)):
        yield Finding(OPERATIONS, "it is empty, but there are runs: the ledger was removed", sound=False)


def _catalogue(objects: ObjectStore, state: State) -> Iterator[Finding]:
    """Entries of withdrawn acquisitions too: finished trainings rest on them."""
    found = [
        _look(f"{CATALOGUE}{name}", partial(_entry, objects, name, event.catalogue_sha256))
        for name, event in sorted(state.registered.items())
    ]
    wrong = [finding for finding in found if not finding.sound]
    yield from wrong or [Finding("catalogue", f"{len(state.registered)} entries, as registered", sound=True)]


def _entry(objects: ObjectStore, name: str, sha256: str) -> str:
    Acquisition(name, sha256).entry(objects)
    return "as registered"


def _records(objects: ObjectStore) -> Iterator[Finding]:
    """Plans, stage records, run records: whether each still fits its seal."""
    names = [info.key for prefix in (RUNS, WORK) for info in objects.list(prefix)]
    sealed = [name for name in names if name.endswith(".json")]
    found = [_look(name, partial(_sealed, objects, name)) for name in sealed]
    wrong = [finding for finding in found if not finding.sound]
    yield from wrong or [Finding("records", f"{len(sealed)} sealed records, intact", sound=True)]


def _sealed(objects: ObjectStore, name: str) -> str:
    content = objects.get(name)
    unseal(content, name=name)
    return sha256_bytes(content)
