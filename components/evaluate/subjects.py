"""Which models there are, and on whose tiles each is scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.contract.errors import BadDataError, MissingInputError
from components.lib.files import require_input
from components.lib.methods.registry import CONTROL, load_method, load_teacher
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store

TEACHER = "deeplabv3plus"
"""Kind of the teacher that is called so in tables; others are ``teacher-<kind>``."""

Role = Literal["teacher", "control", "student", "adapted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model on one sensor.

    Attributes:
        model: Name in tables: ``teacher`` (``teacher-<kind>`` of another kind), a distillation method,
            ``adapted`` or ``unadapted``.
        role: What it is for; everything trained on SAR from the start but the control is a student.
        what: What it is, in a few words.
        net: The network.
        sensor: On whose tiles it is scored.
        statistics_of: Sensor whose normalisation statistics it uses.
    """

    model: str
    role: Role
    what: str
    net: SegmentationNetwork
    sensor: str
    statistics_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All subjects and the parts that comparisons need by name.

    Attributes:
        subjects: In the order of the tables.
        source: The sensor with labels and paired optical images.
        target: The sensor without labels that was adapted to; None where there was none.
        student: The distillation method that the adapted model started from.
    """

    subjects: tuple[Subject, ...]
    source: str
    target: str | None
    student: str

    def find(self, model: str, sensor: str) -> Subject | None:
        """The subject of that name and sensor, if there is one."""
        return next((s for s in self.subjects if (s.model, s.sensor) == (model, sensor)), None)


def load_cast(models: Path, store: Store) -> Cast:
    """Load every model under ``models``.

    Args:
        models: Holds ``optical/<kind>``, ``sar/<method>`` and ``adapted``.
        store: The prepared tiles, which must hold the sensors that the models know.

    Raises:
        MissingInputError: If a model is absent, naming the stage that makes it.
        BadDataError: If a model is broken or the models do not belong together.
    """
    teacher = load_bundle(models / "optical" / TEACHER)
    methods = {
        folder.name: load_bundle(folder)
        for folder in sorted(require_input(models / "sar", made_by="distill").iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if not methods:
        raise MissingInputError(
            f"{models / 'sar'} holds no model", next_step="run `dvc repro distill`, the stage that makes them"
        )
    adapted = load_bundle(models / "adapted")
    student = _start_of(adapted, methods)
    source = methods[student].config.sensors[0]
    target = next((name for name in adapted.config.sensors if name != source), None)
    subjects = [_subject("teacher", "teacher", load_teacher(TEACHER).description, teacher, source)]
    for folder in sorted(path.parent for path in (models / "optical").glob("*/model.json")):
        if folder.name != TEACHER:
            name, what = f"teacher-{folder.name}", load_teacher(folder.name).description
            subjects.append(_subject(name, "teacher", what, load_bundle(folder), source))
    for name in sorted(methods, key=lambda method: (method != CONTROL, method)):
        role: Role = "control" if name == CONTROL else "student"
        subjects.append(_subject(name, role, load_method(name).description, methods[name], source))
    if target is not None:
        unadapted = f"{student} with its own statistics"
        subjects += [
            _subject("adapted", "adapted", "after adaptation, where it came from", adapted, source),
            _subject("unadapted", "student", unadapted, methods[student], target, source),
            _subject("adapted", "adapted", f"{student} adapted without labels", adapted, target),
        ]
    missing = {subject.sensor for subject in subjects} - set(store.sensors)
    if missing:
        raise BadDataError(
            f"the models know {', '.join(sorted(missing))}, of which {store.folder} holds no tile",
            next_step="prepare the acquisitions that the models were made from, or run `dvc repro`",
        )
    return Cast(subjects=tuple(subjects), source=source, target=target, student=student)


def _subject(  # noqa: PLR0917 - one line per subject above
    model: str, role: Role, what: str, net: SegmentationNetwork, sensor: str, statistics_of: str | None = None
) -> Subject:
    return Subject(
        model=model, role=role, what=what, net=net, sensor=sensor, statistics_of=statistics_of or sensor
    )


def _start_of(adapted: SegmentationNetwork, methods: dict[str, SegmentationNetwork]) -> str:
    """The method that the adapted model started from."""
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
