"""One stage of a DVC pipeline in a workspace that holds none of its data.

Facts about DVC 3.67 that decide what is done here:

- ``pull`` takes outputs and stage names only. A dependency such as ``models/sar``, which holds the outputs of
  several stages, is refused, by ``repro --pull`` too: the outputs below it are pulled one by one.
- ``repro --single-item`` compares nothing but the stage's own dependencies, so that the lock entries of the
  stages directly before it are all it needs, and it writes the entry that a whole ``repro`` writes.
- ``repro --pull`` first copies the whole run cache, entry by entry. It grows with every run; only the entry
  of this stage's inputs is fetched here.
- ``--allow-missing`` takes a stage whose dependencies are absent for unchanged, even one without a lock
  entry: here every stage would be skipped.
- ``push --run-cache`` sends the run cache before the data. Killed in between, it leaves an entry without
  data: here the data go first.
- A restored stage's outputs may be pruned from the remote: ``restore`` reports that as a miss, and it runs.
- ``push`` takes a folder whose list is in the remote for complete, and does not look for its files. So what
  is pushed is made reachable first (``before_push``), and housekeeping removes lists before files.
- The command's exit code is only in the text of the error.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dvc.exceptions import DvcException, ReproductionError
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError, _get_stage_hash
from dvc.stage.exceptions import StageCmdFailedError

from components.contract.documents import read_yaml
from components.contract.errors import (
    MissingInputError,
    ParameterError,
    ResourceError,
    SourceUnavailableError,
    StormsightError,
    first_line,
)
from components.contract.graph.load import LOCAL
from components.contract.keys import LOCK, is_decision
from components.contract.strict_yaml import DVC_LOCK
from components.contract.work import GATE
from components.lib.objects.content import FOLDER, folder_files
from components.lib.objects.folder import FolderObjects

LOG = logging.getLogger(__name__)

PUSHES = 4
PAUSE_S = 2.0

_STATUS = re.compile(r"exited with (-?\d+)$")


class CommandError(Exception):
    """Failure of the stage's command.

    Args:
        exit_code: Exit code as shells give it: 128 and the number of the signal that killed it.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class StageResult:
    """Result of a stage.

    Attributes:
        restored: Whether the run cache had its results: the command did not run.
        metrics: Content of the stage's JSON metrics, and of the gate's decision, by path.
        seconds: Duration by step: pull, run, push.
    """

    restored: bool
    metrics: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)


def quiet_dvc() -> None:
    """Remove DVC's own log handlers: with ours every line would come twice."""
    logging.getLogger("dvc").handlers.clear()
    logging.getLogger("dvc.dvcfile").setLevel(logging.WARNING)


def addresses(repo: Repo) -> list[str]:
    """Return the addresses of a run's stages, each behind those it depends on, in ``dvc repro``'s order."""
    from dvc.repo.reproduce import plan_repro  # noqa: PLC0415

    return [str(stage.name) for stage in plan_repro(repo.index.graph) if not is_local(stage)]


def is_local(stage: Any) -> bool:  # noqa: ANN401 - DVC has no types
    """Return True for a stage that prepares a checkout alone: a workspace comes prepared."""
    return bool((stage.meta or {}).get(LOCAL))


def find_stage(repo: Repo, address: str) -> Any:  # noqa: ANN401 - DVC has no types
    """Return the stage of that address.

    Raises:
        ParameterError: If there is none.
    """
    # Not `addressing`: that depends on the working folder.
    stages = {str(stage.name): stage for stage in repo.index.stages}
    if address not in stages:
        raise ParameterError(
            f"dvc.yaml has no stage {address!r}", next_step=f"use one of {', '.join(sorted(stages))}"
        )
    return stages[address]


def merged_lock(workspace: Path) -> tuple[list[str], str]:
    """Return all addresses, in DVC's order, and the text of dvc.lock.

    DVC reads the entries of ``workspace``'s dvc.lock and writes them anew, in its own order and form, so that
    the file equals the one of ``dvc repro`` byte for byte.
    """
    quiet_dvc()
    lock = workspace / LOCK
    with Repo(str(workspace)) as repo:
        names = addresses(repo)
        stages = [find_stage(repo, name) for name in names]
        known = [stage for stage in stages if all(output.hash_info for output in stage.outs)]
        lock.unlink(missing_ok=True)
        for stage in known:
            stage.dump(update_pipeline=False)
    return names, lock.read_text(encoding="utf-8") if lock.exists() else ""


