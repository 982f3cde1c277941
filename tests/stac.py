"""Validation of STAC objects against the published schemas, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry
from referencing.jsonschema import DRAFT7

FOLDER = Path(__file__).parent / "data" / "stac_schemas"
CORE = "https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{kind}.json"
KINDS = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}


def validate(item: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an item, collection or catalogue; empty if nothing is.

    An extension whose schema is not in ``tests/data/stac_schemas`` counts as wrong.
    """
    plain = json.loads(json.dumps(item, allow_nan=False))
    kind = KINDS.get(plain.get("type", ""))
    if kind is None:
        return [f"type {plain.get('type')!r} is none of {', '.join(KINDS)}"]
    problems = []
    for uri in (CORE.format(kind=kind), *plain.get("stac_extensions", [])):
        if uri not in _schemas():
            problems.append(f"{uri}: no schema of it in {FOLDER.name}")
            continue
        found = Draft7Validator(_schemas()[uri], registry=_registry()).iter_errors(plain)
        problems += [f"{uri}: {_deepest(error)}" for error in found]
    return problems


def _deepest(error: Any) -> str:
    """Return the message of the error that lies deepest, which names the field."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    found = dict(get_local_schema_cache())
    for path in FOLDER.glob("*.json"):
        name, _, version = path.stem.rpartition("-")
        uri = f"https://stac-extensions.github.io/{name}/{version}/schema.json"
        if name == "projjson":
            uri = f"https://proj.org/schemas/{version}/projjson.schema.json"
        found[uri] = json.loads(path.read_text())
    return found


@cache
def _registry() -> Registry[Any]:
    resources = [(uri, DRAFT7.create_resource(s)) for uri, s in _schemas().items()]
    return Registry[Any]().with_resources(resources)
