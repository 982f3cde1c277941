"""Keys of the objects in which the pipeline keeps its state.

::

    <acquisition>/COMPLETE.json                  in the landing place: the delivery is complete
    catalogue/<acquisition>.json                 a registered acquisition
    deliveries/<acquisition>/<marker>/           copy of a registered acquisition's files
    rejected/<acquisition>-<listing>.json        a refused acquisition
    accepted/<acquisition>-<listing>.json        note that this marker is the registered one
    strips.json                                  index of the strips that registered acquisitions hold
    probe/conditional-write                      object by which a store shows that it creates once
    ledger/operations/000000001.json             entries of the operations ledger; .head.json notes its length
    ledger/operations.snapshot.json              its state after one of the entries, a cache
    ledger/champions/<model>/000000001.json      entries of a model's champion history
    ledger/champions/<model>.snapshot.json       copy of them in one object, a cache; so of the approvals
    ledger/approvals/<model>/000000001.json      promotions that wait for a person, and the verdicts on them
    ledger/requests/000000001.json               requests for a retraining, because an acquisition has drifted
    runs/<run>/plan.json                         what a run trains
    runs/<run>/alive.json                        last sign of life of a run at work
    work/<key>/stages/<stage>.json               record of a finished stage
    work/<key>/failures/<stage>-<n>.json         records of failed attempts
    work/<key>/intents/<stage>-<hash>.json       data that a stage is about to name in its record
    work/<key>/notices/<name>.json               notices that were given and are not to be repeated
    work/<key>/checkpoints/<stage>/              unfinished trainings; manifest.json names one consistent set
    work/<key>/decisions.json                    decisions of the gate, before they are carried out
    work/<key>/decisions-change-<method>.json    decisions on a change method, likewise
    work/<key>/dvc.lock, record.json             the finished training
    drift/<model>/<version>/<acquisition>.json   comparison of an acquisition with a champion's reference
    pruned.json                                  counts of trainings whose records are pruned
    removals/<id>.json                           announcement of what housekeeping is about to remove
    maps/plans/<run>.json                        maps that a run of the DAG `map` makes
    maps/work/<map>/inventory.json               checked tiles of an acquisition that is being mapped
    maps/work/<map>/blocks/                      finished blocks of a map that is being made
    maps/items/<map>/                            files of a finished map; item.json is written last
    maps/catalog.json, collection.json           STAC catalogue over maps and models, made anew from items
    maps/months/<year-month>/catalog.json        links to the maps of scenes of one month
    maps/models/<model>/<version>/item.json      STAC item of a promoted version, created once
    maps/models/<model>/bundles/<sha256>/        its files, created once; by the SHA-256 of its model.json
    maps/models/<model>/bundles/<sha256>/drift.* statistics of the tiles that it was trained on
    maps/models/<model>/collection.json          champion and history of the model, made anew from the ledger

``<key>`` is a training's key (:func:`components.contract.identity.training_key`), ``<run>`` a run's name,
``<map>`` a hash of all that a map depends on.
"""

from __future__ import annotations

import hashlib
import re

from components.contract.errors import ParameterError

MARKER = "COMPLETE.json"
"""Name of the completeness marker, which the producer of an acquisition writes last."""

CATALOGUE = "catalogue/"
DELIVERIES = "deliveries/"
REJECTED = "rejected/"
ACCEPTED = "accepted/"
RUNS = "runs/"
WORK = "work/"
REMOVALS = "removals/"
MAPS = "maps/"
MAP_ITEMS = "maps/items/"
MAP_MONTHS = "maps/months/"
MAP_MODELS = "maps/models/"
MAP_PLANS = "maps/plans/"
MAP_WORK = "maps/work/"

ITEM = "item.json"
"""Name of a map's STAC item, which is written last: a map without it is not finished."""

COLLECTION, CATALOG = "collection.json", "catalog.json"
"""Names of STAC's documents that link to others."""

MAPS_CATALOG = "maps/catalog.json"
MAPS_COLLECTION = "maps/collection.json"

STRIPS = "strips.json"
"""Index of the strips that registered acquisitions hold; it can be made anew from the catalogue."""

PRUNED = "pruned.json"
"""Counts of the trainings whose records housekeeping has removed, so that no counter falls."""

PROBE = "probe/conditional-write"
"""Object by which a store shows, at any time, that it creates an object only once."""

LEDGERS = "ledger/"
"""Prefix of all ledgers."""

OPERATIONS = "ledger/operations"
"""Chain of the operations ledger."""

CHAMPIONS = "ledger/champions"
"""Prefix of the models' champion histories, each a chain of its own."""

APPROVALS = "ledger/approvals"
"""Prefix of the models' approvals, each a chain of its own: beside the champions' histories."""

REQUESTS = "ledger/requests"
"""Chain of the requests for a retraining."""

MANIFEST = "manifest.json"
"""Name of the file that lists a set of checkpoints; written last, removed first."""

LOCK = "dvc.lock"
"""DVC's record of finished stages, in a workspace and below a training's key."""