def reproduce(
    repo: Repo,
    address: str,
    *,
    on_phase: Callable[[str], None],
    before_push: Callable[[Set[str]], None] = lambda _: None,
) -> StageResult:
    """Pull what the stage needs, run it or restore it, and push what it made.

    Args:
        repo: The workspace's; DVC wants it to be the working folder.
        address: ``prepare``, ``distill@disoptnet``, ...
        on_phase: Called with ``pull``, ``run``, ``push`` as each begins.
        before_push: Called with :func:`output_hashes` before the push looks which of them the remote has.

    Raises:
        CommandError: If the command failed.
        MissingInputError: If a stage before it left no lock entry, or its data are gone.
        SourceUnavailableError: If the remote does not answer.
        ResourceError: If the disk is full.
        ParameterError: If there is no such stage.
    """
    watch = _Stopwatch(on_phase)
    stage = find_stage(repo, address)
    gate = (stage.meta or {}).get("retry") == GATE
    watch.begin("pull")
    pull_dependencies(repo, stage)
    restored = not gate and _restore(repo, stage)
    watch.begin("run")
    _run(repo, stage, force=gate)
    watch.begin("push")
    before_push(output_hashes(repo, address))
    _push(repo, address, run_cache=not gate)
    watch.end()
    return StageResult(restored=restored, metrics=_metrics(stage), seconds=watch.seconds)


def output_hashes(repo: Repo, address: str) -> set[str]:
    """Return the MD5 of all that a finished stage made, the files of its folders included.

    They are those of dvc.lock and of the local cache, so a push need not have been made.
    """
    lock = read_yaml(Path(repo.root_dir) / LOCK, plain=False, limits=DVC_LOCK)["stages"]
    found = {out["md5"] for out in lock[address].get("outs", []) if "md5" in out}
    cache = FolderObjects(Path(repo.cache.local.path).parents[1])
    for md5 in [md5 for md5 in found if md5.endswith(FOLDER)]:
        with suppress(MissingInputError):  # of an output that DVC does not cache
            found.update(folder_files(cache, md5).values())
    return found


def upstream_outputs(repo: Repo, stage: Any) -> list[Any]:  # noqa: ANN401
    """Return outputs of other stages that overlap a dependency: equal, inside or around it."""
    dependencies = [PurePosixPath(dependency.def_path) for dependency in stage.deps]

    def needed(path: PurePosixPath) -> bool:
        return any(path.is_relative_to(d) or d.is_relative_to(path) for d in dependencies)

    return [
        output
        for other in repo.index.stages
        if other.name != stage.name and not is_local(other)
        for output in other.outs
        if needed(PurePosixPath(output.def_path))
    ]


def pull_dependencies(repo: Repo, stage: Any) -> None:  # noqa: ANN401
    """Bring what other stages made for ``stage`` into the workspace, and nothing else.

    Raises:
        MissingInputError, SourceUnavailableError, ResourceError: As :func:`reproduce`.
    """
    outputs = upstream_outputs(repo, stage)
    for output in outputs:
        if not output.hash_info:
            raise MissingInputError(
                f"{stage.name} needs {output.def_path}, and stage {output.stage.name} has left "
                "no record of it",
                next_step=f"run stage {output.stage.name} first",
            )
    if not outputs:
        return
    with _translated_errors("pull"):
        try:
            repo.pull(targets=[output.def_path for output in outputs])
        except DvcException:
            _require_in_remote(repo, stage, outputs)
            raise


def _require_in_remote(repo: Repo, stage: Any, outputs: list[Any]) -> None:  # noqa: ANN401
    """Distinguish data that are gone from a remote that does not answer; ``exists`` is False for both."""
    remote = repo.cloud.get_remote_odb()
    for output in outputs:
        try:
            remote.fs.info(remote.oid_to_path(output.hash_info.value))
        except FileNotFoundError as error:
            raise MissingInputError(
                f"{stage.name} needs {output.def_path}, and its data are gone from the remote",
                next_step="they were pruned: a changed code or parameter, or a new acquisition, makes them "
                "anew under a new key",
            ) from error


