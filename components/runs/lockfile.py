"""dvc.lock of a whole pipeline from the entries of its stages."""

from __future__ import annotations

from pathlib import Path

from dvc.repo import Repo

from components.contract.keys import LOCK
from components.runs.reproduction import addresses, find_stage, quiet_dvc


def merged(workspace: Path) -> tuple[list[str], str]:
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
