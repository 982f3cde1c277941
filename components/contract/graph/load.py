"""Read ``dvc.yaml`` and its parameters into a :class:`Graph`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.contract.documents import nearest, read_yaml, refuse_unknown, require_mapping
from components.contract.errors import ParameterError
from components.contract.graph.interpolation import Values, loop_items, matrix_items, resolve
from components.contract.graph.model import Graph, Parameter, Stage, normalise
from components.contract.parameters import GRAPH, PARAMS_LOCK
from components.contract.parameters import resolve as with_profile
from components.contract.partitions import graph_values
from components.contract.work import Requirements

STAGE_KEYS = (
    "cmd", "wdir", "deps", "params", "vars", "outs", "metrics", "plots",
    "frozen", "meta", "desc", "always_changed", "matrix",
)  # fmt: skip
TOP_KEYS = ("stages", "vars", "params", "metrics", "plots", "artifacts", "datasets")
OUT_OPTIONS = ("cache", "persist", "remote", "push", "desc", "type", "labels", "meta", "checkpoint")
PLOT_OPTIONS = (*OUT_OPTIONS, "template", "x", "y", "x_label", "y_label", "title", "header")

LOCAL = "local"
"""Key of ``meta``: the stage prepares a checkout for ``dvc repro``, and is no part of the graph elsewhere."""

Options = Mapping[str, Any]


def load_graph(dvc_yaml: Path, params_yaml: Path, profile: str | None = None) -> Graph:
    """Return the graph that ``dvc repro`` would run under a profile, local stages left out.

    Args:
        dvc_yaml: The pipeline file.
        params_yaml: The parameters that its expressions name.
        profile: Replaces ``profile`` of ``params_yaml``, as a deployment does; null leaves it.

    Raises:
        ParameterError: If a file is missing or malformed, or a stage has an unknown key, an unresolved
            expression, no ``meta``, an overlapping output, or waits for itself. The text names the stage.
    """
    definitions, values = _read(dvc_yaml, params_yaml, profile)
    stages: list[Stage] = []
    for name, definition in definitions.items():
        stages += _stages(str(name), definition, values, dvc_yaml.parent)
    return Graph(tuple(stages))


def load_stage(dvc_yaml: Path, params_yaml: Path, address: str) -> Stage:
    """Load one stage of the graph; the key of a ``foreach`` over a list may be one that the list lacks.

    Args:
        dvc_yaml: The pipeline file.
        params_yaml: The parameters that its expressions name.
        address: ``prepare``, ``distill@disoptnet``, ...

    Raises:
        ParameterError: If there is no such stage, or as :func:`load_graph`.
    """
    definitions, values = _read(dvc_yaml, params_yaml, None)
    name, _, key = address.partition("@")
    definition = definitions.get(name)
    if isinstance(definition, Mapping) and key and "do" in definition:
        return _stage(address, definition["do"], {**values, "item": key}, dvc_yaml.parent)
    if definition is None or key:
        raise ParameterError(
            f"{dvc_yaml} has no stage {address!r}{nearest(name, definitions)}",
            next_step=f"use one of {', '.join(map(str, definitions))}",
        )
    return _stage(name, definition, values, dvc_yaml.parent)


def _read(dvc_yaml: Path, params_yaml: Path, profile: str | None) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Read the stages' definitions, and the values that their expressions name."""
    document = read_yaml(dvc_yaml, plain=False)
    refuse_unknown(document, TOP_KEYS, dvc_yaml.name)
    values = dict(read_yaml(params_yaml)) if params_yaml.is_file() else {}
    if profile is not None:
        values["profile"] = profile
    entries = list(document.get("vars") or [])
    if PARAMS_LOCK in entries:
        # Not from the file, which holds the values of another profile than a deployment may set.
        sections = with_profile(values, str(params_yaml))
        entries[entries.index(PARAMS_LOCK)] = {GRAPH: graph_values(sections)}
    values = _with_vars(values, entries, dvc_yaml.parent, dvc_yaml.name)
    stages = require_mapping(document.get("stages") or {}, f"{dvc_yaml.name}: stages")
    return {name: stage for name, stage in stages.items() if not _is_local(stage)}, values