def _restore(repo: Repo, stage: Any) -> bool:  # noqa: ANN401
    """Take the stage's results from the run cache, if the remote holds those of equal inputs."""
    try:
        with _translated_errors("pull"):
            stage.save_deps()
            _fetch_run_cache_entry(repo, stage)
        with repo.lock:
            repo.stage_cache.restore(stage, pull=True)
    except RunCacheNotFoundError:
        return False
    except Exception as error:
        LOG.warning("%s: the run cache is of no use: %s", stage.name, first_line(error))
        return False
    return True


def _fetch_run_cache_entry(repo: Repo, stage: Any) -> None:  # noqa: ANN401
    """Copy the entries of the stage's inputs from the remote; ``StageCache.pull`` would copy them all."""
    key = _get_stage_hash(stage)
    remote = repo.cloud.get_remote_odb(command="fetch --run-cache", hash_name="md5-dos2unix")
    entries = remote.fs.join(remote.path, "runs", key[:2], key)
    folder = Path(repo.stage_cache.cache_dir) / key[:2] / key
    for entry in remote.fs.find(entries):
        # Made for an entry only: DVC takes an empty folder for a broken cache.
        folder.mkdir(parents=True, exist_ok=True)
        remote.fs.get_file(entry, str(folder / remote.fs.name(entry)))


def _run(repo: Repo, stage: Any, *, force: bool) -> None:  # noqa: ANN401
    try:
        repo.reproduce(targets=[stage.name], single_item=True, force=force)
    except ReproductionError as error:
        cause = error.__cause__
        if isinstance(cause, StageCmdFailedError):
            raise CommandError(_exit_code(cause)) from error
        if isinstance(cause, OSError):
            with _translated_errors("run"):
                raise cause from error
        raise


def _exit_code(error: StageCmdFailedError) -> int:
    found = _STATUS.search(str(error))
    status = int(found[1]) if found else 1
    return 128 - status if status < 0 else status


def _push(repo: Repo, address: str, *, run_cache: bool) -> None:
    """Push, with repetitions: a failure here would cost the hours that the stage took."""
    for attempt in range(PUSHES):
        try:
            with _translated_errors("push"):
                repo.push(targets=[address])
                if run_cache:
                    repo.stage_cache.push(None)
        except SourceUnavailableError as error:
            if attempt == PUSHES - 1:
                raise
            LOG.warning("%s; trying again", error.message)
            time.sleep(PAUSE_S * 4**attempt)
        else:
            return


def _metrics(stage: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the stage's JSON metrics by path, and the gates' decisions, which are no metrics of DVC's."""
    found = {}
    for output in stage.outs:
        path = Path(output.fs_path)
        if path.suffix == ".json" and (output.is_metric or is_decision(output.def_path)):
            found[output.def_path] = json.loads(path.read_text(encoding="utf-8"))
    return found


@contextmanager
def _translated_errors(what: str) -> Iterator[None]:
    """Translate errors of a transfer, which DVC and the libraries below it raise, into ours."""
    try:
        yield
    except StormsightError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise ResourceError(
                f"dvc {what}: {error.strerror}", next_step="give the workspace a larger scratch volume"
            ) from error
        raise _unavailable(what, error) from error
    except Exception as error:  # s3fs, aiobotocore and DVC each have their own
        raise _unavailable(what, error) from error


def _unavailable(what: str, error: Exception) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"dvc {what}: {first_line(error)}",
        next_step="check STORMSIGHT_REMOTE, that the endpoint answers, and the credentials; then run again",
    )


class _Stopwatch:
    """Stopwatch that takes the seconds by phase."""

    def __init__(self, on_phase: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._on_phase = on_phase
        self._phase = ""
        self._begun = time.monotonic()

    def begin(self, phase: str) -> None:
        self.end()
        self._phase = phase
        self._on_phase(phase)

    def end(self) -> None:
        now = time.monotonic()
        if self._phase:
            self.seconds[self._phase] = round(now - self._begun, 3)
        self._begun = now
