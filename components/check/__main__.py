"""``python -m components.check``: check everything that a run needs, before its first stage."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from components.check.change import check_folders
from components.check.disk import check_disk
from components.check.findings import Findings
from components.check.lock import remove_leftovers, renew_lock, renewed
from components.check.methods import check_methods
from components.check.osm import check_extract
from components.check.parameters import check_graph, check_sections
from components.check.services import check_gpu, check_sources, check_tracking
from components.contract.documents import read_yaml, shown
from components.contract.keys import CHECKED, CHECKED_TEXT
from components.contract.parameters import PARAMS_FILE, PARAMS_LOCK, read_sections, value_at
from components.contract.variables import PROFILE
from components.download.catalogue import known_acquisitions, load_entry
from components.download.parameters import DownloadParameters
from components.evaluate.parameters import EvaluateParameters
from components.lib.cli import report_failure, run
from components.lib.config.loader import P, validated
from components.lib.engine.parameters import TrainingParameters
from components.lib.files import write_text
from components.lib.tracking.parameters import TrackingParameters
from components.osm.parameters import OsmParameters
from components.pairs.parameters import PairsParameters
from components.promote.parameters import PromoteParameters
from components.simulation.parameters import WorldParameters

ROOT = Path()
"""Commands run in the folder of ``params.yaml``."""


def main(arguments: list[str] | None = None) -> int:
    """Check, print all findings, and return the exit code of the gravest: 78, 71, then 69."""
    parser = argparse.ArgumentParser(
        prog="python -m components.check",
        description="Check all sections of params.yaml under the active profile, then disk, sources, GPU, "
        "tracking and ledger; render params.lock, from which DVC takes the graph. All findings are printed "
        "together.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("all", "parameters"),
        default="all",
        help="parameters: the parameters alone, as the stage `check` of dvc.yaml; a stale params.lock is "
        "rendered anew and refused, since DVC began with it",
    )
    stage = parser.parse_args(arguments).what == "parameters"
    findings = Findings()
    with findings.collecting():
        sections = read_sections(ROOT / PARAMS_FILE)
        _check_parameters(sections, findings, stage=stage)
        if not stage:
            _warn_of_another_profile(findings)
            _check_surroundings(sections, findings)
    sys.stderr.write(findings.text())
    if findings.errors:
        messages = "; ".join(error.message for error in findings.errors)
        report_failure(findings.exit_code, messages, findings.errors[0].next_step)
    elif stage:
        write_text(ROOT / CHECKED, CHECKED_TEXT)
    else:
        print(f"checked: parameters, {PARAMS_LOCK}, disk, sources, GPU, tracking, ledger")
    return findings.exit_code


def _check_parameters(sections: dict[str, Any], findings: Findings, *, stage: bool) -> None:
    """Check sections, names, methods and graph; each needs what is before it."""
    check_sections(sections, ROOT / PARAMS_FILE, findings)
    if findings.errors:
        return
    check_methods(sections, ROOT, findings)
    with findings.collecting():
        stale = renew_lock(ROOT)
        if stale:
            remove_leftovers(ROOT)
        check_graph(ROOT)
        if stale and stage:
            raise renewed(ROOT)
        if stale:
            print(f"{PARAMS_LOCK} is rendered anew: the graph is that of the active profile")


def _warn_of_another_profile(findings: Findings) -> None:
    """Warn where the environment names another profile than the file: DVC runs the file's."""
    named, own = os.environ.get(PROFILE), read_yaml(ROOT / PARAMS_FILE).get("profile")
    if named and named != own:
        findings.warnings.append(
            f"{PROFILE}={shown(named)} is for `make airflow`, `make land` and components.runs; "
            f"`make repro` runs the profile of {PARAMS_FILE}, {shown(own)}: change it there"
        )


def _check_surroundings(sections: dict[str, Any], findings: Findings) -> None:
    """Check what the profile needs outside of its files, as far as its sections can be read."""

    def read(name: str, model: type[P]) -> P:
        return validated(name, model, value_at(sections, name, PARAMS_FILE))

    with findings.collecting():
        check_gpu(read("training", TrainingParameters), read("evaluate", EvaluateParameters), findings)
    with findings.collecting():
        check_tracking(read("tracking", TrackingParameters), read("promote", PromoteParameters), ROOT)
    with findings.collecting():
        check_folders(read("pairs", PairsParameters), ROOT, findings)
    with findings.collecting():
        check_extract(read("osm", OsmParameters), ROOT, findings)
    with findings.collecting():
        known, names = known_acquisitions(), sections.get("acquisitions")
        entries = [load_entry(name) for name in (names if isinstance(names, list) else ()) if name in known]
        check_disk(entries, read("world", WorldParameters), ROOT, findings)
        check_sources(entries, read("download", DownloadParameters), ROOT, findings)


if __name__ == "__main__":
    run(main)
