"""Models to be scored, and the sensor on whose tiles each is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import BadDataError, MissingInputError
from components.lib.evaluation.names import model_title
from components.lib.evaluation.results import CONTROL, Role
from components.lib.files import require_input
from components.lib.methods.registry import load_method, load_teacher
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tasks.names import TaskName

TEACHER = "deeplabv3plus"
"""Kind of the teacher that tables call so; others are called ``teacher-<kind>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedModel:
    """One model on one sensor.

    Attributes:
        model: Name in tables: ``teacher`` (``teacher-<kind>`` of another kind), a distillation method,
            ``adapted`` or ``unadapted``.
        role: Purpose of the model; everything trained on SAR from the start but the control is a student.
        description: The model in a few words.
        net: The network.
        sensor: Sensor on whose tiles it is scored.
        statistics_of: Sensor whose normalisation statistics it uses.
    """

    model: str
    role: Role
    description: str
    net: SegmentationNetwork
    sensor: str
    statistics_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedModels:
    """All models to be scored, and those that comparisons need by name.

    Attributes:
        models: In the order of the tables.
        source: Sensor with labels and paired optical images.
        target: Sensor without labels that was adapted to; None where there was none.
        student: Distillation method that the adapted model started from.
        task: Task of all models.
    """

    models: tuple[EvaluatedModel, ...]
    source: str
    target: str | None
    student: str
    task: TaskName = "buildings"

    def find(self, model: str, sensor: str) -> EvaluatedModel | None:
        """Return the model of that name on that sensor, None if there is none."""
        return next((m for m in self.models if (m.model, m.sensor) == (model, sensor)), None)


def load_models(folder: Path, store: Store) -> EvaluatedModels:
    """Load every model under ``folder``.

    Args:
        folder: Holds ``optical/<kind>``, ``sar/<method>`` and ``adapted``.
        store: Prepared tiles, which must hold the sensors that the models know.

    Raises:
        MissingInputError: If a model is absent, naming the stage that makes it.
        BadDataError: If a model is broken or of another task than the store, or the models do not belong
            together.
    """
    teachers = _load_teachers(folder / "optical", store.task)
    methods = _load_methods(folder / "sar", store.task)
    adapted = load_bundle(folder / "adapted", modality="sar", task=store.task)
    student = _start_of(adapted, methods)
    source = methods[student].config.sensors[0]
    target = next((name for name in adapted.config.sensors if name != source), None)
    models = [_teacher(kind, net, source) for kind, net in teachers.items()]
    models += [
        _distilled(name, methods[name], source)
        for name in sorted(methods, key=lambda method: (method != CONTROL, method))
    ]
    if target is not None:
        models += _adaptation(student, methods[student], adapted, source, target)
    missing = {model.sensor for model in models} - set(store.sensors)
    if missing:
        raise BadDataError(
            f"the models know {', '.join(sorted(missing))}, of which {store.folder} holds no tile",
            next_step="prepare the acquisitions that the models were made from, or run `dvc repro`",
        )
    return EvaluatedModels(
        models=tuple(models), source=source, target=target, student=student, task=store.task
    )


def _load_teachers(folder: Path, task: TaskName) -> dict[str, SegmentationNetwork]:
    """Load the teacher of every kind, by kind, the one of most methods first."""
    found = sorted(path.parent.name for path in folder.glob("*/model.json"))
    kinds = [TEACHER, *(kind for kind in found if kind != TEACHER)]
    return {kind: load_bundle(folder / kind, modality="optical", task=task) for kind in kinds}


def _load_methods(folder: Path, task: TaskName) -> dict[str, SegmentationNetwork]:
    """Load the model of every distillation method, by name."""
    methods = {
        path.name: load_bundle(path, modality="sar", task=task)
        for path in sorted(require_input(folder, made_by="distill").iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    if not methods:
        raise MissingInputError(
            f"{folder} holds no model", next_step="run `dvc repro distill`, the stage that makes them"
        )
    return methods


def _teacher(kind: str, net: SegmentationNetwork, source: str) -> EvaluatedModel:
    return EvaluatedModel(
        model="teacher" if kind == TEACHER else f"teacher-{kind}",
        role="teacher",
        description=load_teacher(kind).description,
        net=net,
        sensor=source,
        statistics_of=source,
    )


def _distilled(name: str, net: SegmentationNetwork, source: str) -> EvaluatedModel:
    return EvaluatedModel(
        model=name,
        role="control" if name == CONTROL else "student",
        description=load_method(name).description,
        net=net,
        sensor=source,
        statistics_of=source,
    )


def _adaptation(
    student: str, before: SegmentationNetwork, after: SegmentationNetwork, source: str, target: str
) -> list[EvaluatedModel]:
    """Return the adapted model on both sensors, and the student without adaptation on the target."""
    on_source = EvaluatedModel(
        model="adapted",
        role="adapted",
        description="after adaptation, where it came from",
        net=after,
        sensor=source,
        statistics_of=source,
    )
    unadapted = EvaluatedModel(
        model="unadapted",
        role="student",
        description=f"{model_title(student)} with its own statistics",
        net=before,
        sensor=target,
        statistics_of=source,
    )
    on_target = EvaluatedModel(
        model="adapted",
        role="adapted",
        description=f"{model_title(student)} adapted without labels",
        net=after,
        sensor=target,
        statistics_of=target,
    )
    return [on_source, unadapted, on_target]


def _start_of(adapted: SegmentationNetwork, methods: Mapping[str, SegmentationNetwork]) -> str:
    """Return the method that the adapted model started from."""
    parameters = adapted.metadata.get("adapt")
    named = parameters.get("start_from") if isinstance(parameters, dict) else None
    if named in methods:
        return str(named)
    if named is not None:
        raise BadDataError(
            f"models/adapted started from {named!r}, which is not among models/sar ({', '.join(methods)})",
            next_step="run `dvc repro adapt` so that the models belong together",
        )
    return next((name for name in methods if name != CONTROL), CONTROL)
