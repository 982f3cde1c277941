"""Workspace of one stage: the pipeline's files, and DVC configured with its remote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.contract.errors import ParameterError, ResourceError
from components.contract.graph.lock import graph_keys, render_lock
from components.contract.hashing import sha256_file
from components.contract.keys import CHECKED, CHECKED_TEXT, LOCK
from components.contract.parameters import PARAMS_LOCK, read_sections
from components.contract.partitions import CATALOGUE, PARTITIONS, acquisitions_of, partition_names
from components.contract.strict_yaml import dump
from components.contract.temporary import make_owned, remove_left
from components.lib.files import write_text
from components.lib.objects.protocol import map_many
from components.lib.operations.parameters import identity_of, write_for_run
from components.lib.operations.plan import Acquisition, RunPlan
from components.runs.environment import Environment

EVIDENCE = ".assets/evidence/evidence.json"
"""Committed file that the report reads: the spread between repeated trainings."""

STATE = ".stormsight"
"""Folder of a workspace for files that these commands exchange."""

_REMOTE = "stormsight"

PREFIX = "stormsight-workspace-"
"""Beginning of the names of workspaces; nothing else in their folder is ever removed."""


def require_planned_code(source: Path, plan: RunPlan) -> None:
    """Refuse to run stages of one training with different code, as a deployment amid a run would.

    Args:
        source: The pipeline here.
        plan: The run's plan.

    Raises:
        ParameterError: If this is other code.
    """
    found = identity_of(source, plan.profile).code
    if found != plan.code:
        raise ParameterError(
            f"{source} holds other code ({found[:12]}) than run {plan.run} was planned with "
            f"({plan.code[:12]})",
            next_step="let the images of one run hold one version; a new run plans with the new code",
        )


@contextmanager
def workspace(
    environment: Environment,
    *,
    stage: str | None,
    profile: str | None,
    acquisitions: Sequence[Acquisition],
    lock: Mapping[str, Any],
) -> Iterator[Path]:
    """Yield a new folder for one stage; it is removed at the end, whatever happens.

    Args:
        environment: Settings of the command.
        stage: Address of the stage; None where none is run.
        profile: Profile of params.yaml.
        acquisitions: Registered acquisitions, laid beside the committed ones and listed in params.yaml; the
            catalogue entries of those that the stage reads are fetched.
        lock: dvc.lock's entries of finished stages.

    Raises:
        ParameterError: If an id is in the committed catalogue, with another entry.
        MissingInputError: If an entry is gone.
        BadDataError: If an entry is not the one that was registered.
        ResourceError: If the workspace cannot be written.
    """
    hashes = {acquisition.id: acquisition.sha256 for acquisition in acquisitions}
    with _owned_folder(environment.workspaces, (stage or "finish").replace("@", "-")) as folder:
        _copy_pipeline(environment.source, folder)
        write_for_run(environment.source / "params.yaml", folder / "params.yaml", profile, sorted(hashes))
        _lay_out_catalogue(environment, folder, acquisitions, stage)
        _write_checked(folder, hashes)
        _configure_dvc(folder, environment.remote)
        write_lock(folder, lock)
        yield folder


@contextmanager
def _owned_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield a new folder, locked until this process ends; remove those of processes that have ended."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder, held = make_owned(parent, PREFIX, name)
        (folder / STATE).mkdir()
    except OSError as error:
        raise ResourceError(
            f"no workspace can be made in {parent}: {error.strerror}",
            next_step="point STORMSIGHT_WORKSPACE at a folder that can be written (a pod's scratch volume)",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
        # A worker may outlive its killed parent by a moment, and write into what was removed at the start.
        remove_left(parent, PREFIX)


def write_lock(folder: Path, entries: Mapping[str, Any]) -> None:
    """Write dvc.lock with ``entries`` by stage; no file without any."""
    if entries:
        document = {"schema": "2.0", "stages": dict(entries)}
        write_text(folder / LOCK, dump(document))


def _copy_pipeline(source: Path, folder: Path) -> None:
    # Byte code travels along: without it every stage would compile all modules anew.
    shutil.copytree(source / "components", folder / "components")
    for name in ("dvc.yaml", ".dvcignore", ".dvc/config", EVIDENCE):
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)


def _lay_out_catalogue(
    environment: Environment, folder: Path, acquisitions: Sequence[Acquisition], stage: str | None
) -> None:
    """Write the entries that the stage reads; of the others a file without content, since they are listed."""
    (folder / CATALOGUE).mkdir(parents=True, exist_ok=True)
    new: dict[Acquisition, Path] = {}
    for acquisition in acquisitions:
        path = folder / CATALOGUE / f"{acquisition.id}.yaml"
        if not path.exists():
            path.touch()
            new[acquisition] = path
        elif sha256_file(path) != acquisition.sha256:
            raise ParameterError(
                f"acquisition {acquisition.id} is registered, and the code has another entry of that id",
                next_step=f"withdraw it (`python -m components.acquisitions withdraw {acquisition.id} "
                "--reason ...`) and land it under another id",
            )
    objects, read = environment.objects, set(_read_by(stage, folder, [one.id for one in new]))
    wanted = [acquisition for acquisition in new if acquisition.id in read]
    entries = map_many(objects, lambda acquisition: acquisition.entry(objects), wanted)
    for acquisition, entry in zip(wanted, entries, strict=True):
        new[acquisition].write_bytes(entry)  # JSON, which is YAML too


def _read_by(stage: str | None, folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Return the acquisitions whose entries a stage may read: those of its partition, or all without any."""
    if stage is None:
        return []
    if PARTITIONS not in graph_keys(folder / "dvc.yaml"):
        return names
    partitions, partition = partition_names(read_sections(folder / "params.yaml")), stage.partition("@")[2]
    return acquisitions_of(partition, names, partitions) if partition in partitions else []


def _write_checked(folder: Path, registered: Mapping[str, str]) -> None:
    """Write what the local stage `check` keeps true in a checkout, for this workspace's profile."""
    if graph_keys(folder / "dvc.yaml"):
        write_text(folder / PARAMS_LOCK, render_lock(folder / "dvc.yaml", folder / "params.yaml", registered))
    write_text(folder / CHECKED, CHECKED_TEXT)


def _configure_dvc(folder: Path, remote: str) -> None:
    """Write DVC's local settings, which win over the committed ones; S3 is set up by the environment."""
    (folder / ".dvc").mkdir(exist_ok=True)
    write_text(
        folder / ".dvc" / "config.local",
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
        f"    site_cache_dir = {folder / '.dvc' / 'site'}\n"
        f"    remote = {_REMOTE}\n['remote \"{_REMOTE}\"']\n    url = {remote}\n",
    )
