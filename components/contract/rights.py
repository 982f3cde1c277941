"""Rights of each account on the object stores: the matrix that policies are rendered from and tests hold.

A pod has one account, and with it one set of credentials. ``data`` runs GDAL on rasters that strangers
wrote, so it may write nothing that decisions rest on: no ledger, no plan, no record of another stage. ``map``
reads the same rasters, and writes maps alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from components.contract import keys
from components.contract.drift import COMPARISONS
from components.contract.pages import DASHBOARD

Store = Literal["objects", "landing", "remote", "artifacts", "backups"]
"""``STORMSIGHT_OBJECTS``, ``STORMSIGHT_LANDING``, ``STORMSIGHT_REMOTE`` (DVC), MLflow's artefacts, dumps."""

Verb = Literal["list", "read", "create", "write", "delete"]
"""``create`` makes an object where there is none (``If-None-Match: *``); ``write`` also replaces one."""

DATA_STAGES = ("download", "validate", "verdict", "prepare", "split", "osm", "report", "pairs")
"""Stages that run in the account ``data``: their records and failures are all it may write."""


@dataclass(frozen=True)
class Grant:
    """Right to handle the objects of one store whose keys fit a pattern.

    Attributes:
        store: The store.
        keys: Pattern of keys, relative to the store; ``*`` stands for any characters, slashes included.
        verbs: Verbs that are allowed. A listing is allowed by prefix: it shows names, never contents.
    """

    store: Store
    keys: str
    verbs: tuple[Verb, ...]


_CATALOGUE = f"{keys.CATALOGUE}*"
_DELIVERIES = f"{keys.DELIVERIES}*"
_LEDGERS = f"{keys.LEDGERS}*"
_NOTES = keys.head_key(_LEDGERS)
_SNAPSHOTS = keys.snapshot_key(_LEDGERS)
_REJECTED = f"{keys.REJECTED}*"
_ACCEPTED = f"{keys.ACCEPTED}*"
_RUNS = f"{keys.RUNS}*"
_SIGNS = keys.alive_key("*")
_WORK = f"{keys.WORK}*"
_RECORDS = f"{keys.stage_records_prefix('*')}*"
_FAILURES = f"{keys.failures_prefix('*')}*"
_CHECKPOINTS = f"{keys.checkpoints_prefix('*')}*"
_INTENTS = keys.intents_prefix("*")
_COMPARISONS = f"{COMPARISONS}*"
_REMOVALS = f"{keys.REMOVALS}*"
_DECISIONS = keys.decisions_key(keys.training_prefix("*"))
_CHANGE_DECISIONS = keys.decisions_key(keys.training_prefix("*"), "*")

_STAGE = (
    Grant("objects", _CATALOGUE, ("read",)),
    Grant("objects", _DELIVERIES, ("list", "read")),
    Grant("objects", _LEDGERS, ("list", "read")),
    Grant("objects", _REMOVALS, ("list", "read")),
    Grant("objects", _RUNS, ("read",)),
    Grant("objects", _SIGNS, ("write",)),
    Grant("objects", _WORK, ("list", "read")),
    Grant("remote", "*", ("list", "read", "write")),
)
"""Rights that every stage needs: to its plan, its place in the training, its data, a sign of life."""

