"""Validation of STAC objects without a network: core schemas come with pystac, the others from a folder.

``STORMSIGHT_STAC_SCHEMAS`` names a folder of the schemas that are published at
``https://stac-extensions.github.io/<extension>/<version>/schema.json``, named ``<extension>-<version>.json``,
and ``projjson-v0.7.json``. Without it, each field is held against the extensions that its object declares.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry
from referencing.jsonschema import DRAFT7

CORE = "https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{kind}.json"
KINDS = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}

EXTENSION = "https://stac-extensions.github.io/{name}/"
PREFIXES = {"proj": "projection"}
"""Extension of a field's prefix, where the two differ."""

OWN = "stormsight"
"""Prefix of this project's own fields, which no extension declares."""


def validate(item: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an item, collection or catalogue; empty if nothing is."""
    plain = json.loads(json.dumps(item, allow_nan=False))
    kind = KINDS.get(plain.get("type", ""))
    if kind is None:
        return [f"type {plain.get('type')!r} is none of {', '.join(KINDS)}"]
    problems = _undeclared(plain)
    for uri in (CORE.format(kind=kind), *plain.get("stac_extensions", [])):
        if uri in _schemas():
            found = Draft7Validator(_schemas()[uri], registry=_registry()).iter_errors(plain)
            problems += [f"{uri}: {_deepest(error)}" for error in found]
        elif _folder() is not None or uri == CORE.format(kind=kind):
            problems.append(f"{uri}: no schema of it")
    return problems


def _undeclared(document: Mapping[str, Any]) -> list[str]:
    """Return the fields whose prefix belongs to no extension that the object declares."""
    declared = document.get("stac_extensions", [])
    names = {field.partition(":")[0] for field in _fields(document) if ":" in field} - {OWN}
    extensions = {name: EXTENSION.format(name=PREFIXES.get(name, name)) for name in names}
    return [
        f"fields {name}:... belong to {uri}, which is not declared"
        for name, uri in sorted(extensions.items())
        if not any(one.startswith(uri) for one in declared)
    ]


def _fields(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the fields of an item's properties and of its assets."""
    yield from document.get("properties", {})
    for asset in document.get("assets", {}).values():
        yield from asset


def _deepest(error: Any) -> str:
    """Return the message of the error that lies deepest, which names the field."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def _folder() -> Path | None:
    named = os.environ.get("STORMSIGHT_STAC_SCHEMAS")
    return None if named is None else Path(named)


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    found = dict(get_local_schema_cache())
    folder = _folder()
    for path in sorted(folder.glob("*.json")) if folder else []:
        name, _, version = path.stem.rpartition("-")
        uri = f"{EXTENSION.format(name=name)}{version}/schema.json"
        if name == "projjson":
            uri = f"https://proj.org/schemas/{version}/projjson.schema.json"
        found[uri] = json.loads(path.read_text())
    return found


@cache
def _registry() -> Registry[Any]:
    resources = [(uri, DRAFT7.create_resource(s)) for uri, s in _schemas().items()]
    return Registry[Any]().with_resources(resources)
