"""Identity of code, parameters and data: one definition for caches, training keys, records and tags.

All of it is read off ``dvc.yaml``: the code of a stage is what lies below the ``components/...`` paths of its
``deps``, its parameters are the keys that its ``params`` name. The identity of the pipeline is that of the
stages that decide about a model: the gate and all it reads from, directly or not. So what only shows results
(a report, a dashboard), and what no stage depends on (documents, services), starts no training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import components
from components.contract.errors import ParameterError
from components.contract.graph.load import load_graph, load_stage
from components.contract.graph.model import Graph, Stage
from components.contract.hashing import files_below, sha256_files, sha256_folder, sha256_json
from components.contract.parameters import GRAPH, PARAMS_FILE, PARAMS_LOCK, read_sections, value_at
from components.contract.partitions import PARTITION_HASHES, graph_values, partition_hashes
from components.contract.work import GATE

ROOT = Path(next(iter(components.__path__))).parent
"""Folder that holds ``components`` and ``dvc.yaml``: the repository's root, ``/app`` in an image."""

IDENTITY = "STORMSIGHT_IDENTITY"
"""Environment variable with the identity that a run was planned with, as JSON: what its stages record."""

NO_RESULT = frozenset({"tracking"})
"""Sections that stages depend on and that change no result: where MLflow moved, the gate registers anew,
and nothing is trained for it."""

_CODE, _PROFILES = "components/", "profiles."


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """SHA-256 of the code and of the parameters that the results of a pipeline depend on."""

    code: str
    params: str

    def as_tags(self) -> dict[str, str]:
        """Return the tags that a run of experiment tracking carries."""
        return {"code_sha256": self.code, "params_sha256": self.params}

    def as_variable(self) -> dict[str, str]:
        """Return the environment variable that hands this identity to the stages of a run."""
        return {IDENTITY: json.dumps(asdict(self), sort_keys=True)}


def pipeline_identity(
    root: Path = ROOT, params: Path = PARAMS_FILE, environment: Mapping[str, str] = os.environ
) -> Identity:
    """Return the identity that results made here carry.

    In a run it is the one that the run was planned with: its workspace differs from the planned pipeline by
    the registered acquisitions, which a training key names apart.

    Args:
        root: Folder of ``components`` and ``dvc.yaml``.
        params: The parameter file.
        environment: Looked up for ``STORMSIGHT_IDENTITY``.

    Raises:
        ParameterError: If a file is missing or malformed.
    """
    planned = environment.get(IDENTITY)
    if planned:
        return _planned(planned)
    graph = load_graph(root / "dvc.yaml", params)
    return Identity(code=code_hash(root, graph), params=params_hash(params, graph, root))


def code_hash(root: Path, graph: Graph) -> str:
    """Return the SHA-256 of the code that decides: commands, outputs, and the files the stages depend on.

    Images, resources and descriptions (``meta``, ``desc``) change no result and are left out.

    Args:
        root: Folder of ``components``.
        graph: The stages.
    """
    decisive = _decisive(graph)
    stages = {
        stage.address: {
            "cmd": stage.cmd,
            "deps": sorted(stage.deps),
            "outs": sorted(stage.outs),
            "params": sorted(key.key for key in stage.params if not key.key.startswith(_PROFILES)),
        }
        for stage in decisive
    }
    return sha256_json({"stages": stages, "files": sha256_files(_code_files(root, decisive), root)})


def stage_code_hash(address: str, root: Path = ROOT) -> str:
    """Return the SHA-256 of the code that one stage depends on, by names and contents of its files.

    Args:
        address: ``prepare``, ``distill@disoptnet``, ...; the key of a loop may be one that ``params.yaml``
            does not list.
        root: Folder of ``components``, ``dvc.yaml`` and ``params.yaml``.

    Raises:
        ParameterError: If there is no such stage.
    """
    stage = load_stage(root / "dvc.yaml", root / "params.yaml", address)
    return sha256_files(_code_files(root, [stage]), root)


