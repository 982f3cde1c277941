"""Check of all sections of ``params.yaml``, also of stages whose turn comes after days of training.

No module imported here imports torch: the check of the methods' own sections does (:mod:`.methods`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.adapt.parameters import AdaptParameters
from components.change.parameters import ChangeParameters
from components.check.change import check_change
from components.check.findings import Findings
from components.check.pretrain import check_pretrain
from components.check.task import check_task
from components.contract.documents import nearest, read_yaml, refuse_unknown, require_mapping, shown
from components.contract.errors import ParameterError
from components.contract.graph.load import load_graph
from components.contract.graph.model import contains
from components.contract.identity import ROOT as SOURCE
from components.contract.keys import CHECKED
from components.contract.parameters import ORCHESTRATION, PARAMS_FILE, value_at
from components.contract.partitions import partition_names
from components.distill.parameters import DistillParameters
from components.download.catalogue import known_acquisitions, load_entry
from components.download.parameters import DownloadParameters, check_acquisitions, check_mirrors
from components.evaluate.parameters import EvaluateParameters
from components.experiments.parameters import EvidenceParameters
from components.housekeeping.parameters import Policy
from components.lib.config.loader import Parameters, validated, validated_known
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.parameters import TrainingParameters
from components.lib.evaluation.stability import read_evidence
from components.lib.history.cost import CostParameters
from components.lib.methods.registry import CONTROL, method_names
from components.lib.tracking.parameters import TrackingParameters
from components.optical.parameters import OpticalParameters
from components.osm.parameters import OsmParameters
from components.pairs.parameters import PairsParameters
from components.predict.parameters import MapParameters
from components.prepare.parameters import PrepareParameters
from components.pretrain.parameters import PretrainParameters
from components.promote.parameters import PromoteParameters
from components.report.parameters import ReportParameters
from components.runs.parameters import RunsParameters
from components.simulation.parameters import WorldParameters
from components.validate.parameters import ValidateParameters

SHARED = "orchestration"
"""Section whose keys several services read, each its own."""

MODELS: tuple[tuple[str, type[Parameters]], ...] = (
    ("world", WorldParameters),
    ("download", DownloadParameters),
    ("validate", ValidateParameters),
    ("prepare", PrepareParameters),
    ("training", TrainingParameters),
    ("optical", OpticalParameters),
    ("distill", DistillParameters),
    ("change", ChangeParameters),
    ("adapt", AdaptParameters),
    ("scoring", ScoringSettings),
    ("evaluate", EvaluateParameters),
    ("report", ReportParameters),
    ("promote", PromoteParameters),
    ("tracking", TrackingParameters),
    ("pairs", PairsParameters),
    ("osm", OsmParameters),
    ("pretrain", PretrainParameters),
    ("map", MapParameters),
    (SHARED, Policy),
    (SHARED, RunsParameters),
    ("evidence", EvidenceParameters),
    ("cost", CostParameters),
)
"""Models that read each section. The orchestrator itself checks the other values of `orchestration`."""

Sections = Mapping[str, Any]


def check_sections(sections: Sections, params: Path, findings: Findings) -> None:
    """Hold every section against its model, and the names in it against what there is.

    Args:
        sections: As :func:`components.contract.parameters.read_sections` gives them.
        params: The parameter file.
        findings: Takes what is wrong.
    """
    for name, model in MODELS:
        with findings.collecting():
            check = validated_known if name == SHARED else validated
            check(name, model, value_at(sections, name, params), params)
    with findings.collecting():
        refuse_unknown(require_mapping(value_at(sections, SHARED, params), SHARED), ORCHESTRATION, SHARED)
    with findings.collecting():
        partition_names(sections)
    if findings.errors:
        return  # the names below are read from sections of the right shape
    with findings.collecting():
        _check_acquisitions(sections, params)
        _check_crop(sections)
    with findings.collecting():
        _check_evidence(Path(sections["report"]["stability"]), params.parent)
    with findings.collecting():
        check_mirrors(sections["download"].get("mirrors", {}), known_acquisitions())
    _check_methods(sections, params, findings)
    check_change(sections, findings)
    with findings.collecting():
        check_task(sections, findings)
    check_pretrain(sections, findings)


def check_graph(root: Path) -> None:
    """Check that everything the stages read is made by a stage, or comes with the code.

    Args:
        root: Folder of ``dvc.yaml`` and ``params.yaml``; a run's plan checks copies of them.

    Raises:
        ParameterError: Names the first stage that reads what no stage makes, or a parameter that is missing.
    """
    params = root / PARAMS_FILE
    graph = load_graph(root / "dvc.yaml", params)
    document = read_yaml(params)
    for stage in graph:
        for parameter in stage.params:
            if parameter.path == PARAMS_FILE.name:
                # DVC asks for a key as it stands there, when the stage's turn comes.
                _require_key(document, parameter.key, stage.address, params)
    made = [out for stage in graph for out in stage.outs]
    for stage in graph:
        for dep in stage.deps:
            if dep == CHECKED or (SOURCE / dep).exists():
                continue
            if not any(contains(out, dep) or contains(dep, out) for out in made):
                raise ParameterError(
                    f"stage {stage.address} reads {dep}, which no stage makes under this profile",
                    next_step="correct optical.kinds, distill.methods, adapt.start_from or report.stability "
                    "in params.yaml, or in what the active profile lays over them",
                )


def _require_key(document: Sections, key: str, stage: str, params: Path) -> None:
    """Raise if ``params.yaml`` itself, no profile laid over it, has nothing at a dotted key."""
    try:
        value_at(document, key, params)
    except ParameterError as error:
        raise ParameterError(
            f"{params} has no {key}, which stage {stage} names as a dependency",
            next_step=f"add {key}: {{}} to {params}, if it changes nothing there",
        ) from error


def _check_acquisitions(sections: Sections, params: Path) -> None:
    names = value_at(sections, "acquisitions", params)
    known = known_acquisitions()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ParameterError(
            f"acquisitions: a list of catalogue ids is needed (got {shown(names)})",
            next_step=f"correct acquisitions in {params}; known: {', '.join(known)}",
        )
    check_acquisitions(names, known, where="acquisitions")
    sensors = {load_entry(name).sensor for name in names}
    if not any(get_sensor(name).paired_optical for name in sensors):
        raise ParameterError(
            f"acquisitions: none of {', '.join(names)} has optical images and labels, from which all learn",
            next_step=f"list an acquisition of a paired sensor first in acquisitions of {params}",
        )
    target = sections["adapt"]["target"]
    if target is not None and get_sensor(target).name not in sensors:
        raise ParameterError(
            f"adapt.target: no acquisition is of sensor {target!r}{nearest(target, sensors)}",
            next_step=f"name one of {', '.join(sorted(sensors))}, null for none, or add its acquisition",
        )


def _check_evidence(path: Path, root: Path) -> None:
    """Read the evidence file that the report is read against; a missing one is told by the graph."""
    if (root / path).is_dir():
        raise ParameterError(
            f"report.stability: {path} is a folder", next_step="name the evidence file in it"
        )
    if (root / path).exists():
        read_evidence(root / path)
    elif (SOURCE / path).exists():
        read_evidence(SOURCE / path)


def _check_crop(sections: Sections) -> None:
    """Check that a crop fits into the simulated world's tiles; a release's are known when it is there."""
    if any(load_entry(name).source.startswith("simulate://") for name in sections["acquisitions"]):
        world = WorldParameters.model_validate(sections["world"])
        training = TrainingParameters.model_validate(sections["training"])
        training.require_fitting(world.tile_px, "the world's tiles (world.tile_px)")


def _check_methods(sections: Sections, params: Path, findings: Findings) -> None:
    """Check all names of methods and teachers."""
    modules, methods = method_names(), sections.get("methods")
    with findings.collecting():
        methods = require_mapping(methods, f"{params}: methods")
        _refuse_unknown_names(methods, modules, "methods")
        chosen = sections["distill"]["methods"]
        _refuse_unknown_names(chosen, methods, "distill.methods")
        if CONTROL in chosen:
            raise ParameterError(
                f"distill.methods: {CONTROL!r} is the control, which is always trained",
                next_step=f"remove {CONTROL} from distill.methods",
            )
        _refuse_unknown_names(sections["change"]["methods"], methods, "change.methods")
    with findings.collecting():
        _refuse_unknown_names(sections["optical"]["kinds"], modules, "optical.kinds")
    with findings.collecting():
        _refuse_unknown_names(sections["pretrain"]["kinds"], modules, "pretrain.kinds")
    with findings.collecting():
        trained = [CONTROL, *sections["distill"]["methods"]]
        _refuse_unknown_names([sections["adapt"]["start_from"]], trained, "adapt.start_from")


def _refuse_unknown_names(names: Iterable[str], known: Iterable[str], where: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise ParameterError(
                f"{where}: {shown(name)} is none of them{nearest(name, known, cutoff=0.0)}",
                next_step=f"use one of {', '.join(known) or 'none: the list that it is of is empty'}",
            )