CHECKED, CHECKED_TEXT = "reports/check/parameters.txt", "The parameters are checked.\n"
"""Output of the local stage `check`, which the first stage depends on: always the same text."""

DECISION = "reports/promote/decision.json"
"""Output of the pipeline that holds the gate's decision on building models."""

_CHANGE_DECISION = re.compile(r"reports/promote_change/[^/]+/decision\.json")


def is_decision(path: str) -> bool:
    """Return whether an output of the pipeline holds a gate's decision, on building or on change models."""
    return path == DECISION or _CHANGE_DECISION.fullmatch(path) is not None


LONGEST_KEY = 900
"""Characters of a key at most. S3 allows 1024 bytes, a store's own prefix included."""

CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
"""Characters that no key, and no line of text about one, may hold."""

LONGEST_RUN = 100
"""Characters of a run's name at most."""

_UNSAFE_IN_RUN = re.compile(r"[^A-Za-z0-9._-]+")
_UNSAFE_IN_ID = re.compile(r"[^a-z0-9-]+")
_ENTRY = re.compile(r"(?P<chain>.+)/(?P<number>[0-9]{9})\.json")
_HEAD = re.compile(r"(?P<chain>.+)\.head\.json")


def marker_key(acquisition: str) -> str:
    """Return the key of an acquisition's completeness marker in the landing place."""
    return f"{acquisition}/{MARKER}"


def catalogue_key(acquisition: str) -> str:
    """Return the key of a registered acquisition's catalogue entry."""
    return f"{CATALOGUE}{acquisition}.json"


def delivery_prefix(acquisition: str, marker_sha256: str) -> str:
    """Return the prefix of the copy of an acquisition's files; the marker states the hash of each."""
    return f"{DELIVERIES}{acquisition}/{marker_sha256[:16]}/"


def rejection_key(folder: str, listing_sha256: str) -> str:
    """Return the key of a folder's rejection, one for each listing of it."""
    return f"{REJECTED}{_safe_name(folder)}-{listing_sha256[:16]}.json"


def accepted_key(folder: str, listing_sha256: str) -> str:
    """Return the key of the note that a marker, as it is listed, is the registered one."""
    return f"{ACCEPTED}{_safe_name(folder)}-{listing_sha256[:16]}.json"


def is_key(key: str) -> bool:
    r"""Return whether ``key`` can be a key that does not leave its store, on a disk either.

    >>> is_key("a/b"), is_key("a//b"), is_key("../b"), is_key("a\n"), is_key("\udcff")
    (True, False, False, False, False)
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    parts = key.split("/")
    return len(key) <= LONGEST_KEY and not CONTROL.search(key) and not {"", ".", ".."}.intersection(parts)


def entry_key(chain: str, number: int) -> str:
    """Return the key of a ledger's entry; entries are numbered from 1."""
    return f"{chain}/{number:09d}.json"


def entry_number(key: str) -> int | None:
    """Return the number of a ledger's entry, None if the key belongs to no entry.

    >>> entry_number(entry_key(OPERATIONS, 12)), entry_number(head_key(OPERATIONS))
    (12, None)
    """
    found = _ENTRY.fullmatch(key)
    return int(found["number"]) if found else None


def head_key(chain: str) -> str:
    """Return the key of the note about a ledger's last entry."""
    return f"{chain}.head.json"


def snapshot_key(chain: str) -> str:
    """Return the key of the cache of a ledger: of what its entries add up to, or of the entries."""
    return f"{chain}.snapshot.json"


def champion_chain(model: str) -> str:
    """Return the chain of a model's champion history."""
    return f"{CHAMPIONS}/{model}"


def approval_chain(model: str) -> str:
    """Return the chain of a model's approvals."""
    return f"{APPROVALS}/{model}"


def champion_model(key: str, prefix: str = CHAMPIONS) -> str | None:
    """Return the model whose champion history ``key`` belongs to, None if it belongs to none.

    Args:
        key: Key of an entry, or of the note about the last one.
        prefix: Prefix of the histories, or of the approvals.
    """
    found = _HEAD.fullmatch(key) or _ENTRY.fullmatch(key)
    parent, _, model = found["chain"].rpartition("/") if found else ("", "", "")
    return model if parent == prefix else None


def run_prefix(run: str) -> str:
    """Return the prefix of what is kept about a run."""
    return f"{RUNS}{run}/"


def plan_key(run: str) -> str:
    """Return the key of a run's plan."""
    return f"{run_prefix(run)}plan.json"


def alive_key(run: str) -> str:
    """Return the key of a run's last sign of life."""
    return f"{run_prefix(run)}alive.json"


def training_prefix(key: str) -> str:
    """Return the prefix of all that is kept about a training, without a slash at its end."""
    return f"{WORK}{key}"


def stage_records_prefix(key: str) -> str:
    """Return the prefix of the records of a training's finished stages."""
    return f"{training_prefix(key)}/stages/"


def stage_record_key(key: str, stage: str) -> str:
    """Return the key of a finished stage's record."""
    return f"{stage_records_prefix(key)}{stage}.json"