def params_hash(params: Path, graph: Graph, root: Path = ROOT) -> str:
    """Return the SHA-256 of all parameters that a deciding stage names, the active profile laid over them.

    Args:
        params: The parameter file.
        graph: The stages.
        root: Folder of ``components``, whose catalogue entries the partitions' hashes are of.

    Raises:
        ParameterError: If a stage names a parameter that the file does not have.
    """
    return _hash_of_parameters(params, _decisive(graph), root)


def stage_params_hash(address: str, params: Path, root: Path = ROOT) -> str:
    """Return the SHA-256 of the parameters that one stage names, the active profile laid over them.

    Args:
        address: As for :func:`stage_code_hash`.
        params: The parameter file.
        root: Folder of ``dvc.yaml``.

    Raises:
        ParameterError: If there is no such stage, or the file lacks one of its parameters.
    """
    return _hash_of_parameters(params, [load_stage(root / "dvc.yaml", params, address)], root)


def data_hash(store: Path) -> str:
    """Return the SHA-256 of a prepared store, ``data/prepared``: names and contents of all its files."""
    return sha256_folder(store)


def training_key(acquisitions: Mapping[str, str], code: str, params: str) -> str:
    """Return the SHA-256 over the acquisition set, the code and the parameters.

    Args:
        acquisitions: SHA-256 of the catalogue entry by acquisition, in any order.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters that change results.
    """
    return sha256_json({"acquisitions": dict(acquisitions), "code": code, "params": params})


def _decisive(graph: Graph) -> list[Stage]:
    """Return the gates and all that they read from; every stage of a pipeline without a gate."""
    pending = [stage.address for stage in graph if stage.requirements.retry == GATE]
    found: set[str] = set()
    while pending:
        address = pending.pop()
        found.add(address)
        pending += set(graph.upstream(address)) - found
    return [stage for stage in graph if stage.address in found or not found]


def _code_files(root: Path, stages: Iterable[Stage]) -> list[Path]:
    """List the files below the code dependencies of ``stages``.

    Raises:
        ParameterError: If a dependency does not exist.
    """
    files: list[Path] = []
    for dependency in sorted({dep for stage in stages for dep in stage.deps if dep.startswith(_CODE)}):
        if not (root / dependency).exists():
            raise ParameterError(
                f"dvc.yaml: dependency {dependency} does not exist in {root}",
                next_step="correct deps: in dvc.yaml",
            )
        files += files_below(root / dependency)
    return files


def lock_values(sections: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the values that ``params.lock`` has for these sections, whether the file is true or not.

    Args:
        sections: Sections of ``params.yaml``, with the active profile laid over them.
        root: Folder of ``components``.
    """
    return {GRAPH: graph_values(sections), PARTITION_HASHES: partition_hashes(sections, root)}


def _hash_of_parameters(params: Path, stages: Iterable[Stage], root: Path) -> str:
    sections = read_sections(params)
    named = {parameter for stage in stages for parameter in stage.params}
    locked = {parameter.key for parameter in named if parameter.path == PARAMS_LOCK}
    keys = {parameter.key for parameter in named} - locked
    kept = {key for key in keys if not key.startswith(_PROFILES) and key.partition(".")[0] not in NO_RESULT}
    values = {key: value_at(sections, key, params) for key in sorted(kept)}
    if locked:
        found = lock_values(sections, root)
        values |= {key: value_at(found, key, params) for key in sorted(locked)}
    return sha256_json(values)


def _planned(text: str) -> Identity:
    """Return the identity in ``STORMSIGHT_IDENTITY``.

    Raises:
        ParameterError: If the variable holds something else.
    """
    try:
        identity = Identity(**json.loads(text))
        if not isinstance(identity.code, str) or not isinstance(identity.params, str):
            raise TypeError("code and params are texts")
        return identity
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"{IDENTITY} holds no identity: {error}",
            next_step=f"unset {IDENTITY}: only the runner of stages sets it",
        ) from error
