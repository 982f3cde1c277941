"""Rights of each account on the object stores: the matrix that policies are rendered from and tests hold.

A pod has one account, and with it one set of credentials. ``data`` runs GDAL on rasters that strangers
wrote, so it may write nothing that decisions rest on: no ledger, no plan, no record of another stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

Store = Literal["objects", "landing", "remote", "artifacts"]
"""``STORMSIGHT_OBJECTS``, ``STORMSIGHT_LANDING``, ``STORMSIGHT_REMOTE`` (DVC), and MLflow's artefacts."""

Verb = Literal["list", "read", "create", "write", "delete"]
"""``create`` makes an object where there is none (``If-None-Match: *``); ``write`` also replaces one."""

DATA_STAGES = ("download", "validate", "prepare", "report")
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


def _of_data_stages(pattern: str, *verbs: Verb) -> tuple[Grant, ...]:
    return tuple(Grant("objects", pattern.format(stage), verbs) for stage in DATA_STAGES)


_SHARED = (
    Grant("objects", "catalogue/*", ("read",)),
    Grant("objects", "deliveries/*", ("list", "read")),
    Grant("objects", "ledger/*", ("list", "read")),
    Grant("objects", "runs/*", ("read",)),
    Grant("objects", "runs/*/alive.json", ("write",)),
    Grant("objects", "work/*", ("list", "read")),
)
"""What every stage needs: its plan, its place in the training, a sign of life."""

RIGHTS: Mapping[str, tuple[Grant, ...]] = {
    "data": (
        *_SHARED,
        *_of_data_stages("work/*/stages/{}*.json", "create"),
        *_of_data_stages("work/*/failures/{}*.json", "create"),
        Grant("landing", "*", ("list", "read")),
        Grant("remote", "*", ("list", "read", "write")),
    ),
    "train": (
        *_SHARED,
        Grant("objects", "work/*/stages/*", ("create",)),
        Grant("objects", "work/*/failures/*", ("create",)),
        Grant("objects", "work/*/checkpoints/*", ("write", "delete")),
        Grant("remote", "*", ("list", "read", "write")),
        Grant("artifacts", "*", ("list", "read", "write")),
    ),
    "ledger": (
        Grant("objects", "*", ("list", "read")),
        Grant("objects", "ledger/*", ("create",)),
        Grant("objects", "ledger/*.head.json", ("write",)),
        Grant("objects", "catalogue/*", ("create",)),
        Grant("objects", "deliveries/*", ("write",)),
        Grant("objects", "rejected/*", ("write",)),
        Grant("objects", "accepted/*", ("write",)),
        Grant("objects", "strips.json", ("write",)),
        Grant("objects", "probe/*", ("create",)),
        Grant("objects", "runs/*", ("create",)),
        Grant("objects", "runs/*/alive.json", ("write",)),
        Grant("objects", "work/*", ("create",)),
        Grant("objects", "work/*/dvc.lock", ("write",)),
        Grant("objects", "work/*/decisions.json", ("write", "delete")),
        Grant("landing", "*", ("list", "read")),
        Grant("remote", "*", ("list", "read", "write")),
        Grant("artifacts", "*", ("list", "read", "write")),
    ),
    "housekeeping": (
        Grant("objects", "*", ("list", "read")),
        Grant("objects", "runs/*", ("delete",)),
        Grant("objects", "work/*", ("delete",)),
        Grant("remote", "*", ("list", "read", "delete")),
    ),
    "airflow": (
        Grant("landing", "*", ("list", "read")),
        Grant("objects", "ledger/*", ("list", "read")),
        Grant("objects", "rejected/*", ("list", "read")),
        Grant("objects", "accepted/*", ("list", "read")),
    ),
    "mlflow": (Grant("artifacts", "*", ("list", "read")),),
}
"""Grants by account: those of pods (:data:`components.contract.work.Account`), and of Airflow and MLflow."""


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