def _is_local(definition: object) -> bool:
    """Return True for a stage of this checkout's files alone (``meta: {local: true}``): no run has it."""
    meta = definition.get("meta") if isinstance(definition, Mapping) else None
    return isinstance(meta, Mapping) and meta.get(LOCAL) is True


def _stages(name: str, definition: Any, values: Values, folder: Path) -> Iterator[Stage]:  # noqa: ANN401
    where = f"stage {name!r}"
    if not isinstance(definition, Mapping):
        raise ParameterError(f"{where}: must be a mapping", next_step=f"write cmd: and deps: below {name}:")
    if "foreach" in definition or "do" in definition:
        refuse_unknown(definition, ("foreach", "do"), where)
        template, turns = definition["do"], loop_items(definition["foreach"], values, f"{where} foreach")
    elif "matrix" in definition:
        template = {key: value for key, value in definition.items() if key != "matrix"}
        turns = matrix_items(definition["matrix"], values, f"{where} matrix")
    else:
        yield _stage(name, definition, values, folder)
        return
    for key, added in turns.items():
        yield _stage(f"{name}@{key}", template, {**values, **added}, folder)


def _stage(address: str, definition: Options, values: Values, folder: Path) -> Stage:
    where = f"stage {address!r}"
    refuse_unknown(definition, STAGE_KEYS, where)
    if "cmd" not in definition:
        raise ParameterError(f"{where}: has no cmd", next_step="add cmd: to the stage in dvc.yaml")
    wdir = str(resolve(definition.get("wdir") or "", values, f"{where} wdir"))
    values = _with_vars(values, definition.get("vars", []), folder / wdir, where)
    resolved = {
        key: resolve(value, values, f"{where} {key}", command=key == "cmd")
        for key, value in definition.items()
        if key != "vars"
    }
    command = resolved["cmd"]
    outs = [
        normalise(path, wdir)
        for kind in ("outs", "metrics", "plots")
        for path in _paths(resolved.get(kind) or [], PLOT_OPTIONS if kind == "plots" else OUT_OPTIONS, where)
    ]
    return Stage(
        address=address,
        cmd=tuple(command) if isinstance(command, list) else (command,),
        deps=tuple(normalise(path, wdir) for path in resolved.get("deps") or []),
        outs=tuple(outs),
        params=tuple(_parameters(resolved.get("params") or [], wdir)),
        desc=str(resolved.get("desc", "")),
        requirements=Requirements.from_meta(resolved.get("meta"), where),
    )


def _paths(entries: list[Any], options: tuple[str, ...], where: str) -> Iterator[str]:
    """Paths of ``outs``, ``metrics`` or ``plots``, each written plain or with options."""
    for entry in entries:
        if isinstance(entry, Mapping):
            for path, given in entry.items():
                for block in given if isinstance(given, list) else [given or {}]:
                    refuse_unknown(block, options, f"{where} {path}")
                yield str(path)
        else:
            yield str(entry)


def _parameters(entries: list[Any], wdir: str) -> Iterator[Parameter]:
    """Parameters of ``params``: a key of ``params.yaml``, or a file with its keys (none: the whole file)."""
    for entry in entries:
        files = entry if isinstance(entry, Mapping) else {"params.yaml": [entry]}
        for path, keys in files.items():
            for key in keys or [""]:
                yield Parameter(normalise(str(path), wdir), str(key))


def _with_vars(values: Values, entries: list[Any], folder: Path, where: str) -> dict[str, Any]:
    """Merge ``values`` and the entries of ``vars``: mappings, files, or ``file:key,key``."""
    merged = dict(values)
    for entry in entries:
        if isinstance(entry, Mapping):
            merged = _merge(merged, entry)
            continue
        path, _, keys = str(entry).partition(":")
        loaded = read_yaml(folder / path, plain=False)
        for key in filter(None, keys.split(",")):
            if key not in loaded:
                raise ParameterError(
                    f"{where} vars: {path} has no key {key!r}{nearest(key, loaded)}",
                    next_step="correct vars: in dvc.yaml",
                )
        merged = _merge(merged, {k: loaded[k] for k in keys.split(",")} if keys else loaded)
    return merged


def _merge(into: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(into)
    for key, value in update.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old or {}, value) if nested else value
    return merged
