"""Training of a SAR network by one method: teacher, network, crops and steps."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.hashing import sha256_file
from components.distill.parameters import DistillParameters
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import paired_rows, paired_sensor, sar_statistics
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.files import require_input
from components.lib.methods.base import Method, P, Setup
from components.lib.methods.registry import CONTROL
from components.lib.nets.bundle import load_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.parts import aspp_rates
from components.lib.nets.sealed import WEIGHTS
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.store.store import Store
from components.lib.tasks.names import TaskName

MODELS = Path("models/sar")
TEACHERS = Path("models/optical")


def prepare_run(
    method: Method[P], parameters: P, store: Store, training: TrainingParameters, distill: DistillParameters
) -> StageRun:
    """Return the training of one method.

    Tiles, crops, flips, zooms, batch and steps depend on the parameters and the seed alone, so the control
    sees exactly what the student sees, less the optical images. No quarter turns: radar looks along image
    columns.

    Args:
        method: The method.
        parameters: Its own section.
        store: With one sensor whose train tiles have optical images.
        training: Section `training`.
        distill: Section `distill`.

    Raises:
        MissingInputError: If the method needs a teacher and none has been trained.
        ParameterError: If the teachers do not include its kind, the teacher's backbone is another one, or the
            method's losses do not know the store's task.
        BadDataError: If the store has no paired tiles.
    """
    method.require_task(store.task)
    sensor = paired_sensor(store)
    rows = paired_rows(store, sensor, "train")
    if parameters.lr is not None:
        training = training.model_copy(update={"lr": parameters.lr})
    teacher = None if method.teacher is None else load_teacher_network(method.teacher, training, store.task)
    net = sar_network(method, parameters, sensor, training, store.task)
    method.start(net, teacher, parameters)
    steps = distill.steps(len(rows), training.batch)
    task = method.task(
        Setup(net=net, teacher=teacher, parameters=parameters, training=training, sensor=sensor, steps=steps)
    )
    task.crop = training.crop
    facts: dict[str, object] = {
        "method": method.name,
        "methods": {method.name: parameters.model_dump(mode="json")},
    }
    if method.teacher is not None:
        facts["teacher_sha256"] = sha256_file(TEACHERS / method.teacher / WEIGHTS)
    address = "control" if method.name == CONTROL else f"distill@{method.name}"
    return StageRun(
        name=f"distill/{method.name}",
        task=task,
        net=net,
        batches=crop_batches(store, sensor, rows, method.layers, training),
        steps=steps,
        epochs=distill.epochs,
        store=store,
        sensor=sensor,
        training=training,
        provenance=provenance(address, store, training, {"distill": distill.budget}, **facts),
        model_folder=MODELS / method.name,
    )


def sar_network(
    method: Method[P], parameters: P, sensor: str, training: TrainingParameters, task: TaskName = "buildings"
) -> SegmentationNetwork:
    """Return the untrained network of ``method``, reading SAR of ``sensor``; equal seeds give equal ones."""
    mean, std = sar_statistics(training.sar_normalisation, get_sensor(sensor).scale_limits)
    seed_everything(training.seed)
    config = {
        "kind": method.kind,
        "encoder": training.encoder,
        "encoder_weights": training.encoder_weights,
        "decoder_channels": training.decoder_channels,
        "aspp_rates": aspp_rates(training.aspp_rates, training.crop),
        "aspp_dropout": training.aspp_dropout,
        "modality": "sar",
        "task": task,
        "sensors": (sensor,),
        "input_mean": mean,
        "input_std": std,
        "contours": training.wants_contours(task),
    }
    return build_network(NetworkConfig.model_validate(config | method.network_options(parameters)))


def load_teacher_network(
    kind: str, training: TrainingParameters, task: TaskName = "buildings"
) -> SingleMapNetwork:
    """Return the trained teacher of ``kind``, on the CPU and in evaluation mode.

    Raises:
        MissingInputError: If no teacher has been trained.
        BadDataError: If its weights do not match their checksum, it reads SAR, or predicts another task.
        ParameterError: If teachers have been trained, but none of this kind, or of another encoder, decoder
            width or ASPP rates than the student's: features are compared one to one.
    """
    folder = TEACHERS / kind
    if TEACHERS.is_dir() and any(TEACHERS.iterdir()) and not folder.exists():
        raise ParameterError(
            f"distill.methods: a method needs a teacher of its own kind, and {folder} does not exist",
            next_step=f"add {kind} to optical.kinds in params.yaml and run `dvc repro optical`",
        )
    net = load_bundle(require_input(folder, made_by="optical"), modality="optical", task=task)
    if not isinstance(net, SingleMapNetwork) or net.config.kind != kind:
        raise ParameterError(f"{folder} holds no {kind}", next_step="run `dvc repro optical`")
    rates = aspp_rates(training.aspp_rates, training.crop)
    shared = {"encoder": training.encoder, "decoder_channels": training.decoder_channels, "aspp_rates": rates}
    for key, wanted in shared.items():
        found = getattr(net.config, key)
        if found != wanted:
            given = f" at crop {training.crop}" if key == "aspp_rates" else ""
            raise ParameterError(
                f"training.{key} is {wanted!r}{given}, but the teacher in {folder} has {found!r}: "
                "teacher and student must share backbone and decoder",
                next_step="run `dvc repro optical` to train the teacher anew, or set the parameter back",
            )
    return net
