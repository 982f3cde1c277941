"""Training of the SAR networks (reference 1.5 stage 2): the students, and the controls of the same budget."""

from __future__ import annotations

from pathlib import Path

from components.distill.concord import ConcordTask
from components.distill.disoptnet import DisOptNetTask
from components.distill.hfd import HfdReadingTask
from components.distill.networks import sar_network, start_from_teacher, starts_from_teacher
from components.distill.parameters import UNTAUGHT, DistillParameters, Method
from components.distill.teacher import HFD_TEACHER_FOLDER, TEACHER_FOLDER, load_hfd_teacher, load_teacher
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import paired_rows, paired_sensor, steps_of
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.engine.supervised import SupervisedTask
from components.lib.engine.task import TrainingTask
from components.lib.files import sha256_file
from components.lib.losses.masks import layover_px
from components.lib.nets.bundle import WEIGHTS
from components.lib.nets.deeplab import DeepLab
from components.lib.nets.disoptnet import DisOptNetStudent
from components.lib.nets.hfd import HfdReading
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.store.store import Store

MODELS = Path("models/sar")


def prepare_run(
    method: Method,
    store: Store,
    training: TrainingParameters,
    distill: DistillParameters,
) -> StageRun:
    """Network, crops and steps of one method.

    Tiles, crops, flips, zooms, batch and steps depend on the parameters and the seed alone, so the control
    sees exactly what the student sees, less the optical images. No quarter turns: radar looks along image
    columns.

    Args:
        method: ``none`` is the SAR-only control, ``optical_init`` the one that starts from the teacher.
        store: With one sensor whose train tiles have optical images.
        training: Section `training`.
        distill: Section `distill`.

    Raises:
        MissingInputError: If ``method`` needs a teacher and there is none.
        ParameterError: If the teacher's backbone is another one.
        BadDataError: If the store has no paired tiles.
    """
    sensor = paired_sensor(store)
    rows = paired_rows(store, sensor, "train")
    teacher = _teacher(method, training)
    net = sar_network(method, sensor, training, distill)
    if starts_from_teacher(method, distill) and isinstance(teacher, DeepLab):
        start_from_teacher(net, teacher)
    steps = steps_of(distill.epochs, len(rows), distill.crops_per_tile, training.batch)
    task = _task(method, net, teacher, training, distill, sensor=sensor, steps=steps)
    task.crop = training.crop
    facts: dict[str, str] = {"method": method}
    if teacher is not None:
        folder = HFD_TEACHER_FOLDER if method == "hfd_reading" else TEACHER_FOLDER
        facts["teacher_sha256"] = sha256_file(folder / WEIGHTS)
    layers = ("sar", "target") if method in UNTAUGHT else ("sar", "optical", "target")
    return StageRun(
        name=f"distill/{method}",
        task=task,
        net=net,
        batches=crop_batches(store, sensor, rows, layers, training),
        steps=steps,
        epochs=distill.epochs,
        store=store,
        sensor=sensor,
        provenance=provenance("distill", store, training, distill, **facts),
        model_folder=MODELS / method,
    )


def _teacher(method: Method, training: TrainingParameters) -> SingleMapNetwork | None:
    if method != "optical_init" and method in UNTAUGHT:
        return None
    return load_hfd_teacher(training) if method == "hfd_reading" else load_teacher(training)


def _task(
    method: Method,
    net: SegmentationNetwork,
    teacher: SingleMapNetwork | None,
    training: TrainingParameters,
    distill: DistillParameters,
    *,
    sensor: str,
    steps: int,
) -> TrainingTask:
    def over(share: float) -> int:
        return round(share * steps)

    contours = training.contour_weight
    match net, teacher:
        case DisOptNetStudent(), DeepLab() if method == "concord":
            properties = get_sensor(sensor)
            return ConcordTask(
                net,
                teacher,
                distill.concord,
                layover_px=layover_px(properties.incidence_deg, properties.gsd_m),
                seed=training.seed,
                contour_weight=contours,
                ramp_steps=over(distill.concord.ramp),
            )
        case DisOptNetStudent(), DeepLab():
            chosen = distill.disoptnet
            return DisOptNetTask(
                net, teacher, chosen.features, contour_weight=contours, ramp_steps=over(chosen.soft_ramp)
            )
        case HfdReading(), HfdReading():
            reading = distill.hfd_reading
            return HfdReadingTask(
                net, teacher, reading, contour_weight=contours, ramp_steps=over(reading.ramp)
            )
    return SupervisedTask(net, contours)
