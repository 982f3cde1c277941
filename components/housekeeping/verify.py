"""Checks of every ledger and of the objects whose hashes it holds; all that is wrong is listed.

Trainings go on meanwhile. What they rightly change between two reads (a checkpoint that is removed, a first
registration) is no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from components.contract.drift import COMPARISONS
from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.contract.keys import (
    APPROVALS,
    CATALOGUE,
    OPERATIONS,
    REQUESTS,
    RUNS,
    WORK,
    approval_chain,
    champion_chain,
    snapshot_key,
)
from components.housekeeping.champions import chain, models
from components.lib.ledger.chain import Chain
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import unseal
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.lib.operations.requests import RetrainingRequests
from components.lib.operations.state import State


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        subject: Ledger, catalogue entry or record that was checked.
        state: Result in words.
        sound: True if it is as it should be.
    """

    subject: str
    state: str
    sound: bool


def verify(objects: ObjectStore) -> list[Finding]:
    """Check the chains, the catalogue entries of registered acquisitions, and the sealed records.

    Args:
        objects: Store of ledgers, catalogue and records.
    """
    state = State()
    findings: list[Finding] = []
    operations = Operations(objects)
    try:
        entries = operations.verify()
        state = State.from_entries(entries)
        findings.append(Finding(OPERATIONS, _length(len(entries)), sound=True))
        if objects.exists(snapshot_key(OPERATIONS)):
            findings.append(_check(snapshot_key(OPERATIONS), partial(_snapshot, operations)))
    except BadDataError as error:
        findings.append(Finding(OPERATIONS, error.message, sound=False))
    findings += [_check(champion_chain(model), partial(_chain, objects, model)) for model in models(objects)]
    for model in models(objects, APPROVALS):
        findings.append(_check(approval_chain(model), partial(_approvals, objects, model)))
    if objects.list(REQUESTS):
        findings.append(_check(REQUESTS, partial(_requests, objects)))
    findings += _lost_ledger(objects, state, findings)
    findings += _catalogue(objects, state)
    findings += _records(objects)
    return findings


def findings_table(findings: Sequence[Finding]) -> str:
    """Return a line per finding."""
    return "\n".join(f"{'ok  ' if f.sound else 'FAIL'}  {f.subject}: {f.state}" for f in findings)


def _length(entries: int) -> str:
    return f"{entries} entries, unbroken"


def _chain(objects: ObjectStore, model: str) -> str:
    return _length(len(chain(objects, model).entries()))


def _snapshot(operations: Operations) -> str:
    seq = operations.verify_snapshot()
    return "removed meanwhile" if seq is None else f"as the entries up to {seq} add up to"


def _approvals(objects: ObjectStore, model: str) -> str:
    return _length(len(Chain(objects, approval_chain(model)).entries()))


def _requests(objects: ObjectStore) -> str:
    return _length(len(RetrainingRequests(objects).all()))


def _check(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, check(), sound=True)
    except (BadDataError, MissingInputError) as error:
        return Finding(subject, error.message, sound=False)


def _lost_ledger(objects: ObjectStore, state: State, findings: list[Finding]) -> Iterator[Finding]:
    """Yield a finding if the ledger was removed with its note: the runs it led to are still there."""
    empty = findings[0].sound and not state.registered and not state.claims
    if not empty or not (objects.list(RUNS) or objects.list(WORK)):
        return
    if not Operations(objects).verify():  # still empty: the runs did not begin after it was read
        yield Finding(OPERATIONS, "it is empty, but there are runs: the ledger was removed", sound=False)


def _catalogue(objects: ObjectStore, state: State) -> Iterator[Finding]:
    """Yield findings on catalogue entries, of withdrawn acquisitions too: finished trainings used them."""
    found = [
        _check(f"{CATALOGUE}{name}", partial(_entry, objects, name, event.catalogue_sha256))
        for name, event in sorted(state.registered.items())
    ]
    wrong = [finding for finding in found if not finding.sound]
    yield from wrong or [Finding("catalogue", f"{len(state.registered)} entries, as registered", sound=True)]


def _entry(objects: ObjectStore, name: str, sha256: str) -> str:
    Acquisition(name, sha256).entry(objects)
    return "as registered"


def _records(objects: ObjectStore) -> Iterator[Finding]:
    """Yield findings on plans, records and comparisons that no longer match their seal."""
    names = [info.key for prefix in (RUNS, WORK, COMPARISONS) for info in objects.list(prefix)]
    sealed = [name for name in names if name.endswith(".json")]
    found = [_check(name, partial(_sealed, objects, name)) for name in sealed]
    wrong = [finding for finding in found if not finding.sound]
    yield from wrong or [Finding("records", f"{len(sealed)} sealed records, intact", sound=True)]


def _sealed(objects: ObjectStore, name: str) -> str:
    """Check one record; one that was removed since it was listed (a finished stage's checkpoint) is sound.

    A record that somebody removed for good is missed by ``finish`` or ``gate``, not here.
    """
    try:
        content = objects.get(name)
    except MissingInputError:
        return "removed meanwhile"
    unseal(content, name=name)
    return sha256_bytes(content)
