"""Check that the sections fit the task, ``prepare.task``: what of the pipeline knows buildings alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.check.findings import Findings
from components.contract.errors import ParameterError
from components.download.catalogue import CatalogueEntry, load_entry
from components.lib.datasets.sensors import dataset_of
from components.lib.engine.parameters import TrainingParameters
from components.prepare.parameters import PrepareParameters
from components.simulation.parameters import WorldParameters

Sections = Mapping[str, Any]


def check_task(sections: Sections, findings: Findings) -> None:
    """Check what depends on the task, all of it together.

    Args:
        sections: The sections, each of the right shape.
        findings: Takes what is wrong.
    """
    task = PrepareParameters.model_validate(sections["prepare"]).task
    if task == "buildings":
        return
    with findings.collecting():
        TrainingParameters.model_validate(sections["training"]).wants_contours(task)
    with findings.collecting():
        if sections["adapt"]["target"] is not None:
            raise ParameterError(
                f"adapt.target: networks of {task} (prepare.task) are not adapted to another sensor",
                next_step="set adapt.target to null",
            )
    world = WorldParameters.model_validate(sections["world"])
    for name in sections["acquisitions"]:
        with findings.collecting():
            _check_labels(load_entry(name), world)


def _check_labels(entry: CatalogueEntry, world: WorldParameters) -> None:
    """Check that an acquisition comes with road labels."""
    roads = dataset_of(entry.sensor).roads
    if roads is None or roads.product.name not in entry.products:
        raise ParameterError(
            f"prepare.task: the acquisition {entry.id} has no road labels",
            next_step="list acquisitions whose catalogue entries name the product Roads, such as "
            "rehearsal-roads, or set prepare.task to buildings",
        )
    if entry.source.startswith("simulate://") and not world.roads:
        raise ParameterError(
            f"world.roads: false, and the acquisition {entry.id} has road labels",
            next_step="set world.roads to true",
        )
