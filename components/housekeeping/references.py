"""Objects of DVC's remote that kept records name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import intents_prefix, lock_key, stage_records_prefix
from components.contract.strict_yaml import DVC_LOCK, YamlMistake, parse
from components.lib.objects.content import FOLDER, content_key, folder_files
from components.lib.objects.protocol import ObjectStore, get_many
from components.lib.objects.sealed import unseal
from components.lib.operations.removals import read_intents


class References:
    """Names of the data that trainings need; what cannot have changed is read once.

    Args:
        objects: Store of the records.
        remote: DVC's remote.
    """

    def __init__(self, objects: ObjectStore, remote: ObjectStore) -> None:
        self._objects = objects
        self._remote = remote
        self._settled: dict[str, frozenset[str]] = {}
        self._by_object: dict[str, frozenset[str]] = {}
        self._by_folder: dict[str, frozenset[str]] = {}

    def of(self, key: str, *, settled: bool) -> frozenset[str]:
        """Return the MD5 of all that the records of a training name.

        Args:
            key: Key of the training.
            settled: True if it has succeeded: its records are complete, and its intents of no concern.

        Raises:
            BadDataError: If a record is damaged: the data that it names are unknown then.
        """
        if settled and key in self._settled:
            return self._settled[key]
        objects = self._objects
        listed = [info.key for info in objects.list(stage_records_prefix(key))]
        new = [name for name in listed if name not in self._by_object]
        for name, content in zip(new, get_many(objects, new), strict=True):
            entry = unseal(content, name=f"{objects.uri}/{name}").get("lock")
            if not isinstance(entry, dict):
                raise _unreadable(f"{objects.uri}/{name}", "it has no lock entry")
            self._by_object[name] = self.of_entries([entry])
        found = {md5 for name in listed for md5 in self._by_object[name]}
        if settled:
            found |= self._of_lock(key)
            self._settled[key] = frozenset(found)
        else:
            intents = read_intents(objects, key, self._by_object)
            self._by_object |= {name: frozenset(names) for name, names in intents.items()}
            prefix = intents_prefix(key)
            found.update(*(names for name, names in self._by_object.items() if name.startswith(prefix)))
        return frozenset(found)

    def of_entries(self, entries: Iterable[Mapping[str, Any]], *, pushed: bool = True) -> frozenset[str]:
        """Return the MD5 of all content that lock entries name, the files of folders included.

        A dependency may be code, which is in no remote; an output was pushed before its record was written.

        Args:
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
        for md5 in sorted(md5 for md5 in found if md5.endswith(FOLDER)):
            found |= self.of_folder(md5, required=pushed and md5 in outputs)
        return frozenset(found)

    def of_folder(self, md5: str, *, required: bool) -> frozenset[str]:
        """Return the MD5 of the files of a folder.

        Args:
            md5: Hash of the folder.
            required: True if its list must be in the remote; a missing one has no files otherwise.

        Raises:
            BadDataError: If the list is damaged, or missing though it is required.
        """
        if md5 not in self._by_folder:
            name = f"{self._remote.uri}/{content_key(md5)}"
            try:
                self._by_folder[md5] = frozenset(folder_files(self._remote, md5).values())
            except MissingInputError as error:
                if required:
                    raise _unreadable(name, "it is missing") from error
                return frozenset()
            except BadDataError as error:
                raise _unreadable(name, "it is no list of files") from error
        return self._by_folder[md5]

    def _of_lock(self, key: str) -> frozenset[str]:
        merged = lock_key(key)
        if not self._objects.exists(merged):
            return frozenset()
        return self.of_entries(stages_of(self._objects.get(merged), f"{self._objects.uri}/{merged}"))


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


def is_named(run_cache_entry: bytes, hashes: Set[str]) -> bool:
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


def _unreadable(name: str, why: str) -> BadDataError:
    return BadDataError(
        f"{name}: {why}, so what it names cannot be told from what nobody needs",
        next_step="restore the object from a backup or an older version; until then no data are removed",
    )
