"""Records that carry the SHA-256 of their own content: damage is seen when they are read.

A seal shows damage and mix-ups, not tampering by someone who can write to the store. Whatever was sealed is
therefore also checked against the type that its reader expects (:func:`parse_sealed`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from components.contract.errors import BadDataError
from components.contract.hashing import SEAL, seal, sha256_json
from components.lib.objects.protocol import ObjectStore

T = TypeVar("T")


def unseal(content: bytes, *, name: str = "a sealed record") -> dict[str, Any]:
    """Return the record without its seal.

    Args:
        content: Output of :func:`~components.contract.hashing.seal`.
        name: Name of the record in messages.

    Raises:
        BadDataError: If it is no sealed record, or damaged.
    """
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "it is no JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get(SEAL), str):
        raise _damaged(name, "it has no seal")
    stated = record.pop(SEAL)
    try:
        intact = sha256_json(record) == stated
    except (ValueError, RecursionError):  # NaN, or nested too deeply: never written by seal
        intact = False
    if not intact:
        raise _damaged(name, "its content is not what was sealed")
    return record


def parse_sealed(content: bytes, kind: type[T], *, name: str) -> T:
    """Return a sealed record as a ``kind``.

    Args:
        content: Output of :func:`~components.contract.hashing.seal`.
        kind: Dataclass or pydantic model of the record's fields.
        name: Name of the record in messages.

    Raises:
        BadDataError: If it is no sealed record, is damaged, or its fields are not those of ``kind``.
    """
    return checked(unseal(content, name=name), kind, name=name)


def checked(record: object, kind: type[T], *, name: str) -> T:
    """Return JSON values as a ``kind``; see :func:`parse_sealed`.

    Raises:
        BadDataError: If they are not its fields.
    """
    try:
        found: T = _adapter(kind).validate_python(record)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise BadDataError(
            f"{name} does not hold the fields that it should: {wrong[:500]}",
            next_step="another version of the code or something else wrote it: restore the object from a "
            "backup, or remove it and make it anew",
        ) from error
    return found


def read_sealed(store: ObjectStore, key: str, kind: type[T]) -> T:
    """Read and verify a sealed object as a ``kind``; see :func:`parse_sealed`.

    Raises:
        MissingInputError: If there is none.
        BadDataError: If it is damaged, or another record.
    """
    return parse_sealed(store.get(key), kind, name=f"{store.uri}/{key}")


def create_sealed(store: ObjectStore, key: str, record: Mapping[str, Any]) -> bool:
    """Seal ``record`` and write it unless the object exists; see :meth:`ObjectStore.create`."""
    return store.create(key, seal(record))


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
"""Validator of a type, made once: making it costs more than using it."""


def _damaged(name: str, why: str) -> BadDataError:
    return BadDataError(
        f"{name} is damaged: {why}",
        next_step="find out who wrote to the object store; restore the object from a backup or make it anew",
    )