def recorded_stage(record_key: str) -> str:
    """Return the stage in a :func:`stage_record_key`."""
    return record_key.rpartition("/")[2].removesuffix(".json")


def failures_prefix(key: str, stage: str | None = None) -> str:
    """Return the prefix of a training's failures, of all stages or of one."""
    return f"{training_prefix(key)}/failures/" + ("" if stage is None else f"{stage}-")


def failure_key(key: str, stage: str, number: int) -> str:
    """Return the key of a stage's failure; failures are numbered from 1."""
    return f"{failures_prefix(key, stage)}{number}.json"


def intents_prefix(key: str) -> str:
    """Return the prefix of a training's intents."""
    return f"{training_prefix(key)}/intents/"


def intent_key(key: str, stage: str, names_sha256: str) -> str:
    """Return the key of a stage's intent; an attempt that makes other data has another one."""
    return f"{intents_prefix(key)}{stage}-{names_sha256[:16]}.json"


def notice_key(key: str, name: str) -> str:
    """Return the key of a notice about a training that is given once."""
    return f"{training_prefix(key)}/notices/{name}.json"


def checkpoints_prefix(key: str) -> str:
    """Return the prefix of all checkpoints of a training."""
    return f"{training_prefix(key)}/checkpoints/"


def stage_checkpoints_prefix(key: str, stage: str) -> str:
    """Return the prefix of a stage's checkpoints, without a slash at its end."""
    return f"{checkpoints_prefix(key)}{stage}"


def decisions_key(prefix: str, gate: str = "") -> str:
    """Return the key of a gate's decisions below a :func:`training_prefix`.

    Args:
        prefix: The training's.
        gate: Name of the gate; empty for that on building models.
    """
    return f"{prefix}/decisions{gate and f'-{gate}'}.json"


def lock_key(key: str) -> str:
    """Return the key of a finished training's dvc.lock."""
    return f"{training_prefix(key)}/{LOCK}"


def lineage_key(key: str, run: str) -> str:
    """Return the key of a run's OpenLineage events, one JSON object per line."""
    return f"{training_prefix(key)}/lineage/{run}.ndjson"


def run_record_key(key: str) -> str:
    """Return the key of a finished training's record."""
    return f"{training_prefix(key)}/record.json"


def training_of(object_key: str) -> str | None:
    """Return the key of the training that an object or prefix belongs to, None outside of :data:`WORK`."""
    found = object_key.removeprefix(WORK).partition("/")[0]
    return found if object_key.startswith(WORK) else None


def removal_key(name: str) -> str:
    """Return the key of an announcement of removals."""
    return f"{REMOVALS}{name}.json"


def map_plan_key(run: str) -> str:
    """Return the key of the plan of a run that makes maps."""
    return f"{MAP_PLANS}{run}.json"


def map_inventory_key(map_id: str) -> str:
    """Return the key of the inventory of a map's checked tiles."""
    return f"{MAP_WORK}{map_id}/inventory.json"


def map_blocks_prefix(map_id: str) -> str:
    """Return the prefix of a map's finished blocks."""
    return f"{MAP_WORK}{map_id}/blocks/"


def map_prefix(map_id: str) -> str:
    """Return the prefix of a finished map's files."""
    return f"{MAP_ITEMS}{map_id}/"


def map_item_key(map_id: str) -> str:
    """Return the key of a finished map's STAC item."""
    return f"{map_prefix(map_id)}{ITEM}"


def map_month_key(month: str) -> str:
    """Return the key of the document that links to the maps of a month, such as ``2026-11``."""
    return f"{MAP_MONTHS}{month}/{CATALOG}"


def model_item_key(model: str, version: str) -> str:
    """Return the key of the STAC item of a model's version."""
    return f"{MAP_MODELS}{model}/{version}/{ITEM}"


def model_bundle_prefix(model: str, signature_sha256: str) -> str:
    """Return the prefix of a model's files, named by the SHA-256 of model.json, which states the weights'."""
    return f"{MAP_MODELS}{model}/bundles/{signature_sha256}/"


def model_collection_key(model: str) -> str:
    """Return the key of the STAC collection of a model's versions."""
    return f"{MAP_MODELS}{model}/{COLLECTION}"


def _safe_name(folder: str) -> str:
    """Return a key-safe name for a folder of the landing place, which anybody may have named."""
    return _UNSAFE_IN_ID.sub("-", folder)[:63] or "-"


def run_name(run_id: str) -> str:
    """Return a key-safe name for an orchestrator's run id; different ids get different names.

    Raises:
        ParameterError: If the id is empty.
    """
    if not run_id:
        raise ParameterError("--run is empty", next_step="give the run a name")
    safe = _UNSAFE_IN_RUN.sub("-", run_id).strip("-.")
    if safe == run_id and len(safe) <= LONGEST_RUN:
        return safe
    # What was replaced or cut off must not make two runs one.
    return f"{safe[: LONGEST_RUN - 13] or 'run'}-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"
