"""Objects of DVC's remote that kept records name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import lock_key, stage_records_prefix
from components.contract.strict_yaml import DVC_LOCK, YamlMistake, parse
from components.lib.objects.content import FOLDER, content_key, folder_files
from components.lib.objects.protocol import ObjectStore, get_many
from components.lib.objects.sealed import unseal


def lock_entries(objects: ObjectStore, key: str) -> list[Mapping[str, Any]]:
    """Return the dvc.lock entries of all stages that were recorded under ``key``.

    Raises:
        BadDataError: If a record is damaged: the data it names are unknown then.
    """
    names = [info.key for info in objects.list(stage_records_prefix(key))]
    found: list[Mapping[str, Any]] = []
    for name, content in zip(names, get_many(objects, names), strict=True):
        entry = unseal(content, name=f"{objects.uri}/{name}").get("lock")
        if not isinstance(entry, dict):
            raise _unreadable(f"{objects.uri}/{name}", "it has no lock entry")
        found.append(entry)
    merged = lock_key(key)
    if objects.exists(merged):
        found += stages_of(objects.get(merged), f"{objects.uri}/{merged}")
    return found


def stages_of(lock: bytes, name: str) -> list[Mapping[str, Any]]:
    """Return the entries of a whole dvc.lock.

    Raises:
        BadDataError: If ``lock`` is no such file.
    """
    try:
        document = parse(lock.decode("utf-8"), DVC_LOCK, plain=False)
        entries = list((document.get("stages") or {}).values())
    except (YamlMistake, UnicodeDecodeError, AttributeError) as error:
        raise _unreadable(name, f"it is no dvc.lock: {error}") from error
    if not all(isinstance(entry, dict) for entry in entries):
        raise _unreadable(name, "it is no dvc.lock")
    return entries


def named_hashes(
    remote: ObjectStore, entries: Iterable[Mapping[str, Any]], *, pushed: bool = True
) -> set[str]:
    """Return the MD5 of all content that lock entries name, the files of folders included.

    A dependency may be code, which is in no remote; an output was pushed before its record was written.

    Args:
        remote: DVC's remote.
        entries: Lock entries of stages.
        pushed: True for sealed records; False for entries whose outputs may be in the local cache alone.

    Raises:
        BadDataError: If the list of a pushed output's files is missing, or any such list is damaged.
    """
    outputs, dependencies = set[str](), set[str]()
    for entry in entries:
        outputs.update(_hashes(entry.get("outs")))
        dependencies.update(_hashes(entry.get("deps")))
    found = outputs | dependencies
    for md5 in sorted(outputs | dependencies):
        if md5.endswith(FOLDER):
            found |= _files_of(remote, md5, required=pushed and md5 in outputs)
    return found


def is_named(run_cache_entry: bytes, hashes: set[str]) -> bool:
    """Return True if every output that a run cache entry could restore is among ``hashes``."""
    try:
        entry = parse(run_cache_entry.decode("utf-8"), DVC_LOCK, plain=False)
        outputs = set(_hashes(entry.get("outs")))
    except (YamlMistake, UnicodeDecodeError, AttributeError, BadDataError):
        return False
    return bool(outputs) and outputs <= hashes


def _hashes(items: Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
    if not isinstance(items or [], list) or not all(isinstance(item, dict) for item in items or []):
        raise _unreadable("a stage's lock entry", "its dependencies or outputs are no list")
    for item in items or ():
        if isinstance(md5 := item.get("md5"), str):
            yield md5


def _files_of(remote: ObjectStore, md5: str, *, required: bool) -> set[str]:
    name = f"{remote.uri}/{content_key(md5)}"
    try:
        return set(folder_files(remote, md5).values())
    except MissingInputError as error:
        if required:
            raise _unreadable(name, "it is missing") from error
        return set()
    except BadDataError as error:
        raise _unreadable(name, "it is no list of files") from error


def _unreadable(name: str, why: str) -> BadDataError:
    return BadDataError(
        f"{name}: {why}, so what it names cannot be told from what nobody needs",
        next_step="restore the object from a backup or an older version; until then no data are removed",
    )
