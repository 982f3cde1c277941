"""Check of two-stage training: masks, pre-trained teachers and those that start from them fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.check.findings import Findings
from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.lib.tasks.names import TaskName
from components.optical.parameters import OpticalParameters
from components.osm.parameters import OsmParameters
from components.prepare.parameters import PrepareParameters
from components.pretrain.parameters import PretrainParameters

Sections = Mapping[str, Any]


def check_pretrain(sections: Sections, findings: Findings) -> None:
    """Hold the sections `osm`, `pretrain`, `prepare` and `optical` against each other.

    Args:
        sections: Sections that fit their models.
        findings: Takes what is wrong, and as a warning what is trained for nothing.
    """
    osm = OsmParameters.model_validate(sections["osm"])
    pretrain = PretrainParameters.model_validate(sections["pretrain"])
    optical = OpticalParameters.model_validate(sections["optical"])
    with findings.collecting():
        _check_masks(pretrain, osm, PrepareParameters.model_validate(sections["prepare"]).task)
    with findings.collecting():
        _check_start(optical, pretrain)
    if pretrain.kinds and optical.start is None:
        findings.warnings.append(
            "pretrain.kinds names teachers, and no training starts from them: set optical.start to pretrain"
        )


def _check_masks(pretrain: PretrainParameters, osm: OsmParameters, task: TaskName) -> None:
    if pretrain.kinds and task not in osm.tasks:
        raise ParameterError(
            f"pretrain.kinds: no stage draws masks of {task} (prepare.task): osm.tasks does not list it",
            next_step=f"add {task} to osm.tasks and declare osm.extract, or empty pretrain.kinds",
        )


def _check_start(optical: OpticalParameters, pretrain: PretrainParameters) -> None:
    if optical.start is None:
        return
    if not pretrain.kinds:
        raise ParameterError(
            "optical.start: pretrain needs pre-trained teachers, and pretrain.kinds is empty",
            next_step=f"set pretrain.kinds to {', '.join(optical.kinds)}, or optical.start to null",
        )
    for kind in optical.kinds:
        if kind not in pretrain.kinds:
            raise ParameterError(
                f"optical.start: {kind} of optical.kinds is not pre-trained{nearest(kind, pretrain.kinds)}",
                next_step=f"add {kind} to pretrain.kinds, or remove it from optical.kinds",
            )