RIGHTS: Mapping[str, tuple[Grant, ...]] = {
    "data": (
        *_STAGE,
        *(Grant("objects", keys.stage_record_key("*", f"{stage}*"), ("create",)) for stage in DATA_STAGES),
        *(
            Grant("objects", f"{keys.failures_prefix('*', f'{stage}*')}*.json", ("create",))
            for stage in DATA_STAGES
        ),
        *(Grant("objects", f"{_INTENTS}{stage}*.json", ("create",)) for stage in DATA_STAGES),
        Grant("landing", "*", ("list", "read")),
    ),
    "train": (
        *_STAGE,
        Grant("objects", _RECORDS, ("create",)),
        Grant("objects", _FAILURES, ("create",)),
        Grant("objects", f"{_INTENTS}*", ("create",)),
        Grant("objects", _CHECKPOINTS, ("write", "delete")),
        Grant("artifacts", "*", ("list", "read", "write")),
    ),
    "ledger": (
        Grant("objects", "*", ("list", "read")),
        Grant("objects", _LEDGERS, ("create",)),
        Grant("objects", _NOTES, ("write",)),
        Grant("objects", _SNAPSHOTS, ("write",)),
        Grant("objects", _CATALOGUE, ("create",)),
        Grant("objects", _DELIVERIES, ("write",)),
        Grant("objects", _REJECTED, ("write",)),
        Grant("objects", _ACCEPTED, ("write",)),
        Grant("objects", keys.STRIPS, ("write",)),
        Grant("objects", keys.PROBE, ("create",)),
        Grant("objects", _RUNS, ("create",)),
        Grant("objects", _SIGNS, ("write",)),
        Grant("objects", _WORK, ("create",)),
        Grant("objects", keys.lock_key("*"), ("write",)),
        Grant("objects", _DECISIONS, ("write", "delete")),
        Grant("objects", _CHANGE_DECISIONS, ("write", "delete")),
        Grant("objects", f"{keys.MAP_MODELS}*", ("create",)),
        Grant("objects", _COMPARISONS, ("create",)),
        Grant("objects", keys.model_collection_key("*"), ("write",)),
        Grant("objects", keys.MAPS_CATALOG, ("write",)),
        Grant("landing", "*", ("list", "read")),
        Grant("remote", "*", ("list", "read", "write")),
        Grant("artifacts", "*", ("list", "read", "write")),
    ),
    "housekeeping": (
        Grant("objects", "*", ("list", "read")),
        Grant("objects", _RUNS, ("delete",)),
        Grant("objects", _WORK, ("delete",)),
        Grant("objects", _DELIVERIES, ("delete",)),
        Grant("objects", f"{keys.MAP_PLANS}*", ("delete",)),
        Grant("objects", f"{keys.MAP_WORK}*", ("delete",)),
        Grant("objects", _REMOVALS, ("write", "delete")),
        Grant("objects", keys.PRUNED, ("write",)),
        Grant("objects", DASHBOARD, ("write",)),
        Grant("remote", "*", ("list", "read", "delete")),
    ),
    "map": (
        Grant("objects", _CATALOGUE, ("read",)),
        Grant("objects", _DELIVERIES, ("list", "read")),
        Grant("objects", _LEDGERS, ("list", "read")),
        Grant("objects", keys.PROBE, ("create",)),
        Grant("objects", f"{keys.MAPS}*", ("list", "read")),
        Grant("objects", f"{keys.MAP_PLANS}*", ("create",)),
        Grant("objects", f"{keys.MAP_WORK}*", ("create", "delete")),
        Grant("objects", f"{keys.MAP_ITEMS}*", ("write",)),
        Grant("objects", f"{keys.MAP_MONTHS}*", ("write",)),
        Grant("objects", f"{keys.MAPS}{keys.CATALOG}", ("write",)),
        Grant("objects", f"{keys.MAPS}{keys.COLLECTION}", ("write",)),
        Grant("artifacts", "*", ("list", "read")),
    ),
    "airflow": (
        Grant("landing", "*", ("list", "read")),
        Grant("objects", _LEDGERS, ("list", "read")),
        Grant("objects", _REJECTED, ("list", "read")),
        Grant("objects", _ACCEPTED, ("list", "read")),
        Grant("objects", _SIGNS, ("write",)),
        Grant("objects", DASHBOARD, ("list", "read")),
    ),
    "exporter": (
        Grant("objects", _LEDGERS, ("list", "read")),
        Grant("objects", _REJECTED, ("list", "read")),
        Grant("objects", _RUNS, ("list",)),
        Grant("objects", _SIGNS, ("read",)),
        Grant("objects", _WORK, ("list",)),
        Grant("objects", keys.run_record_key("*"), ("read",)),
        Grant("objects", _RECORDS, ("read",)),
        Grant("objects", _FAILURES, ("read",)),
        Grant("objects", keys.PRUNED, ("read",)),
        Grant("objects", f"{keys.MAP_ITEMS}*", ("list",)),
        Grant("objects", keys.map_item_key("*"), ("read",)),
        Grant("objects", keys.model_item_key("*", "*"), ("read",)),
        Grant("objects", _COMPARISONS, ("list", "read")),
        Grant("landing", "*", ("list",)),
        Grant("backups", "*", ("list",)),
    ),
    "mlflow": (Grant("artifacts", "*", ("list", "read")),),
    "backup": (Grant("backups", "*", ("list", "write")),),
}
"""Grants by account: of pods (:data:`components.contract.work.Account`), of Airflow, MLflow and backups."""


def allows(account: str, store: Store, verb: Verb, key: str) -> bool:
    """Return whether an account may do something with a key, or list below it.

    Args:
        account: Key of :data:`RIGHTS`.
        store: The store.
        verb: What is to be done.
        key: Key relative to the store; for ``list`` the prefix.
    """
    return any(
        grant.store == store and _covers(grant, verb) and _compiled(grant.keys).fullmatch(key) is not None
        for grant in RIGHTS[account]
    )


def _covers(grant: Grant, verb: Verb) -> bool:
    return verb in grant.verbs or (verb == "create" and "write" in grant.verbs)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
