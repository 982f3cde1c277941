"""Training of the SAR networks (reference 1.5 stage 2): the student, and the control of the same budget."""

from __future__ import annotations

from pathlib import Path

from components.distill.parameters import DistillParameters, Method
from components.distill.task import DistillTask
from components.distill.teacher import TEACHER_FOLDER, load_teacher
from components.lib.engine import TrainingParameters, TrainingTask
from components.lib.engine.inputs import paired_rows, paired_sensor, sar_statistics, steps_of
from components.lib.engine.loop import seed_everything
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.engine.supervised import SupervisedTask
from components.lib.files import sha256_file
from components.lib.nets import DeepLab, DisOptNetStudent, NetworkConfig, SegmentationNetwork, build_network
from components.lib.nets.bundle import WEIGHTS
from components.lib.sensors import get_sensor
from components.lib.store import CropSampler, Store

MODELS = Path("models/sar")


def sar_network(
    method: Method,
    sensor: str,
    training: TrainingParameters,
    distill: DistillParameters,
) -> SegmentationNetwork:
    """The untrained network of ``method``, reading SAR of ``sensor``: the same for every equal seed."""
    mean, std = sar_statistics(training.sar_normalisation, get_sensor(sensor).scale_limits)
    seed_everything(training.seed)
    return build_network(
        NetworkConfig(
            kind="deeplabv3plus" if method == "none" else "disoptnet",
            encoder=training.encoder,
            encoder_weights=training.encoder_weights,
            decoder_channels=training.decoder_channels,
            modality="sar",
            sensors=(sensor,),
            input_mean=mean,
            input_std=std,
            output=distill.output,
        )
    )


def prepare_run(
    method: Method,
    store: Store,
    training: TrainingParameters,
    distill: DistillParameters,
) -> StageRun:
    """Network, crops and steps of one method.

    Tiles, crops, flips, batch and steps depend on the parameters and the seed alone, so the control sees
    exactly what the student sees, less the optical images. No quarter turns: radar looks along image columns.

    Args:
        method: ``none`` is the SAR-only control.
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
    teacher = None if method == "none" else load_teacher(training)
    net = sar_network(method, sensor, training, distill)
    facts: dict[str, str] = {"method": method}
    if teacher is not None:
        facts["teacher_sha256"] = sha256_file(TEACHER_FOLDER / WEIGHTS)
    sampler = CropSampler(
        store,
        sensor,
        rows,
        layers=("sar", "target") if method == "none" else ("sar", "optical", "target"),
        crop=training.crop,
        batch=training.batch,
        seed=training.seed,
    )
    return StageRun(
        name=f"distill/{method}",
        task=_task(net, teacher, distill),
        net=net,
        batches=sampler.batch,
        steps=steps_of(distill.epochs, len(rows), distill.crops_per_tile, training.batch),
        epochs=distill.epochs,
        store=store,
        sensor=sensor,
        provenance=provenance("distill", store, training, distill, **facts),
        model_folder=MODELS / method,
    )


def _task(net: SegmentationNetwork, teacher: DeepLab | None, distill: DistillParameters) -> TrainingTask:
    if isinstance(net, DisOptNetStudent) and teacher is not None:
        return DistillTask(net, teacher, distill.features)
    return SupervisedTask(net)
